"""How far one prompt is, from what its server says. Pure, so that recorded runs can be played to it.

Steps start again at 0 with every node (several samplers, SaveImageWebsocket), so the whole is counted in nodes:
(finished + shares of the running) / (nodes that the outputs need - nodes whose outputs were still there).
"""

from collections.abc import Set as AbstractSet
from typing import Literal

from spoonkernel.comfy.messages import (
    Executed,
    Executing,
    ExecutionCached,
    ExecutionError,
    ExecutionInterrupted,
    ExecutionStart,
    ExecutionSuccess,
    Message,
    NodeText,
    Preview,
    Progress,
    ProgressState,
    prompt_id_of,
)
from spoonkernel.comfy.refusal import failed_text

ALMOST = 0.99  # all nodes may be done before the server says that the prompt is

Ending = Literal["success", "error", "interrupted"]


class RunProgress:
    """Follows one prompt. Feed it every message; those of other prompts change nothing if `prompt_id` is given.

    Args:
        graph_reachable: the nodes that run (`graph.reachable`). Nodes that a node makes while it runs are not among
            them, and so cannot push the whole beyond 1.
        prompt_id: None takes every message for this prompt's; the caller has sorted them.
    """

    def __init__(self, graph_reachable: AbstractSet[str], prompt_id: str | None = None) -> None:
        self._reachable, self._prompt_id = frozenset(graph_reachable), prompt_id
        self._cached: frozenset[str] = frozenset()
        self._shares: dict[str, float] = {}
        self._is_told_states = False
        self._fraction = 0.0
        self.node: str | None = None
        """The node that runs now, as the graph names it."""
        self.started = False
        self.ended: Ending | None = None
        self.error: str | None = None
        """Why it failed: node and reason, no traceback."""
        self.settled = False
        """The server's last message has come: whatever the history will hold, it holds. Before, it may be empty."""

    @property
    def fraction(self) -> float:
        """0 to 1, never less than before; 1 only once the prompt has succeeded."""
        return self._fraction

    def is_all_of(self, cached: AbstractSet[str]) -> bool:
        """Whether these nodes, which did not run, are all that would have: the server then names its old files."""
        return bool(self._reachable) and self._reachable <= cached

    def feed(self, message: Message | Preview | NodeText) -> None:
        """Take in one message. Any order and any repetition is fine; after the end only `settled` changes."""
        told = prompt_id_of(message)
        if self._prompt_id is not None and told != self._prompt_id:
            return
        if isinstance(message, Executing) and message.node is None:
            self.started = self.settled = True
            self.node = None
        elif self.ended is None:
            self._take(message)
            self._count()

    def _take(self, message: Message | Preview | NodeText) -> None:
        match message:
            case ExecutionStart():
                self.started = True
            case ExecutionCached(nodes=nodes):
                self.started = True
                self._cached |= nodes
            case ProgressState():
                self._states(message)
            case Executing(node=str() as node):
                self._now(node, message.display_node)
            case Progress(node=node):
                self.started = True
                self._share_of(node or self.node, message.share)
            case Executed(node=node):
                self.started = True
                self._share_of(node, 1.0)
            case ExecutionSuccess():
                self._end("success")
            case ExecutionError():
                self._end("error")
                self.error = failed_text(
                    message.node_type, message.node_id, message.exception_type, message.exception_message
                )
            case ExecutionInterrupted():
                self._end("interrupted")

    def _states(self, message: ProgressState) -> None:
        self.started = self._is_told_states = True
        for node in message.nodes:
            done = node.state == "finished"
            self._share_of(node.node_id, 1.0 if done else node.share if node.state == "running" else 0.0)

    def _now(self, node: str, display_node: str | None) -> None:
        """A node begins. Servers before mid-2025 tell no states: there, this is how the node before it ended."""
        self.started = True
        named = display_node if display_node in self._reachable and node not in self._reachable else node
        if not self._is_told_states and self.node is not None and self.node != named:
            self._share_of(self.node, 1.0)
        self.node = named

    def _share_of(self, node: str | None, share: float) -> None:
        if node in self._reachable:
            self._shares[node] = max(share, self._shares.get(node, 0.0))

    def _end(self, ending: Ending) -> None:
        self.started, self.ended, self.node = True, ending, None

    def _count(self) -> None:
        if self.ended == "success":
            self._fraction = 1.0
            return
        total = len(self._reachable - self._cached)
        done = sum(share for node, share in self._shares.items() if node not in self._cached)
        self._fraction = max(self._fraction, min(ALMOST, done / total) if total else 0.0)

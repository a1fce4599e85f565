"""One generation on its way through ComfyUI, as this process follows it. No graph is kept once it is submitted."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from spoonkernel.comfy.progress import RunProgress
from spoonkernel.store.generations import GenerationRow
from spoonkernel.store.profiles import ProfileRow

MAX_SENT = 64  # pictures of one run that are kept when they come over the socket only
SOCKET_CLASS = "SaveImageWebsocket"

Phase = Literal["unsent", "sending", "taken", "ending"]


@dataclass(frozen=True, slots=True)
class Unsent:
    """What is needed to submit it: dropped as soon as ComfyUI has it."""

    graph: Mapping[str, Any]
    extra_pnginfo: Mapping[str, Any]


@dataclass(slots=True)
class Watched:
    """`client_id` is the connection that hears of it; None where none does, and it is looked up."""

    generation_id: str
    session_id: str
    prompt_id: str
    profile: ProfileRow
    progress: RunProgress
    titles: Mapping[str, str]
    socket_nodes: frozenset[str]
    """Nodes whose pictures only come over the socket."""
    phase: Phase = "unsent"
    client_id: str | None = None
    unsent: Unsent | None = None
    row: GenerationRow | None = None
    """Its row without graphs, as it was when ComfyUI had taken it; None where another process submitted it."""
    started_at: datetime | None = None
    published_s: float = 0.0
    published_node: str | None = None
    written: float = 0.0
    is_start_written: bool = False
    is_dropped: bool = False
    """Its row has ended: should it reach the server now, it is taken back."""
    seems_ended: bool = False
    """A look found its end before the socket told it."""
    copies: int = 0
    """How often its outputs were to be copied."""
    sent: list[tuple[str, bytes]] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def title(self) -> str:
        """What people call the node that runs."""
        node = self.progress.node or ""
        return self.titles.get(node, node)


def socket_nodes(graph: Mapping[str, Any]) -> frozenset[str]:
    """The nodes of a graph whose pictures only come over the socket."""
    return frozenset(node_id for node_id, node in graph.items() if node.get("class_type") == SOCKET_CLASS)

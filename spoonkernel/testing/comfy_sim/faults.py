"""What can go wrong on demand."""

import asyncio
import builtins
from collections.abc import Mapping


class Faults:
    """The state of every fault; none of them is on at first.

    Attributes:
        prompt_s: how long every prompt takes beside its steps; a real server's own work is a few milliseconds.
        history_delay_s: how long after `execution_success` a run reaches the history.
        answer_delay_s: how long the answers of a route take, by its path without `/api` (`/history/{prompt_id}`).
        lost_answers: how many further POSTs to `/prompt` are accepted and then not answered.
    """

    def __init__(self) -> None:
        self.prompt_s = 0.0
        self.history_delay_s = 0.0
        self.answer_delay_s: dict[str, float] = {}
        self.lost_answers = 0
        self.refusal: int | None = None
        """A status that every request is answered with, 0 for a closed connection; None for a well server."""
        self._broken: dict[str, tuple[str, str]] = {}
        self._running = asyncio.Event()
        self._answering = asyncio.Event()
        self.thaw()

    def freeze(self, *, answers: bool = False) -> None:
        """Stop whatever runs, where it is; with `answers` no request is answered either."""
        self._running.clear()
        if answers:
            self._answering.clear()

    def thaw(self) -> None:
        """Go on after `freeze`."""
        self._running.set()
        self._answering.set()

    async def thawed(self) -> None:
        """Wait while what runs is frozen."""
        await self._running.wait()

    async def answering(self) -> None:
        """Wait while answers are frozen."""
        await self._answering.wait()

    def break_node(self, class_type: str, message: str, exception_type: str) -> None:
        """From now on nodes of a class raise when they run."""
        self._broken[class_type] = message, exception_type

    def mend_nodes(self) -> None:
        """Nodes run as ever."""
        self._broken.clear()

    def check_node(self, class_type: str) -> None:
        """Raise what nodes of this class are to raise."""
        if class_type in self._broken:
            message, name = self._broken[class_type]
            kinds: Mapping[str, object] = vars(builtins)
            kind = kinds.get(name)
            raise (
                kind(message)
                if isinstance(kind, type) and issubclass(kind, Exception)
                else type(name, (RuntimeError,), {})(message)
            )

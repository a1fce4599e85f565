"""The queue and the history of ComfyUI's `execution.py` (`PromptQueue`): a heap, one running, all in memory."""

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

HISTORY_MOST = 10_000


@dataclass(order=True, slots=True)
class Item:
    """One prompt. Compares by number; `order` keeps equal numbers in the order of their arrival."""

    number: float
    order: int
    prompt_id: str = field(compare=False)
    prompt: dict[str, Any] = field(compare=False)
    extra_data: dict[str, Any] = field(compare=False)
    outputs: list[str] = field(compare=False)

    def listed(self) -> list[Any]:
        """As `/queue` and the history show it."""
        return [self.number, self.prompt_id, self.prompt, self.extra_data, self.outputs]


class PromptQueue:
    """`changed` is called after each change of what waits or runs."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._arrived = asyncio.Event()
        self._count = 0
        self.pending: list[Item] = []
        self.running: Item | None = None
        self.history: dict[str, dict[str, Any]] = {}

    @property
    def remaining(self) -> int:
        """How many wait or run."""
        return len(self.pending) + (self.running is not None)

    def put(
        self, number: float, prompt_id: str, prompt: dict[str, Any], extra_data: dict[str, Any], outputs: list[str]
    ) -> None:
        self._count += 1
        heapq.heappush(self.pending, Item(number, self._count, prompt_id, prompt, extra_data, outputs))
        self._arrived.set()
        self._changed()

    async def get(self) -> Item:
        """The next prompt, which is running from now on."""
        while not self.pending:
            self._arrived.clear()
            await self._arrived.wait()
        self.running = heapq.heappop(self.pending)
        self._changed()
        return self.running

    def done(self, item: Item, outputs: dict[str, Any], meta: dict[str, Any], status: dict[str, Any]) -> None:
        """Move the running prompt to the history: from here on it is there and no more in the queue."""
        self.running = None
        if len(self.history) >= HISTORY_MOST:
            self.history.pop(next(iter(self.history)))
        self.history[item.prompt_id] = {"prompt": item.listed(), "outputs": outputs, "status": status, "meta": meta}
        self._changed()

    def remove(self, prompt_id: str) -> bool:
        """Take one waiting prompt out. Nobody is told, and it leaves no history."""
        for item in self.pending:
            if item.prompt_id == prompt_id:
                self.pending.remove(item)
                heapq.heapify(self.pending)
                self._changed()
                return True
        return False

    def clear(self) -> None:
        """Take all waiting prompts out."""
        self.pending.clear()
        self._changed()

    def listed(self) -> dict[str, list[Any]]:
        """The answer of `GET /queue`; what waits is in the order of the heap, which is not that of the numbers."""
        running = [self.running.listed()] if self.running else []
        return {"queue_running": running, "queue_pending": [item.listed() for item in self.pending]}

    def past(self, most: int | None, offset: int) -> dict[str, Any]:
        """The answer of `GET /history`."""
        if offset < 0 and most is not None:
            offset = len(self.history) - most
        found: dict[str, Any] = {}
        for position, (prompt_id, entry) in enumerate(self.history.items()):
            if position >= offset:
                found[prompt_id] = entry
                if most is not None and len(found) >= most:
                    break
        return found

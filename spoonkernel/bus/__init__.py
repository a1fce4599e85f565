"""Events on their way to listeners: inside the process (`memory`), or over Redis between processes (`redis`).

An event is a hint that a row changed. Nothing is lost when one is missed: whoever needs to be sure reads the row.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from spoonkernel.types.events import Event


@dataclass(frozen=True, slots=True)
class Hint:
    """A word among engines that no socket ever hears: `cancel` says that the row of this task is gone."""

    kind: Literal["cancel"]
    task_id: str


class Bus(Protocol):
    """Publishing never waits for a listener and never fails. Listeners hear what is published while they listen."""

    @property
    def connected(self) -> bool:
        """Whether events reach other processes now; always so where there is nothing to reach."""
        ...

    @property
    def listeners(self) -> int:
        """How many subscriptions to events are open in this process."""
        ...

    async def publish(self, event: Event) -> None: ...

    def subscribe(self) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """Events from here on, each numbered by `seq`. A listener that falls behind loses the oldest ones.

        A gap in `seq` says that some were lost. The iterator ends when the bus closes.
        """
        ...

    async def hint(self, hint: Hint) -> None: ...

    def hints(self) -> AbstractAsyncContextManager[AsyncIterator[Hint]]: ...

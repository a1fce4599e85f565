"""What handles and panes need of a workbench. `spoonkernel.open()` returns a `LiveWorkbench`."""

from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

from spoonkernel.api import WorkbenchAPI
from spoonkernel.api.media import MediaAPI
from spoonkernel.types.events import AnyEvent

T = TypeVar("T")


class OpenWorkbench(WorkbenchAPI, Protocol):
    """A workbench on its own loop, embedded or remote."""

    @property
    def media(self) -> MediaAPI: ...

    def events(self) -> AbstractAsyncContextManager[AsyncIterator[AnyEvent]]: ...


class LiveWorkbench(Protocol):
    """A workbench whose loop runs in a thread of its own."""

    @property
    def inner(self) -> OpenWorkbench: ...

    def start(self, work: Coroutine[Any, Any, T], /) -> Future[T]:
        """Run a coroutine on the workbench's loop, from any thread. Raises `BadRequest` when it is closed."""
        ...

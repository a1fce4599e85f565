"""The workbench on its own event loop in its own thread: what a notebook holds.

In a notebook the kernel's loop stands still while a cell computes; work on a loop of its own goes on (in a busy cell of
3 s a widget got 20 of 20 updates, on the kernel's loop 0). Every method of a room here starts its work on that loop at
once and returns a `Call` (or, for streams, an async iterator); both can be awaited on any loop.
"""

import concurrent.futures
import functools
import inspect
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, Self, TypeVar

from pydantic import JsonValue

from spoonkernel.api import (
    ROOMS,
    ChatAPI,
    ComfyUIAPI,
    ConversationsAPI,
    DatabaseAPI,
    GenerationsAPI,
    HealthAPI,
    ModelsAPI,
    ProfilesAPI,
    ResultsAPI,
    SessionsAPI,
    SettingsAPI,
    TasksAPI,
    WorkflowsAPI,
    endpoints,
)
from spoonkernel.handles.call import Call
from spoonkernel.handles.generations import GenerationRun
from spoonkernel.handles.loop import CLOSE_TIMEOUT_S, Portal, Source, Stream
from spoonkernel.handles.opened import OpenWorkbench
from spoonkernel.handles.panes import show_workbench
from spoonkernel.handles.replies import Reply
from spoonkernel.handles.starting import Question, Runs
from spoonkernel.handles.tasks import TaskRun
from spoonkernel.types.base import ChatProviderName, Media, MediaType, ProviderName
from spoonkernel.types.events import AnyEvent
from spoonkernel.types.generations import Generation
from spoonkernel.types.sessions import Session
from spoonkernel.types.tasks import Task
from spoonkernel.types.workflows import WorkflowSummary

__all__ = ["Call", "OpenWorkbench", "Portal", "PortalWorkbench", "Stream"]

T = TypeVar("T")
OPEN_TIMEOUT_S = 60.0


class PortalWorkbench:
    """What `spoonkernel.open()` returns: the rooms of `WorkbenchAPI`, whose methods run on the workbench's own loop."""

    health: HealthAPI
    models: ModelsAPI
    settings: SettingsAPI
    profiles: ProfilesAPI
    chat: ChatAPI
    tasks: TasksAPI
    results: ResultsAPI
    comfyui: ComfyUIAPI
    sessions: SessionsAPI
    workflows: WorkflowsAPI
    generations: GenerationsAPI
    conversations: ConversationsAPI
    database: DatabaseAPI

    def __init__(self, opening: AbstractAsyncContextManager[OpenWorkbench]) -> None:
        """Opens the workbench, blocking until it is ready: about 0.1 s embedded, 0.5 s on the very first start."""
        self._portal = Portal()
        self._runs = Runs()
        try:
            self.inner = self._portal.start(opening.__aenter__()).result(OPEN_TIMEOUT_S)
        except BaseException:
            self._portal.stop()
            raise
        for name, api in ROOMS.items():
            setattr(self, name, _room(self._portal, name, api, getattr(self.inner, name)))
        self.media = PortalMedia(self._portal, self.inner)
        self.opened_at = time.monotonic()
        self._closing = weakref.finalize(self, _shut, self._portal, opening)
        _before_threads_end(self._closing)

    @property
    def is_open(self) -> bool:
        """Whether it can be used: `close` was not called."""
        return self._closing.alive

    def start(self, work: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
        """Run a coroutine on the workbench's loop, from any thread. It may use `inner`, the plain workbench."""
        return self._portal.start(work)

    def generate(
        self,
        prompt: str,
        session: str | Session | None = None,
        workflow: str | WorkflowSummary | None = None,
        negative: str | None = None,
        **parameters: JsonValue,
    ) -> GenerationRun:
        """Generate with ComfyUI. Starts at once; await the handle, show it, or go on meanwhile.

        Args:
            session: an id or a title; a title that no session has makes one. A session remembers its last parameters.
                Without one, runs go into a session of this notebook that remembers nothing.
            workflow: an id or a name; without one the session's current workflow, else the profile's default.
            parameters: `width`, `steps`, `cfg_scale`, `seed`, ... as in `sessions.generate`; exact addresses of inputs
                as `**{"3.denoise": 0.5}`.
        """

        async def begin(inner: OpenWorkbench) -> Generation:
            return await self._runs.submit(
                inner, prompt, session=session, workflow=workflow, negative=negative, parameters=parameters
            )

        return GenerationRun(self, begin)

    def ask(
        self,
        text: str,
        *,
        provider: ChatProviderName | None = None,
        model: str | None = None,
        system: str | None = None,
        profile_id: str | None = None,
        options: dict[str, JsonValue] | None = None,
    ) -> Reply:
        """Ask a model one question. Without a provider the first model that can chat answers, or the first that is
        called `model`."""
        return Reply(self, Question(text, provider, model, system, profile_id, options).begin)

    def run(
        self,
        *,
        name: str,
        type: MediaType,
        provider: ProviderName,
        prompt: str,
        options: dict[str, JsonValue] | None = None,
        idempotency_key: str | None = None,
    ) -> TaskRun:
        """Create a task and follow it: `tasks.create` with a handle."""

        async def begin(inner: OpenWorkbench) -> Task:
            return await inner.tasks.create(
                name=name, type=type, provider=provider, prompt=prompt, options=options, idempotency_key=idempotency_key
            )

        return TaskRun(self, begin)

    def workbench_ui(self) -> Any:
        """The whole workbench as one widget. Needs the `lab` extra."""
        return show_workbench(self)

    def events(self) -> Stream[AnyEvent]:
        """What happens to tasks, as it happens: `async with wb.events() as events: async for event in events`."""
        return Stream(self._portal, Source(self.inner.events()), "events")

    def close(self) -> None:
        """Stop what runs and close everything. Tasks that run go back to the queue of the store."""
        self._closing()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Spoon workbench {'open' if self.is_open else 'closed'}: {', '.join(ROOMS)}>"


class PortalMedia:
    """The files that the workbench keeps."""

    def __init__(self, portal: Portal, inner: OpenWorkbench) -> None:
        self._portal, self._inner = portal, inner

    def open(self, name: str) -> Call[Media]:
        """A file by its name or by the path in a row (`/storage/media/NAME`). Raises `NotFound`."""
        return Call(self._portal.start(self._inner.media.open(name)), "media.open")


class _Room:
    """One room as a notebook sees it; its methods keep the Protocol's names, signatures and docstrings."""

    def __init__(self, name: str, doc: str | None) -> None:
        self._name = name
        self.__doc__ = doc

    def __repr__(self) -> str:
        methods = ", ".join(name for name in vars(self) if not name.startswith("_"))
        return f"<Spoon {self._name}: {methods}>"


def _room(portal: Portal, name: str, api: type, room: object) -> Any:
    proxy = _Room(name, api.__doc__)
    for method in endpoints(api):
        setattr(proxy, method, _method(portal, f"{name}.{method}", vars(api)[method], getattr(room, method)))
    return proxy


def _method(portal: Portal, what: str, declared: Callable[..., Any], real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        if inspect.iscoroutinefunction(declared):
            return Call(portal.start(real(*args, **kwargs)), what)
        return Stream(portal, Source(aclosing(real(*args, **kwargs))), what)

    functools.update_wrapper(call, declared)
    call.__signature__ = _without_self(declared)  # type: ignore[attr-defined]  # read by inspect and by tab completion
    return call


def _without_self(method: Callable[..., Any]) -> inspect.Signature:
    signature = inspect.signature(method)
    return signature.replace(parameters=list(signature.parameters.values())[1:])


def _before_threads_end(close: Callable[[], Any]) -> None:
    """Have a script that closes nothing close in time: `atexit` runs when Python has shut its thread pools down, which
    closing needs, and would wait for ever. `concurrent.futures` registers its own end in the same way."""
    register = getattr(threading, "_register_atexit", None)
    if register is not None:
        register(close)


def _shut(portal: Portal, opened: AbstractAsyncContextManager[OpenWorkbench]) -> None:
    try:
        portal.start(opened.__aexit__(None, None, None)).result(CLOSE_TIMEOUT_S)
    finally:
        portal.stop()

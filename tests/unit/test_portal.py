"""The workbench on its own loop: what a notebook cell may do with it."""

import asyncio
import concurrent.futures
import gc
import inspect
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from spoonkernel.api import ROOMS, ChatAPI, endpoints
from spoonkernel.errors import BadRequest, NotFound
from spoonkernel.portal import PortalWorkbench
from spoonkernel.types.chat import Delta
from spoonkernel.types.events import Notification

WAIT_S = 5.0


class Script:
    """A workbench whose chat and events do what a test says, on whatever loop entered it."""

    def __init__(self) -> None:
        self.thread: threading.Thread | None = None
        self.stopped, self.closed = threading.Event(), threading.Event()
        self.cancelled = threading.Event()
        self.go_on: asyncio.Event | None = None
        scripted = {"stream": self.stream, "send": self.send, "get": self.get}
        for name, api in ROOMS.items():
            methods = {method: scripted.get(method) for method in endpoints(api)}
            setattr(self, name, SimpleNamespace(**methods))

    async def __aenter__(self) -> "Script":
        self.thread, self.go_on = threading.current_thread(), asyncio.Event()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.closed.set()

    async def stream(self, words: str = "one two three", *, wait: bool = False) -> AsyncIterator[Delta]:
        try:
            for word in words.split():
                yield Delta(text=word)
            if wait:
                await self.go_on.wait()
        finally:
            self.stopped.set()

    async def send(self, *, wait: bool = False) -> threading.Thread:
        try:
            if wait:
                await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return threading.current_thread()

    async def get(self, name: str) -> None:
        raise NotFound(f"Profile {name} not found")

    @asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[Notification]]:
        async def heard() -> AsyncIterator[Notification]:
            yield Notification(message="hello")

        yield heard()


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def wb(script):
    with PortalWorkbench(script) as workbench:
        yield workbench


async def test_work_runs_on_a_thread_of_its_own_and_can_be_awaited_anywhere(wb, script) -> None:
    assert await wb.chat.send() is script.thread is not threading.current_thread()
    assert await asyncio.to_thread(lambda: asyncio.run(_awaited(wb))) is script.thread


async def _awaited(wb):
    return await wb.chat.send()


def test_a_call_starts_at_once_and_answers_without_a_loop(wb, script) -> None:
    assert wb.chat.send().result(WAIT_S) is script.thread


async def test_errors_come_back_as_they_were_raised(wb) -> None:
    with pytest.raises(NotFound, match="Profile abc not found"):
        await wb.profiles.get("abc")


async def test_cancelling_the_cell_cancels_the_work(wb, script) -> None:
    cell = asyncio.ensure_future(_waiting(wb))
    await wb.chat.send()  # the portal has answered, so the other call has started too
    cell.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cell
    assert await asyncio.to_thread(script.cancelled.wait, WAIT_S)


async def _waiting(wb):
    await wb.chat.send(wait=True)


def test_a_call_can_be_cancelled_and_says_what_it_is(wb, script) -> None:
    call = wb.chat.send(wait=True)
    assert repr(call) == "<chat.send: running; await it for its answer>"
    assert call.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        call.result(WAIT_S)
    assert script.cancelled.wait(WAIT_S)
    assert call.done()


async def test_a_stream_yields_everything_in_order(wb, script) -> None:
    assert [delta.text async for delta in wb.chat.stream("a b c d")] == ["a", "b", "c", "d"]
    assert script.stopped.is_set()


async def test_closing_a_stream_stops_its_source(wb, script) -> None:
    stream = wb.chat.stream(wait=True)
    assert (await anext(stream)).text == "one"
    await stream.aclose()
    assert script.stopped.is_set()
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_a_stream_left_by_break_stops_its_source_once_forgotten(wb, script) -> None:
    async for _ in wb.chat.stream(wait=True):
        break
    gc.collect()
    assert await asyncio.to_thread(script.stopped.wait, WAIT_S)


async def test_cancelling_the_reader_of_a_stream_stops_its_source(wb, script) -> None:
    async def read() -> None:
        async for _ in wb.chat.stream("one", wait=True):
            pass

    reader = asyncio.ensure_future(read())
    await wb.chat.send()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert await asyncio.to_thread(script.stopped.wait, WAIT_S)


async def test_events_are_heard_from_the_moment_the_block_is_entered(wb) -> None:
    async with wb.events() as events:
        assert (await anext(events)).message == "hello"


async def test_widgets_may_run_anything_on_its_loop(wb, script) -> None:
    async def where() -> threading.Thread:
        assert wb.inner is script
        return threading.current_thread()

    assert wb.start(where()).result(WAIT_S) is script.thread


def test_methods_keep_the_names_signatures_and_words_of_the_protocols(wb) -> None:
    assert "Send a conversation" in (wb.chat.send.__doc__ or "")
    declared = list(inspect.signature(ChatAPI.send).parameters)[1:]
    assert list(inspect.signature(wb.chat.send).parameters) == declared
    assert repr(wb.tasks) == "<Spoon tasks: list, create, history, export, get, delete, retry>"
    assert "chat" in repr(wb)


def test_a_closed_workbench_says_so_and_closes_once(script) -> None:
    wb = PortalWorkbench(script)
    wb.close()
    wb.close()
    assert script.closed.is_set()
    assert not script.thread.is_alive()
    assert "closed" in repr(wb)
    with pytest.raises(BadRequest, match="closed"):
        wb.chat.send()


def test_a_forgotten_workbench_closes_itself(script) -> None:
    wb = PortalWorkbench(script)
    del wb
    gc.collect()
    assert script.closed.wait(WAIT_S)


def test_an_opening_that_fails_leaves_no_thread() -> None:
    class Broken(Script):
        async def __aenter__(self):
            self.thread = threading.current_thread()
            raise NotFound("no such folder")

    broken = Broken()
    with pytest.raises(NotFound):
        PortalWorkbench(broken)
    assert not broken.thread.is_alive()

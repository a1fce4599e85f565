"""Handles over a scripted workbench: what happens when events, rows or outputs do not come."""

import asyncio
import contextlib
import datetime
from importlib.metadata import EntryPoint

import pytest

from spoonkernel.errors import BadRequest, ProviderConnectionError, RunFailed, StoreUnavailable
from spoonkernel.handles import GenerationRun, Reply, panes, watching
from spoonkernel.handles.line import status_line
from spoonkernel.portal import Portal
from spoonkernel.types.chat import Delta
from spoonkernel.types.generations import Generation

NOW = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)


def row(status, **more):
    fields = {"id": "g1", "session_id": "s1", "prompt_id": "p1", "prompt_text": "fox", "created_at": NOW}
    return Generation(status=status, **fields | more)


class Inner:
    """Rows as a test wrote them down; an error among them is raised. It has no events."""

    def __init__(self, *script):
        self.script, self.generations, self.cancelled = list(script), self, []

    @contextlib.asynccontextmanager
    async def events(self):
        raise BadRequest("no Socket.IO client")
        yield

    async def begin(self, inner):
        return await self.get("g1")

    async def get(self, id_):
        found = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(found, Exception):
            raise found
        return found

    async def cancel(self, id_):
        self.cancelled.append(id_)
        return row("failed", error="Cancelled")


class Live:
    def __init__(self, inner):
        self.inner, self.portal = inner, Portal()
        self.start = self.portal.start


@pytest.fixture
def live(monkeypatch):
    """Makes a live workbench of a script; rows are looked at without a pause."""
    monkeypatch.setattr(watching, "DEAF_LOOK_S", 0.001)
    monkeypatch.setattr(watching, "LOOK_S", 0.001)
    made = []

    def make(*script):
        made.append(Live(Inner(*script)))
        return made[-1]

    yield make
    for one in made:
        one.portal.stop()


async def test_rows_are_enough_where_no_event_can_be_heard(live):
    wb = live(row("pending"), row("running", progress=0.5, started_at=NOW), row("complete"))
    assert (await GenerationRun(wb, wb.inner.begin)).status == "complete"


async def test_a_store_that_is_away_for_a_while_does_not_end_a_run(live):
    away = [StoreUnavailable("The database cannot be reached"), ProviderConnectionError("Is it running?")]
    wb = live(row("pending"), *away * 5, row("complete"))
    assert (await GenerationRun(wb, wb.inner.begin)).status == "complete"


async def test_one_that_stays_away_does(live, monkeypatch):
    monkeypatch.setattr(watching, "PATIENCE_S", 0.01)
    wb = live(row("pending"), StoreUnavailable("The database cannot be reached"))
    run = GenerationRun(wb, wb.inner.begin)
    with pytest.raises(StoreUnavailable):
        await run
    assert run.status == "failed"


async def test_progress_never_goes_back(live):
    started = {"started_at": NOW}
    wb = live(row("pending"), row("running", progress=0.5, **started), row("running", progress=0.2), row("running"))
    run = GenerationRun(wb, wb.inner.begin)
    async with asyncio.timeout(5):
        while len(wb.inner.script) > 1:
            await asyncio.sleep(0)
    assert (run.status, run.progress) == ("running", 0.5)
    run.cancel()
    with pytest.raises(RunFailed, match="Cancelled"):
        await run
    assert wb.inner.cancelled == ["g1"]


async def test_what_breaks_inside_is_raised_and_not_waited_for_ever(live):
    wb = live(ZeroDivisionError("inside"))
    run = GenerationRun(wb, wb.inner.begin)
    with pytest.raises(ZeroDivisionError):
        await run
    with pytest.raises(ZeroDivisionError):
        async for _ in run:
            pass
    assert run.status == "failed"


async def test_cancelling_a_run_of_before_stops_that_one_even_at_once(live):
    wb = live(row("running"))
    run = GenerationRun(wb, "g1")
    run.cancel()
    with pytest.raises(RunFailed):
        await run
    assert wb.inner.cancelled == ["g1"]


async def test_a_late_reader_of_an_answer_gets_all_of_it_in_one_piece(live):
    async def begin(inner):
        async def deltas():
            for text in ("a", "", "b", "c"):
                yield Delta(text=text)
            yield Delta(finish_reason="stop", model="m")

        return "local", deltas()

    reply = Reply(live(), begin)
    assert (await reply).model == "m"
    assert [piece async for piece in reply] == ["abc"]


def test_a_line_escapes_its_words():
    line = status_line("<b>", progress=0.256, note="<script>")
    assert "<strong>&lt;b&gt;</strong>" in line
    assert "<script>" not in line
    assert 'value="0.256"' in line
    assert "26%" in line


def test_the_panes_come_through_an_entry_point(monkeypatch):
    found = [EntryPoint("workbench", "builtins:repr", panes.GROUP)]
    monkeypatch.setattr(panes, "entry_points", lambda **_: found)
    assert panes.show_workbench("wb") == "'wb'"
    found[:] = [EntryPoint("workbench", "no_such_package:x", panes.GROUP)]
    for _ in range(2):
        with pytest.raises(BadRequest, match=r"spoon-workbench\[lab\]"):
            panes.show_workbench("wb")
        found.clear()

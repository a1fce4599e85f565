"""The tasks pane's Python half: rows are re-read, events are only hints."""

import asyncio

import pytest

from spoonkernel.errors import NotFound
from spoonwidgets import Tasks
from spoonwidgets import tasks as module


def rows(view, task_id):
    return [row for event in view.events for row in event["data"]["tasks"] if row["id"] == task_id]


async def finished(call):
    return await call


async def test_wait_returns_when_every_task_has_ended(bench):
    room = bench.inner.tasks
    pane = Tasks(bench, [room.add("one"), room.add("two")])
    waiting = pane.wait()
    room.move("one", status="failed", error="no")
    room.move("two", status="complete")
    bench.inner.results.add("two", "the answer")
    room.progress("two", 1.0)
    ended = await asyncio.wait_for(finished(waiting), 5)
    assert [(task.name, task.status) for task in ended] == [("one", "failed"), ("two", "complete")]
    assert repr(pane) == "<Tasks, 2 of 2 ended>"


async def test_missed_events_are_made_up_for_by_reading_again(bench, monkeypatch):
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    room = bench.inner.tasks
    pane = Tasks(bench, [room.add("one")])
    room.move("one", status="complete")  # nobody says so
    assert (await asyncio.wait_for(finished(pane.wait()), 5))[0].status == "complete"


def test_page_sees_progress_from_events_and_results_from_rows(bench, page):
    room = bench.inner.tasks
    view = page(Tasks(bench, [room.add("one")]))
    view.call("hello")
    room.move("one", status="running")
    room.progress("one", 0.25)
    view.until(lambda: any(row["progress"] == 0.25 for row in rows(view, "one")))
    bench.inner.results.add("one", "x" * 5_000)
    room.move("one", status="complete")
    room.progress("one", 1.0)
    view.until(lambda: any(row["results"] for row in rows(view, "one")))
    [result] = rows(view, "one")[-1]["results"]
    assert result["cut"]
    assert len(result["text"]) == 2_000
    assert result["seed"] == "9223372036854775808"  # above 2^53 a number would lose its end in JSON


def test_images_are_handed_out_only_for_these_tasks(bench, page):
    room = bench.inner.tasks
    room.add("other")
    mine = bench.inner.results.add("one", "a.png", type="image", file=b"PNG")
    view = page(Tasks(bench, [room.add("one")]))
    room.move("one", status="complete")
    view.until(lambda: any(row["results"] for row in rows(view, "one")))
    assert view.call("media", id=mine.id) == b"PNG"
    theirs = bench.inner.results.add("other", "b.png", type="image", file=b"NO")
    assert "NOT_FOUND" in view.refused("media", id=theirs.id)


def test_cancel_asks_the_workbench_and_keeps_the_row(bench, page):
    room = bench.inner.tasks
    view = page(Tasks(bench, [room.add("one"), room.add("two")]))
    view.call("hello")
    view.until(lambda: rows(view, "two"))
    view.call("cancel", id="one")
    view.until(lambda: any(row["status"] == "gone" for row in rows(view, "one")))
    assert list(room.rows) == ["two"]
    assert "not in this list" in view.refused("cancel", id="nobody")


def test_retry_watches_again(bench, page):
    room = bench.inner.tasks
    room.add("one")
    room.move("one", status="failed", error="no")
    pane = Tasks(bench, ["one"])
    view = page(pane)
    pane.wait().result(5)
    view.call("retry", id="one")
    waiting = pane.wait()
    room.move("one", status="complete", error=None)
    room.progress("one", 1.0)
    assert waiting.result(5)[0].status == "complete"


async def test_unknown_task_is_told_to_whoever_waits(bench):
    with pytest.raises(NotFound, match="Task nobody not found"):
        await Tasks(bench, ["nobody"]).wait()


def test_saved_copy_is_a_table_with_everything_escaped(bench):
    room = bench.inner.tasks
    room.add("a <b>")
    bench.inner.results.add("a <b>", "<i>text</i>")
    room.move("a <b>", status="complete")
    pane = Tasks(bench, list(room.rows.values()))
    pane.wait().result(5)
    html, text = pane.saved()
    assert "<td>a &lt;b&gt;</td><td>complete</td><td>&lt;i&gt;text&lt;/i&gt;</td>" in html
    assert text == "a <b> | complete | <i>text</i>"

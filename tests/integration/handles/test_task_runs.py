"""Tasks as a notebook holds them."""

import asyncio
import json

import pytest

from spoonkernel.errors import BadRequest, NotFound, RunFailed
from spoonkernel.handles import TaskRun
from spoonkernel.testing.upstream import STALL
from spoonkernel.types.events import TaskCompleted, TaskCreated, TaskFailed, TaskStarted

CHAT = "/api/chat"
DONE = json.dumps({"model": "m", "message": {"content": "Owls."}, "done": True, "done_reason": "stop"}).encode() + b"\n"


@pytest.fixture
def asked(wb):
    return lambda **more: wb.run(
        name="birds", type="text", provider="ollama", prompt="Which birds?", options={"model": "m"}, **more
    )


async def test_is_awaited_for_its_row_and_has_its_results(asked, wb, upstream):
    upstream.reply(CHAT, chunks=[DONE])
    run = asked()
    heard = [type(event) async for event in run]
    task = await run
    assert (task.status, task.name, run.id, run.status, run.progress) == ("complete", "birds", task.id, "complete", 1.0)
    assert [result.content for result in run.results] == ["Owls."]
    assert (heard[0], heard[-1]) == (TaskCreated, TaskCompleted)
    assert [type(event) async for event in run][-1] is TaskCompleted
    assert await TaskRun(wb, task.id) == task


async def test_cancelling_deletes_the_task_and_hangs_up(asked, wb, upstream):
    upstream.reply(CHAT, chunks=[STALL])
    run = asked()
    async for event in run:
        if isinstance(event, TaskStarted):
            break
    await upstream.received()
    run.cancel()
    await upstream.closed()
    with pytest.raises(RunFailed, match="Cancelled") as failed:
        await run
    assert (failed.value.row.id, run.status) == (run.id, "cancelled")
    with pytest.raises(NotFound):
        await wb.tasks.get(run.id)
    assert [type(event) async for event in run][-1] is TaskFailed


async def test_one_that_had_ended_keeps_its_results_when_it_is_cancelled(embedded, upstream):
    upstream.reply(CHAT, chunks=[DONE])
    run = embedded.run(name="birds", type="text", provider="ollama", prompt="Which?", options={"model": "m"})
    await run
    late = TaskRun(embedded, run.id)
    late.cancel()
    assert (await late).status == "complete"
    assert len(await embedded.results.list(task_id=run.id)) == 1


async def test_a_failed_one_raises_what_its_row_says(asked, upstream):
    upstream.reply(CHAT, status=404, body=b'{"error": "model \'m\' not found"}')
    run = asked()
    with pytest.raises(RunFailed, match="not found") as failed:
        await run
    assert failed.value.message == failed.value.row.error
    assert "not found" in repr(run)


async def test_what_cannot_be_made_is_refused(embedded):
    run = embedded.run(name="film", type="video", provider="ollama", prompt="x")
    with pytest.raises(BadRequest, match="ollama cannot make video"):
        await run
    with pytest.raises(BadRequest):
        await asyncio.to_thread(run.result)

"""Generations as a notebook holds them."""

import asyncio

import pytest

from spoonkernel.errors import NotFound, RunFailed, ValidationFailed
from spoonkernel.handles import GenerationRun
from spoonkernel.portal import Portal
from spoonkernel.types.events import (
    GenerationCompleted,
    GenerationCreated,
    GenerationFailed,
    GenerationProgress,
    GenerationStarted,
)

SMALL = {"width": 64, "height": 64, "steps": 4}
PATIENCE_S = 10.0


async def until(condition):
    """Wait for something at the simulation, which has no event for it."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)  # it lives on another loop


async def kinds(run):
    return [type(event) async for event in run]


async def test_is_awaited_as_often_as_one_likes_on_any_loop(wb):
    run = wb.generate("a lighthouse", **SMALL)
    row = await run
    assert (row.status, row.prompt_text, row.steps) == ("complete", "a lighthouse", 4)
    assert await run == await asyncio.to_thread(lambda: asyncio.run(_awaited(run))) == run.result() == row
    assert (run.status, run.progress, run.id, run.done(), run.row) == ("complete", 1.0, row.id, True, row)
    assert repr(run) == f"<GenerationRun {row.id}: complete>"
    assert (await wb.media.open(row.outputs[0].thumbnail)).content_type == "image/webp"


async def _awaited(run):
    return await run


async def test_two_readers_at_once_hear_everything_and_end(wb, sim):
    sim.freeze()
    run = wb.generate("a lighthouse", **SMALL)
    both = [asyncio.create_task(kinds(run)), asyncio.create_task(kinds(run))]
    await until(lambda: run.id is not None and sim.queue.running)
    sim.thaw()
    for heard in await asyncio.gather(*both):
        assert heard[0] is GenerationCreated
        assert heard[-1] is GenerationCompleted
        assert heard.count(GenerationCreated) == heard.count(GenerationCompleted) == 1
        assert {GenerationStarted, GenerationProgress} <= set(heard)


async def test_who_comes_late_hears_where_things_stand(wb, sim):
    sim.seconds_per_step = 60
    run = wb.generate("a lighthouse", **SMALL)
    async for event in run:
        if isinstance(event, GenerationProgress) and event.progress > 0.5:
            break
    late = []
    async for event in run:
        late.append(event)
        if isinstance(event, GenerationProgress):
            break
    assert [type(event) for event in late] == [GenerationCreated, GenerationStarted, GenerationProgress]
    assert (run.status, run.progress) == ("running", late[-1].progress)
    assert f"running {run.progress:.0%}" in repr(run)
    run.cancel()
    with pytest.raises(RunFailed):
        await run
    assert await kinds(run) == [GenerationCreated, GenerationStarted, GenerationProgress, GenerationFailed]


async def test_cancelling_stops_it_in_comfyui(wb, sim):
    sim.seconds_per_step = 0.05
    run = wb.generate("a lighthouse", **SMALL | {"steps": 1_000})
    await until(lambda: run.status == "running")
    assert run.cancel()
    with pytest.raises(RunFailed, match=r"^Cancelled$") as failed:
        await run
    assert (failed.value.row.id, failed.value.row.status) == (run.id, "failed")
    assert (run.status, run.cancel()) == ("cancelled", False)
    await until(lambda: sim.queue.running is None)
    assert (await wb.generations.get(run.id)).error == "Cancelled"


async def test_cancelling_who_awaits_it_stops_it_and_a_shield_does_not(embedded, sim):
    sim.seconds_per_step = 0.05
    run = embedded.generate("a lighthouse", **SMALL | {"steps": 1_000})
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(run), 0.3)
    with pytest.raises(TimeoutError):
        await asyncio.to_thread(run.result, 0.05)
    assert run.status == "running"
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(run, 0.05)
    await until(lambda: sim.queue.running is None)
    with pytest.raises(RunFailed, match="Cancelled"):
        await run


async def test_one_that_is_cancelled_while_it_is_submitted_does_not_run_on(embedded, sim):
    await embedded.comfyui.options()
    sim.freeze(answers=True)
    run = embedded.generate("a lighthouse", **SMALL | {"steps": 1_000})
    assert run.cancel()
    sim.thaw()
    with pytest.raises(RunFailed, match="Cancelled"):
        await run
    await until(lambda: sim.queue.remaining == 0)
    assert [row.status for row in await embedded.generations.list()] == (["failed"] if run.id else [])


async def test_a_failed_one_raises_what_its_row_says_and_brings_the_row(wb, sim):
    sim.break_node("KSampler", "the tensor was too long")
    run = wb.generate("a lighthouse", **SMALL)
    heard = [event async for event in run]
    with pytest.raises(RunFailed, match="the tensor was too long") as failed:
        await run
    assert failed.value.message == failed.value.row.error == heard[-1].error
    assert isinstance(heard[-1], GenerationFailed)
    assert "failed, " in repr(run)
    assert "the tensor was too long" in repr(run)


async def test_one_that_is_refused_raises_it_wherever_one_looks(embedded):
    run = embedded.generate("a lighthouse", steps="many")
    for look in (_awaited, kinds):
        with pytest.raises(ValidationFailed, match="steps: 'many' is not allowed"):
            await look(run)
    with pytest.raises(ValidationFailed):
        run.result()
    assert (run.status, run.id, run.row) == ("failed", None, None)


async def test_one_that_was_deleted_ends(embedded, sim):
    sim.seconds_per_step = 0.05
    run = embedded.generate("a lighthouse", **SMALL | {"steps": 1_000})
    await until(lambda: run.status == "running")
    await embedded.generations.delete(run.id)
    with pytest.raises(RunFailed, match=r"Cancelled|was deleted"):
        await run


async def test_closing_the_workbench_ends_the_handle_and_leaves_comfyui_alone(embedded, sim):
    sim.seconds_per_step = 0.05
    run = embedded.generate("a lighthouse", **SMALL | {"steps": 1_000})
    await until(lambda: run.status == "running")
    waiting, reading = asyncio.create_task(_awaited(run)), asyncio.create_task(kinds(run))
    await asyncio.to_thread(embedded.close)
    for task in (waiting, reading):
        with pytest.raises(RunFailed, match="The workbench was closed before it ended"):
            await task
    assert sim.queue.running is not None
    assert run.cancel() is False


async def test_result_on_the_loop_that_does_the_work_says_so(embedded, sim):
    sim.freeze()
    run = embedded.generate("a lighthouse", **SMALL)
    await until(lambda: run.id is not None)

    async def block():
        return run.result()

    with pytest.raises(Exception, match="await the handle here"):
        await asyncio.wrap_future(embedded.start(block()))
    sim.thaw()
    await run


async def test_a_row_of_before_can_be_followed_again(embedded):
    row = await embedded.generate("a lighthouse", **SMALL)
    again = GenerationRun(embedded, row.id)
    assert await again == await GenerationRun(embedded, row) == row
    assert await kinds(again) == [GenerationCreated, GenerationCompleted]


async def test_sessions_and_workflows_go_by_name_or_id(wb):
    workflow = next(one for one in await wb.workflows.list() if one.is_default)
    first = await wb.generate("one", session="Foxes", workflow=workflow.name, negative="blurry", **SMALL)
    assert (first.workflow_id, first.negative_prompt) == (workflow.id, "blurry")
    titled = await wb.generate("two", session="Foxes")
    by_id = await wb.generate("three", session=first.session_id, workflow=workflow.id)
    assert first.session_id == titled.session_id == by_id.session_id
    assert (titled.width, titled.steps) == (64, 4)  # a session remembers
    with pytest.raises(NotFound, match=f"No workflow is called 'nothing'. There are: .*{workflow.name}"):
        await wb.generate("four", workflow="nothing")
    with pytest.raises(NotFound, match="Session 01a206ff-b834-7cb2-87fe-b41c5799e919 not found"):
        await wb.generate("five", session="01a206ff-b834-7cb2-87fe-b41c5799e919")


async def test_without_a_session_a_run_owes_nothing_to_the_one_before(embedded):
    before, after = await embedded.generate("one", **SMALL), await embedded.generate("two", width=64, height=64)
    assert before.session_id == after.session_id
    assert (before.steps, after.steps) == (4, (await embedded.generate("three", width=64, height=64)).steps)
    assert after.steps != 4
    await embedded.sessions.delete(before.session_id)
    assert (await embedded.generate("four", **SMALL)).session_id != before.session_id


async def test_many_at_once_each_get_their_own(wb):
    runs = [wb.generate(f"fox {number}", seed=number, **SMALL) for number in range(12)]
    assert [row.seed for row in await asyncio.gather(*runs)] == list(range(12))


def test_a_closed_portal_is_told_at_once(tmp_path):
    class Closed:
        inner = None
        portal = Portal()

        def start(self, work):
            return self.portal.start(work)

    closed = Closed()
    closed.portal.stop()
    with pytest.raises(Exception, match="This workbench is closed"):
        GenerationRun(closed, "some id")

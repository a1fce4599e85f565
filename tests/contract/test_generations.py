"""Generations: read, awaited, listened to, stopped, deleted, run again and compared."""

import asyncio
import time

import pytest

from comfy_graphs import graph
from spoonkernel.errors import Conflict, NotFound, ValidationFailed
from spoonkernel.types.events import (
    GenerationCompleted,
    GenerationCreated,
    GenerationFailed,
    GenerationPreview,
    GenerationProgress,
    GenerationStarted,
)

PATIENCE_S = 20.0


async def heard_until(events, last, generation_id):
    """The events of a generation, up to the first one of the kind `last`."""
    heard = []
    async with asyncio.timeout(PATIENCE_S):
        async for event in events:
            mine = event.generation.id if isinstance(event, GenerationCreated) else event.generation_id
            if mine == generation_id:
                heard.append(event)
                if isinstance(event, last):
                    return heard
    raise AssertionError("the events ended before the generation did")


async def test_a_run_is_told_from_its_row_to_its_outputs(workbench, session, generate, sim):
    sim.freeze()
    async with workbench.events() as events:
        row = await generate()
        sim.thaw()
        created, *heard = await heard_until(events, GenerationCompleted, row.id)
    assert isinstance(created, GenerationCreated)
    assert (created.generation.id, created.generation.status, created.generation.seed) == (row.id, "pending", row.seed)
    [started] = [one for one in heard if isinstance(one, GenerationStarted)]
    assert (started.prompt_id, started.session_id) == (row.prompt_id, session.id)
    progress = [one for one in heard if isinstance(one, GenerationProgress)]
    assert progress
    assert all(0 <= one.progress <= 1 and one.node for one in progress)
    assert [one.progress for one in progress] == sorted(one.progress for one in progress)
    for preview in (one for one in heard if isinstance(one, GenerationPreview)):
        assert preview.content_type in {"image/jpeg", "image/png"}
    done = await workbench.generations.get(row.id)
    assert done.status == "complete"  # the event follows the commit
    assert heard[-1].outputs == done.outputs
    assert [one.seq for one in [created, *heard]] == sorted({one.seq for one in [created, *heard]})


async def test_a_run_that_breaks_is_told_with_the_words_of_comfyui(workbench, generate, sim):
    sim.break_node("VAEDecode", "expected 4 channels", "ValueError")
    async with workbench.events() as events:
        row = await generate()
        *_, failed = await heard_until(events, GenerationFailed, row.id)
    done = await workbench.generations.get(row.id)
    assert (done.status, done.error, done.outputs) == ("failed", failed.error, [])
    for part in ("VAEDecode", "8", "expected 4 channels"):
        assert part in failed.error


async def test_an_answer_waits_for_the_end_and_no_longer_than_asked(workbench, generate, sim):
    sim.freeze()
    row = await generate()
    began = time.monotonic()
    assert (await workbench.generations.get(row.id, wait_s=0.3)).status == "running"
    assert 0.25 < time.monotonic() - began < 5
    waiting = asyncio.create_task(workbench.generations.get(row.id, wait_s=30))
    sim.thaw()
    async with asyncio.timeout(PATIENCE_S):
        assert (await waiting).status == "complete"
    for wait_s in (-1, 61):
        with pytest.raises(ValidationFailed, match="waitS"):
            await workbench.generations.get(row.id, wait_s=wait_s)


async def test_generations_are_listed_newest_first_and_filters_combine(workbench, session, workflow, generate, sim):
    rows = [await workbench.generations.get((await generate()).id, wait_s=20) for _ in range(2)]
    sim.freeze()
    running = await generate()
    other = await workbench.sessions.create(title="Other")
    theirs = await workbench.sessions.generate(other.id, prompt_text="a cat", workflow_id=workflow.id)
    room = workbench.generations

    async def ids(**filters):
        return [row.id for row in await room.list(**filters)]

    assert await ids() == [theirs.id, running.id, rows[1].id, rows[0].id]
    assert await ids(session_id=session.id) == [running.id, rows[1].id, rows[0].id]
    assert await ids(session_id=session.id, status="complete") == [rows[1].id, rows[0].id]
    assert await ids(workflow_id=workflow.id, status="failed") == []
    assert await ids(limit=1, offset=1) == [running.id]
    assert await ids(session_id="abc123") == []
    with pytest.raises(ValidationFailed, match="limit"):
        await room.list(limit=0)
    with pytest.raises(ValidationFailed, match="status"):
        await room.list(status="sleeping")


@pytest.mark.parametrize("generation_id", ["abc123", "00000000-0000-4000-8000-000000000000"])
async def test_a_missing_generation_is_named(workbench, comfy, generation_id):
    room = workbench.generations
    asked = (
        *(room.get, room.workflow, room.delete, room.cancel, room.reproduce),
        *(lambda one: room.diff(one, one), lambda one: room.remake(one, index=0)),
    )
    for ask in asked:
        with pytest.raises(NotFound, match=f"Generation {generation_id} not found"):
            await ask(generation_id)


async def test_the_snapshot_is_the_graph_that_was_submitted(workbench, generate, sim):
    sim.freeze()
    row = await generate(prompt_text="a blue fox", parameters={"seed": 7, "steps": 2})
    snapshot = await workbench.generations.workflow(row.id)
    assert (snapshot.generation_id, snapshot.prompt_text, snapshot.negative_prompt) == (row.id, "a blue fox", "blurry")
    assert snapshot.parameters == row.parameters
    listed = sim.queue.listed()
    [(_, prompt_id, submitted, _, _)] = listed["queue_running"] + listed["queue_pending"]
    assert prompt_id == row.prompt_id
    assert snapshot.workflow_json == submitted
    assert {key: node["inputs"] for key, node in submitted.items() if key in "356"} == {
        key: node["inputs"] | more
        for (key, node), more in zip(
            ((key, graph()[key]) for key in "356"), ({"seed": 7, "steps": 2}, {}, {"text": "a blue fox"}), strict=True
        )
    }


async def test_the_same_run_again_is_cached_and_says_so(finished):
    first = await finished(parameters={"seed": 7})
    again = await finished(parameters={"seed": 7})
    assert (first.cached, again.cached, again.status) == (False, True, "complete")
    assert [one.filename for one in again.outputs] == [one.filename for one in first.outputs]


async def test_a_deleted_generation_takes_our_copies_of_its_files(workbench, session, finished):
    done = await finished()
    [output] = done.outputs
    for path in (output.content, output.thumbnail):
        assert (await workbench.media.open(path)).content
    await workbench.generations.delete(done.id)
    for path in (output.content, output.thumbnail):
        with pytest.raises(NotFound):
            await workbench.media.open(path)
    assert (await workbench.sessions.get(session.id)).generation_count == 0


async def test_cancelling_stops_that_run_and_no_other(workbench, generate, sim):
    sim.freeze()
    running, waiting, other = [await generate() for _ in range(3)]
    for row in (waiting, running):
        stopped = await workbench.generations.cancel(row.id)
        assert (stopped.id, stopped.status) == (row.id, "failed")
        assert "Cancelled" in stopped.error
    sim.thaw()
    assert (await workbench.generations.get(other.id, wait_s=20)).status == "complete"
    assert sim.executed == [running.prompt_id, other.prompt_id]
    assert (await workbench.generations.get(running.id)).status == "failed"
    with pytest.raises(Conflict):
        await workbench.generations.cancel(other.id)


async def test_deleting_a_run_stops_it(workbench, generate, sim):
    sim.freeze()
    running, waiting = await generate(), await generate()
    await workbench.generations.delete(waiting.id)
    await workbench.generations.delete(running.id)
    sim.thaw()
    assert (await workbench.generations.get((await generate()).id, wait_s=20)).status == "complete"
    assert waiting.prompt_id not in sim.executed


async def test_a_reproduction_comes_out_identical_and_is_a_run_of_its_own(workbench, finished):
    done = await finished(parameters={"batch_size": 2})
    again = await workbench.generations.reproduce(done.id)
    assert (again.verdict, again.diff.verdict) == ("IDENTICAL", "IDENTICAL")
    assert (again.generation.reproduces, again.generation.status) == (done.id, "complete")
    assert again.generation.id != done.id
    assert (again.generation.cached, again.generation.seed) == (False, done.seed)
    assert [one.verdict for one in again.diff.images] == ["IDENTICAL", "IDENTICAL"]
    assert [one.pixel_sha256 for one in again.generation.outputs] == [one.pixel_sha256 for one in done.outputs]
    assert again.summary


async def test_a_reproduction_with_other_weights_is_not_identical(workbench, finished, sim):
    done = await finished()
    await sim.restart()  # nothing is cached any more
    sim.model_bytes["tiny_sd15.safetensors"] = b"other weights"
    again = await workbench.generations.reproduce(done.id)
    assert again.verdict != "IDENTICAL"


async def test_what_made_no_picture_cannot_be_reproduced(workbench, finished, sim):
    sim.break_node("KSampler")
    failed = await finished()
    with pytest.raises(Conflict):
        await workbench.generations.reproduce(failed.id)


async def test_a_diff_names_what_changed(workbench, finished):
    first = await finished(parameters={"seed": 7, "cfg_scale": 7})
    second = await finished(parameters={"seed": 8, "cfg_scale": 7.5}, prompt_text="a blue fox")
    diff = await workbench.generations.diff(first.id, second.id)
    assert (diff.generation_id, diff.other_id, diff.verdict) == (first.id, second.id, "DIFFERENT")
    changes = {(one.what, one.name): (one.before, one.after) for one in diff.changes}
    by_what = {what for what, _ in changes}
    assert {"seed", "prompt", "parameter"} <= by_what
    assert (7, 8) in changes.values()
    assert ("a red fox", "a blue fox") in changes.values()
    same = await workbench.generations.diff(first.id, first.id)
    assert (same.verdict, same.changes) == ("IDENTICAL", [])


async def test_one_image_of_a_batch_is_made_alone_from_the_same_noise(workbench, finished):
    batch = await finished(parameters={"batch_size": 3})
    row = await workbench.generations.remake(batch.id, index=2)
    assert (row.reproduces, row.batch_index, row.status) == (batch.id, 2, "running")
    alone = await workbench.generations.get(row.id, wait_s=20)
    [output] = alone.outputs
    assert output.pixel_sha256 == batch.outputs[2].pixel_sha256
    with pytest.raises(ValidationFailed, match="index"):
        await workbench.generations.remake(batch.id, index=3)
    with pytest.raises(ValidationFailed, match="index"):
        await workbench.generations.remake(batch.id, index=-1)

"""Tasks of provider comfyui: ordinary generations behind tasks, submitted once whatever happens to the worker."""

import pytest

from comfy_graphs import graph
from comfy_rig import bench, node
from engine_rig import until
from spoonkernel.types.events import TaskProgress

ALL_KINDS = graph() | {
    "20": node("EmptyAudio", duration=1.0, sample_rate=8000, channels=1),
    "21": node("SaveAudio", audio=["20", 0], filename_prefix="audio/a"),
    "29": node("EmptyImage", width=16, height=16, batch_size=2, color=7),
    "30": node("CreateVideo", images=["29", 0], fps=8.0),
    "31": node("SaveVideo", video=["30", 0], filename_prefix="video/v", format="auto", codec="auto"),
}
"""A picture, a sound and a film."""


async def task(spoon, workflow=None, kind="image", **options):
    if workflow is not None:
        room = spoon.workbench.workflows
        made = await room.create(name="W", profile_id=spoon.session.profile_id, workflow_json=workflow)
        options["workflow_id"] = made.id
    return await spoon.workbench.tasks.create(name="t", type=kind, provider="comfyui", prompt="a cat", options=options)


async def done(spoon, task_id):
    """The task once it has ended, and its results."""

    async def ended():
        found = await spoon.workbench.tasks.get(task_id)
        return found if found.status in {"complete", "failed"} else None

    return await until(ended), await spoon.workbench.results.list(task_id=task_id)


async def of_task(spoon, task_id):
    return [row for row in await spoon.workbench.generations.list() if row.task_id == task_id]


async def test_an_image_task_has_progress_and_says_how_its_picture_was_made(spoon, sim):
    sim.seconds_per_step = 0.1
    made = await task(spoon, graph(), seed=7, steps=10)
    ended, (result,) = await done(spoon, made.id)
    (row,) = await of_task(spoon, made.id)
    assert (ended.status, result.type, row.seed, row.steps) == ("complete", "image", 7, 10)
    told = {name: result.metadata[name] for name in ("seed", "steps", "width", "model", "generation_id", "index")}
    assert told == {
        "seed": 7,
        "steps": 10,
        "width": 64,
        "model": "tiny_sd15.safetensors",
        "generation_id": row.id,
        "index": 0,
    }
    progress = [event.progress for event in spoon.heard if isinstance(event, TaskProgress) and event.task_id == made.id]
    assert progress == sorted(set(progress))
    assert any(0 < value < 1 for value in progress)
    assert (await spoon.workbench.results.download(result.id)).content.startswith(b"\x89PNG")


@pytest.mark.parametrize("kind", ["image", "audio", "video"])
async def test_the_results_are_what_was_made_of_the_kind_that_was_asked_for(spoon, kind):
    ended, results = await done(spoon, (await task(spoon, ALL_KINDS, kind)).id)
    assert (ended.status, ended.error, [result.type for result in results]) == ("complete", None, [kind])


async def test_count_makes_so_many_pictures(spoon):
    ended, results = await done(spoon, (await task(spoon, graph(), count=3)).id)
    assert (ended.status, len(results)) == ("complete", 3)
    assert sorted(result.metadata["index"] for result in results) == [0, 1, 2]


async def test_a_workflow_that_makes_something_else_is_told(spoon):
    ended, results = await done(spoon, (await task(spoon, graph(), "video")).id)
    assert (ended.status, results) == ("failed", [])
    assert "made no video" in ended.error
    assert "options.workflow_id" in ended.error


@pytest.mark.parametrize("workflow_id", ["abc123", "00000000-0000-4000-8000-000000000000"])
async def test_an_unknown_workflow_is_named(spoon, sim, workflow_id):
    ended, _ = await done(spoon, (await task(spoon, workflow_id=workflow_id)).id)
    assert (ended.status, f"Workflow {workflow_id} not found" in ended.error) == ("failed", True)
    assert sim.submissions == []


async def test_a_node_that_raises_fails_the_task_with_its_words(spoon, sim):
    sim.break_node("VAEDecode", "expected 4 channels", "ValueError")
    ended, _ = await done(spoon, (await task(spoon, graph())).id)
    assert (ended.status, ended.error) == ("failed", "VAEDecode (node 8): ValueError: expected 4 channels")
    assert len(sim.submissions) == 1


async def test_a_deleted_task_stops_its_generation(spoon, sim):
    sim.freeze()
    made = await task(spoon, graph(steps=30))
    (row,) = await until(lambda: of_task(spoon, made.id))
    await spoon.running(row)
    await spoon.workbench.tasks.delete(made.id)
    await until(lambda: _failed(spoon, row))
    await until(lambda: _true(sim.requests["POST /interrupt"]))
    sim.thaw()
    await until(lambda: _true(row.prompt_id in sim.queue.history))
    assert not sim.queue.history[row.prompt_id]["status"]["completed"]


async def test_a_task_that_is_deleted_while_it_is_submitted_leaves_nothing_running(spoon, sim):
    await spoon.run()
    sim.faults.answer_delay_s["/prompt"] = 0.5
    made = await task(spoon, graph(steps=30))
    (row,) = await until(lambda: of_task(spoon, made.id))
    await until(lambda: _true(sim.requests["POST /prompt"] == 2))
    sim.freeze()
    await spoon.workbench.tasks.delete(made.id)
    await until(lambda: _failed(spoon, row))
    await until(lambda: _true(len(sim.submissions) == 2))
    await until(lambda: _true(not sim.queue.remaining or sim.requests["POST /interrupt"]))
    sim.thaw()
    await until(lambda: _true(not sim.queue.remaining))
    ran = sim.queue.history.get(row.prompt_id)
    assert ran is None or not ran["status"]["completed"]


async def test_a_task_that_is_taken_up_again_finds_its_generation(sim, tmp_path):
    sim.freeze()
    async with bench(tmp_path, sim) as spoon:
        made = await task(spoon, graph())
        (row,) = await until(lambda: of_task(spoon, made.id))
        await spoon.running(row)
    async with bench(tmp_path, sim) as spoon:
        sim.thaw()
        ended, (result,) = await done(spoon, made.id)
        assert (ended.status, result.metadata["generation_id"]) == ("complete", row.id)
        assert [one.id for one in await of_task(spoon, made.id)] == [row.id]
    assert sim.submissions == sim.executed == [row.prompt_id]


async def test_a_server_that_forgot_a_run_gets_it_again(spoon, sim):
    sim.freeze()
    made = await task(spoon, graph())
    (row,) = await until(lambda: of_task(spoon, made.id))
    await spoon.running(row)
    await sim.restart()
    sim.thaw()
    ended, results = await done(spoon, made.id)
    assert (ended.status, ended.retry_count, len(results)) == ("complete", 1, 1)
    assert len(await of_task(spoon, made.id)) == 2


async def _failed(spoon, row):
    return (await spoon.workbench.generations.get(row.id)).status == "failed"


async def _true(condition):
    return condition


async def test_a_task_runs_a_workflow_that_shows_no_prompt_and_says_so(spoon):
    picture_only = {
        "1": node("EmptyImage", width=16, height=16, batch_size=1, color=7),
        "2": node("SaveImage", images=["1", 0], filename_prefix="plain"),
    }
    made = await task(spoon, picture_only)
    ended, (result,) = await done(spoon, made.id)
    (row,) = await of_task(spoon, made.id)
    assert (ended.status, result.type) == ("complete", "image")
    assert row.warnings == ["The prompt was left out: the workflow shows none"]


async def test_deleting_a_profile_stops_what_runs_on_it(spoon, sim):
    sim.seconds_per_step = 0.05
    row = await spoon.submit(parameters={"steps": 5_000})
    await spoon.running(row)
    await spoon.workbench.profiles.delete(spoon.session.profile_id, force=True)

    async def idle():
        return sim.queue.running is None

    await until(idle)

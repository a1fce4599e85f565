"""Sessions and what is generated in them, against a simulated ComfyUI."""

import asyncio

import pytest

from comfy_graphs import graph
from spoonkernel.errors import (
    BadRequest,
    Conflict,
    NotFound,
    ProviderConnectionError,
    ProviderRefused,
    ValidationFailed,
)

NOBODY = "http://127.0.0.1:9"  # the discard port: nothing listens
LARGEST_SEED = 2**64 - 1
LARGEST_DRAWN = 2**32 - 1
REFERENCE = {
    *("id", "session_id", "workflow_id", "prompt_id", "prompt_text", "negative_prompt", "parameters", "width"),
    *("height", "steps", "cfg_scale", "seed", "sampler_name", "scheduler", "batch_size", "checkpoint_name"),
    *("loras_used", "status", "outputs", "created_at"),
}


async def test_a_session_belongs_to_a_profile_and_begins_empty(workbench, comfy, sim):
    session = await workbench.sessions.create(profile_id=comfy.id, title="Landscape Concepts")
    assert (session.title, session.profile_id) == ("Landscape Concepts", comfy.id)
    assert (session.profile_name, session.profile_url) == ("Local ComfyUI", sim.url)
    assert (session.generation_count, session.completed_count, session.failed_count) == (0, 0, 0)
    assert (session.last_parameters, session.current_workflow_id) == ({}, None)
    detail = await workbench.sessions.get(session.id)
    assert detail.generations == []
    assert detail.model_dump(exclude={"generations"}) == session.model_dump()


async def test_a_session_without_a_profile_takes_the_only_one(workbench, comfy):
    assert (await workbench.sessions.create()).profile_id == comfy.id


async def test_sessions_are_listed_newest_first(workbench, comfy):
    made = [await workbench.sessions.create(title=f"Session {number}") for number in range(3)]
    assert [one.id for one in await workbench.sessions.list()] == [one.id for one in reversed(made)]


async def test_a_session_needs_a_comfyui(workbench):
    with pytest.raises(BadRequest, match="COMFYUI_URL"):
        await workbench.sessions.create(title="Nowhere")
    assert await workbench.sessions.list() == []


async def test_a_session_needs_a_profile_that_is_there_and_for_comfyui(workbench, comfy, profile):
    with pytest.raises(NotFound, match="Profile abc123 not found"):
        await workbench.sessions.create(profile_id="abc123")
    with pytest.raises(BadRequest, match="openai"):
        await workbench.sessions.create(profile_id=profile.id)


@pytest.mark.parametrize("title", ["", "x" * 256])
async def test_a_title_that_is_none_is_refused_by_name(workbench, session, title):
    with pytest.raises(ValidationFailed, match="title"):
        await workbench.sessions.create(title=title)
    with pytest.raises(ValidationFailed, match="title"):
        await workbench.sessions.update(session.id, title=title)


async def test_an_update_changes_what_is_given(workbench, session, workflow):
    renamed = await workbench.sessions.update(session.id, title="Mountain Landscapes")
    assert (renamed.title, renamed.current_workflow_id) == ("Mountain Landscapes", None)
    assert renamed.updated_at > session.updated_at
    moved = await workbench.sessions.update(session.id, current_workflow_id=workflow.id)
    assert (moved.title, moved.current_workflow_id) == ("Mountain Landscapes", workflow.id)
    with pytest.raises(NotFound, match="Workflow abc123 not found"):
        await workbench.sessions.update(session.id, current_workflow_id="abc123")
    assert (await workbench.sessions.update(session.id, current_workflow_id=None)).current_workflow_id is None


@pytest.mark.parametrize("session_id", ["abc123", "00000000-0000-4000-8000-000000000000"])
async def test_a_missing_session_is_named(workbench, comfy, session_id):
    rooms = workbench.sessions
    for ask in (rooms.get, rooms.delete, lambda one: rooms.update(one, title="x")):
        with pytest.raises(NotFound, match=f"Session {session_id} not found"):
            await ask(session_id)
    with pytest.raises(NotFound, match=f"Session {session_id} not found"):
        await rooms.generate(session_id, prompt_text="a fox")


async def test_a_generation_is_running_at_once_and_complete_in_the_end(workbench, session, workflow, sim):
    sim.freeze()
    row = await workbench.sessions.generate(
        session.id,
        prompt_text="A majestic dragon",
        negative_prompt="watermark",
        workflow_id=workflow.id,
        parameters={
            "width": 96,
            "height": 64,
            "steps": 3,
            "cfg_scale": 5.5,
            "seed": -1,
            "sampler_name": "dpmpp_2m",
            "scheduler": "karras",
            "batch_size": 1,
            "checkpoint_name": "tiny_sd15_b.safetensors",
        },
    )
    assert set(row.model_dump()) >= REFERENCE
    assert (row.status, row.outputs, row.session_id, row.workflow_id) == ("running", [], session.id, workflow.id)
    assert (row.prompt_text, row.negative_prompt) == ("A majestic dragon", "watermark")
    assert (row.width, row.height, row.steps, row.cfg_scale) == (96, 64, 3, 5.5)
    assert (row.sampler_name, row.scheduler, row.batch_size) == ("dpmpp_2m", "karras", 1)
    assert (row.checkpoint_name, row.loras_used) == ("tiny_sd15_b.safetensors", [])
    assert 0 <= row.seed <= LARGEST_DRAWN
    assert row.parameters["seed"] == row.seed
    assert row.parameters["cfg_scale"] == 5.5
    sim.thaw()
    done = await workbench.generations.get(row.id, wait_s=20)
    assert (done.status, done.error, done.progress, done.seed) == ("complete", None, 1.0, row.seed)
    [output] = done.outputs
    assert (output.type, output.kind, output.content_type) == ("output", "image", "image/png")
    assert (output.width, output.height) == (96, 64)
    assert done.generation_time_seconds >= 0
    assert done.created_at <= done.started_at <= done.completed_at


async def test_the_session_counts_its_generations_and_shows_the_newest_first(workbench, session, finished, sim):
    complete = [await finished(), await finished()]
    sim.break_node("KSampler", "out of memory", "RuntimeError")
    failed = await finished()
    assert failed.status == "failed"
    assert "out of memory" in failed.error
    shown = await workbench.sessions.get(session.id)
    assert (shown.generation_count, shown.completed_count, shown.failed_count) == (3, 2, 1)
    assert [one.id for one in shown.generations] == [failed.id, complete[1].id, complete[0].id]
    [listed] = await workbench.sessions.list()
    assert listed.model_dump() == shown.model_dump(exclude={"generations"})


async def test_each_run_without_a_seed_draws_its_own_and_the_session_does_not_keep_it(workbench, session, generate):
    rows = [await generate(parameters=one) for one in ({}, {"seed": -1}, {"seed": "-1"})]
    assert len({row.seed for row in rows}) == 3
    assert all(0 <= row.seed <= LARGEST_DRAWN for row in rows)
    assert "seed" not in (await workbench.sessions.get(session.id)).last_parameters


@pytest.mark.parametrize("written", [LARGEST_SEED, str(LARGEST_SEED), 2**53 + 1, 0])
async def test_a_seed_that_is_given_is_used_to_the_last_digit(workbench, generate, written):
    row = await generate(parameters={"seed": written})
    assert row.seed == int(written)
    snapshot = await workbench.generations.workflow(row.id)
    assert int(snapshot.workflow_json["3"]["inputs"]["seed"]) == int(written)
    assert int(snapshot.parameters["seed"]) == int(written)


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"seed": 2**64}, "seed"),
        ({"seed": "many"}, "seed"),
        ({"steps": "many"}, "steps"),
        ({"steps": 0}, "steps"),
        ({"cfg_scale": [1]}, "cfg"),
        ({"sampler_name": "no_such_sampler"}, "sampler_name"),
        ({"checkpoint_name": "gone.safetensors"}, "gone.safetensors"),
        ({"3.no_such_input": 1}, "no_such_input"),
        ({"77.steps": 1}, "77"),
    ],
)
async def test_a_value_that_does_not_fit_is_refused_by_name_and_nothing_is_stored(
    workbench, generate, parameters, named
):
    with pytest.raises(ValidationFailed, match=named):
        await generate(parameters=parameters)
    assert await workbench.generations.list() == []


async def test_what_was_asked_for_lies_over_the_session_over_the_workflow(workbench, session, workflow, generate):
    await workbench.workflows.set_parameters(workflow.id, default_parameters={"steps": 5, "cfg_scale": 3, "width": 80})
    first = await generate(parameters={"steps": 2})
    assert (first.steps, first.cfg_scale, first.width, first.height) == (2, 3, 80, 64)
    kept = await workbench.sessions.get(session.id)
    assert (kept.current_workflow_id, kept.last_parameters) == (workflow.id, {"steps": 2})
    second = await generate(parameters={"cfg_scale": 4}, workflow_id=None)
    assert (second.steps, second.cfg_scale, second.width) == (2, 4, 80)


async def test_a_session_without_a_workflow_uses_the_default_one_of_its_profile(workbench, session, workflow):
    await workbench.workflows.set_parameters(workflow.id, is_default=True)
    row = await workbench.sessions.generate(session.id, prompt_text="a fox")
    assert row.workflow_id == workflow.id


async def test_what_is_recorded_is_what_ran(workbench, generate):
    row = await generate(prompt_text="a blue fox")
    snapshot = (await workbench.generations.workflow(row.id)).workflow_json
    assert snapshot["6"]["inputs"]["text"] == row.prompt_text == "a blue fox"
    assert snapshot["7"]["inputs"]["text"] == row.negative_prompt == "blurry"  # the workflow's own: none is made up
    other = await generate(negative_prompt="")
    snapshot = (await workbench.generations.workflow(other.id)).workflow_json
    assert snapshot["7"]["inputs"]["text"] == other.negative_prompt == ""


async def test_a_batch_has_as_many_outputs(finished):
    row = await finished(parameters={"batch_size": 3})
    assert row.batch_size == 3
    assert [one.index for one in row.outputs] == [0, 1, 2]
    assert len({one.filename for one in row.outputs}) == 3


async def test_an_exact_address_sets_that_input_alone(workbench, generate):
    row = await generate(parameters={"3.denoise": 0.5})
    assert (await workbench.generations.workflow(row.id)).workflow_json["3"]["inputs"]["denoise"] == 0.5
    assert row.parameters["3.denoise"] == 0.5


async def test_a_parameter_that_the_workflow_does_not_have_is_left_out_with_a_warning(generate):
    row = await generate(parameters={"guidance": 3.5})
    assert row.status == "running"
    assert any("guidance" in warning for warning in row.warnings)


async def test_a_comfyui_that_is_away_is_an_error_and_a_failed_row(workbench, workflow):
    away = await workbench.profiles.create(name="Away", type="image", provider="comfyui", url=NOBODY)
    session = await workbench.sessions.create(profile_id=away.id)
    workflow = await workbench.workflows.create(name="Fox", profile_id=away.id, workflow_json=graph())
    with pytest.raises(ProviderConnectionError, match="Cannot connect to ComfyUI") as told:
        await workbench.sessions.generate(session.id, prompt_text="a fox", workflow_id=workflow.id)
    [row] = await workbench.generations.list(session_id=session.id)
    assert (row.status, row.error) == ("failed", str(told.value))
    assert row.completed_at is not None


async def test_a_graph_that_comfyui_refuses_is_an_error_naming_node_field_and_reason(workbench, session, comfy):
    refused = graph()
    refused["8"]["inputs"]["vae"] = ["4", 0]  # a model where a VAE belongs
    workflow = await workbench.workflows.create(name="Wrong", profile_id=comfy.id, workflow_json=refused)
    with pytest.raises(ProviderRefused, match="VAEDecode") as told:
        await workbench.sessions.generate(session.id, prompt_text="a fox", workflow_id=workflow.id)
    for part in ("8", "vae", "MODEL"):
        assert part in str(told.value)
    [row] = await workbench.generations.list(session_id=session.id)
    assert (row.status, row.error) == ("failed", str(told.value))


async def test_an_idempotency_key_makes_one_generation(workbench, generate):
    first, second = await asyncio.gather(*(generate(idempotency_key="once") for _ in range(2)))
    assert first.id == second.id
    assert (await generate(idempotency_key="once")).seed == first.seed
    assert len(await workbench.generations.list()) == 1
    with pytest.raises(Conflict, match=first.id):
        await generate(idempotency_key="once", prompt_text="something else")


async def test_a_deleted_session_takes_its_generations_and_their_files(workbench, session, generate, finished, sim):
    done = await finished()
    [output] = done.outputs
    assert (await workbench.media.open(output.content)).content.startswith(b"\x89PNG")
    sim.freeze()
    running = await generate()
    await workbench.sessions.delete(session.id)
    sim.thaw()
    for row in (done, running):
        with pytest.raises(NotFound, match=f"Generation {row.id} not found"):
            await workbench.generations.get(row.id)
    for path in (output.content, output.thumbnail):
        with pytest.raises(NotFound):
            await workbench.media.open(path)
    with pytest.raises(NotFound):
        await workbench.sessions.get(session.id)


async def test_a_profile_that_sessions_use_is_kept_unless_forced(workbench, comfy, session, finished):
    done = await finished()
    with pytest.raises(Conflict, match="1 session"):
        await workbench.profiles.delete(comfy.id)
    await workbench.profiles.delete(comfy.id, force=True)
    assert await workbench.sessions.list() == []
    with pytest.raises(NotFound):
        await workbench.generations.get(done.id)

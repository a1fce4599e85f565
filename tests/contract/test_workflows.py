"""Workflows: kept in either format, read for what can be set in them, run without a session."""

import pytest

from comfy_graphs import CHECKPOINT, NEGATIVE, PROMPT, graph, ui_workflow
from spoonkernel.errors import BadRequest, NotFound, ValidationFailed

LARGEST_SEED = 2**64 - 1


async def test_a_profile_begins_with_workflows_of_which_one_is_the_default(workbench, comfy):
    workflows = await workbench.workflows.list(profile_id=comfy.id)
    assert "SDXL text to image" in {one.name for one in workflows}
    assert [one.name for one in workflows if one.is_default] == ["SDXL text to image"]
    assert {one.profile_name for one in workflows} == {"Local ComfyUI"}
    assert {one.generation_count for one in workflows} == {0}


@pytest.mark.parametrize("workflow_json", [graph(), ui_workflow(), {"prompt": graph()}], ids=["api", "ui", "prompt"])
async def test_a_workflow_is_taken_in_either_format_and_read_for_what_can_be_set(workbench, comfy, workflow_json):
    made = await workbench.workflows.create(
        name="SDXL with LoRA",
        description="With a detail enhancer",
        profile_id=comfy.id,
        workflow_json=workflow_json,
        default_parameters={"steps": 25, "cfg_scale": 7},
    )
    assert (made.name, made.description, made.is_default) == ("SDXL with LoRA", "With a detail enhancer", False)
    assert made.default_parameters == {"steps": 25, "cfg_scale": 7}
    assert made.workflow_json == workflow_json
    assert await workbench.workflows.get(made.id) == made
    found = {(one.node_id, one.field): one for one in made.extracted_parameters}
    seed, steps, sampler = found["3", "seed"], found["3", "steps"], found["3", "sampler_name"]
    assert (seed.type, seed.value, seed.role) == ("seed", 2012915689, "seed")
    assert (steps.type, steps.value, steps.role, steps.min, steps.max) == ("number", 4, "steps", 1, 10000)
    assert (sampler.type, sampler.value, sampler.role) == ("choice", "euler", "sampler_name")
    assert {"euler", "dpmpp_2m", "uni_pc_bh2"} <= set(sampler.options)
    assert found["3", "cfg"].role == "cfg_scale"
    assert (found["6", "text"].value, found["6", "text"].type, found["6", "text"].role) == (PROMPT, "string", "prompt")
    assert (found["7", "text"].value, found["7", "text"].role) == (NEGATIVE, "negative_prompt")
    assert found["4", "ckpt_name"].value == CHECKPOINT
    assert ("3", "model") not in found  # a link is nothing that can be set


async def test_both_formats_run_as_the_same_graph(workbench, comfy, session):
    graphs = []
    for workflow_json in (graph(), ui_workflow()):
        made = await workbench.workflows.create(name="Fox", workflow_json=workflow_json)
        row = await workbench.sessions.generate(
            session.id, prompt_text="a fox", workflow_id=made.id, parameters={"seed": 7}
        )
        snapshot = await workbench.generations.workflow(row.id)
        assert (snapshot.ui_workflow is not None) is ("nodes" in workflow_json)
        graphs.append({key: (node["class_type"], node["inputs"]) for key, node in snapshot.workflow_json.items()})
    assert graphs[0] == graphs[1]


@pytest.mark.parametrize(
    "workflow_json",
    [{}, {"nodes": "x", "links": []}, {"3": {"inputs": {}}}, {"3": 7}, {"3": {"class_type": "KSampler", "inputs": []}}],
)
async def test_what_is_no_workflow_is_refused_by_name(workbench, comfy, workflow_json):
    before = len(await workbench.workflows.list())
    with pytest.raises(ValidationFailed, match="workflowJson"):
        await workbench.workflows.create(name="Fox", workflow_json=workflow_json)
    assert len(await workbench.workflows.list()) == before


@pytest.mark.parametrize("name", ["", "x" * 256])
async def test_a_name_that_is_none_is_refused_by_name(workbench, comfy, workflow, name):
    with pytest.raises(ValidationFailed, match="name"):
        await workbench.workflows.create(name=name, workflow_json=graph())
    with pytest.raises(ValidationFailed, match="name"):
        await workbench.workflows.update(workflow.id, name=name)


async def test_a_workflow_needs_a_comfyui_profile(workbench, profile):
    with pytest.raises(BadRequest, match="openai"):
        await workbench.workflows.create(name="Fox", workflow_json=graph(), profile_id=profile.id)
    with pytest.raises(NotFound, match="Profile abc123 not found"):
        await workbench.workflows.create(name="Fox", workflow_json=graph(), profile_id="abc123")


async def test_workflows_are_listed_newest_first_and_by_profile(workbench, comfy, sim):
    made = [await workbench.workflows.create(name=f"Fox {number}", workflow_json=graph()) for number in range(3)]
    listed = await workbench.workflows.list()
    assert [one.id for one in listed[:3]] == [one.id for one in reversed(made)]
    assert "workflow_json" not in type(listed[0]).model_fields
    other = await workbench.profiles.create(name="Other", type="image", provider="comfyui", url=sim.url)
    theirs = {one.profile_id for one in await workbench.workflows.list(profile_id=other.id)}
    assert theirs == {other.id}
    assert await workbench.workflows.list(profile_id="abc123") == []


async def test_an_update_changes_what_is_given_and_reads_a_new_graph_again(workbench, workflow):
    renamed = await workbench.workflows.update(workflow.id, name="SDXL txt2img v2", description="Updated workflow")
    assert (renamed.name, renamed.description) == ("SDXL txt2img v2", "Updated workflow")
    assert renamed.workflow_json == workflow.workflow_json
    assert renamed.updated_at > workflow.updated_at
    assert (await workbench.workflows.update(workflow.id, description=None)).description is None
    changed = await workbench.workflows.update(workflow.id, workflow_json=graph(steps=9))
    assert (changed.name, changed.workflow_json["3"]["inputs"]["steps"]) == ("SDXL txt2img v2", 9)
    assert [one.value for one in changed.extracted_parameters if one.role == "steps"] == [9]


async def test_default_parameters_are_replaced_as_a_whole(workbench, workflow):
    first = await workbench.workflows.set_parameters(workflow.id, default_parameters={"steps": 30, "cfg_scale": 8})
    assert (first.default_parameters, first.is_default) == ({"steps": 30, "cfg_scale": 8}, False)
    second = await workbench.workflows.set_parameters(workflow.id, default_parameters={"steps": 10})
    assert second.default_parameters == {"steps": 10}


async def test_a_profile_has_one_default_workflow_at_most(workbench, comfy, workflow):
    assert (await workbench.workflows.set_parameters(workflow.id, is_default=True)).is_default is True
    assert [one.id for one in await workbench.workflows.list() if one.is_default] == [workflow.id]
    kept = await workbench.workflows.set_parameters(workflow.id, default_parameters={"steps": 3})
    assert kept.is_default is True
    assert (await workbench.workflows.set_parameters(workflow.id, is_default=False)).is_default is False
    assert [one for one in await workbench.workflows.list() if one.is_default] == []


async def test_the_default_workflow_of_one_profile_is_none_of_anothers(workbench, comfy, workflow, sim):
    other = await workbench.profiles.create(name="Other", type="image", provider="comfyui", url=sim.url)
    await workbench.workflows.set_parameters(workflow.id, is_default=True)
    assert len([one for one in await workbench.workflows.list(profile_id=other.id) if one.is_default]) == 1


async def test_a_large_seed_in_a_workflow_keeps_every_digit(workbench, comfy):
    made = await workbench.workflows.create(
        name="Fox", workflow_json=graph(seed=LARGEST_SEED), default_parameters={"3.seed": LARGEST_SEED}
    )
    assert int(made.workflow_json["3"]["inputs"]["seed"]) == LARGEST_SEED
    assert int(made.default_parameters["3.seed"]) == LARGEST_SEED
    [seed] = [one for one in made.extracted_parameters if one.type == "seed"]
    assert int(seed.value) == int(seed.max) == LARGEST_SEED


async def test_a_deleted_workflow_leaves_its_generations_with_their_graph(workbench, workflow, finished):
    done = await finished()
    before = await workbench.generations.workflow(done.id)
    await workbench.workflows.delete(workflow.id)
    assert await workbench.generations.workflow(done.id) == before
    assert (await workbench.generations.get(done.id)).status == "complete"
    with pytest.raises(NotFound, match=f"Workflow {workflow.id} not found"):
        await workbench.workflows.get(workflow.id)


async def test_a_shipped_workflow_that_was_deleted_stays_deleted(workbench, comfy):
    [first, *rest] = await workbench.workflows.list(profile_id=comfy.id)
    await workbench.workflows.delete(first.id)
    await workbench.sessions.create(profile_id=comfy.id)
    assert {one.id for one in await workbench.workflows.list(profile_id=comfy.id)} == {one.id for one in rest}


@pytest.mark.parametrize("workflow_id", ["abc123", "00000000-0000-4000-8000-000000000000"])
async def test_a_missing_workflow_is_named(workbench, session, workflow_id):
    room = workbench.workflows
    asked = (
        *(room.get, room.delete, room.execute, room.generations),
        *(lambda one: room.update(one, name="x"), lambda one: room.set_parameters(one, is_default=True)),
        lambda one: workbench.sessions.generate(session.id, prompt_text="x", workflow_id=one),
    )
    for ask in asked:
        with pytest.raises(NotFound, match=f"Workflow {workflow_id} not found"):
            await ask(workflow_id)


async def test_executing_a_workflow_makes_an_ordinary_generation_in_a_session_of_its_name(workbench, workflow):
    row = await workbench.workflows.execute(workflow.id, parameters={"prompt": "A beautiful sunset", "seed": 12345})
    assert (row.status, row.workflow_id, row.seed) == ("running", workflow.id, 12345)
    assert (row.prompt_text, row.negative_prompt) == ("A beautiful sunset", NEGATIVE)
    session = await workbench.sessions.get(row.session_id)
    assert (session.title, session.generations[0].id) == ("Fox", row.id)
    again = await workbench.workflows.execute(workflow.id)
    assert (again.session_id, again.prompt_text) == (row.session_id, PROMPT)
    assert (await workbench.generations.get(row.id, wait_s=20)).status == "complete"


async def test_a_workflow_has_its_generations_newest_first_and_counts_them(workbench, workflow, generate):
    rows = [await generate() for _ in range(3)]
    newest_first = [row.id for row in reversed(rows)]
    assert [one.id for one in await workbench.workflows.generations(workflow.id)] == newest_first
    assert [one.id for one in await workbench.workflows.generations(workflow.id, limit=1, offset=1)] == newest_first[
        1:2
    ]
    assert (await workbench.workflows.get(workflow.id)).generation_count == 3
    [listed] = [one for one in await workbench.workflows.list() if one.id == workflow.id]
    assert listed.generation_count == 3

"""Workflows on a real server: what can be set in them, what is none, what becomes of them."""

import json
from copy import deepcopy

import pytest

import comfy_graphs
from spoonkernel.errors import ValidationFailed
from spoonkernel.services import workflows as service

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("make", [comfy_graphs.graph, comfy_graphs.ui_workflow])
async def test_what_can_be_set_is_told_as_the_reference_prints_it(bench, make):
    made = await bench.workbench.workflows.create(name="w", workflow_json=make())
    assert made.workflow_json == make()  # as it was uploaded
    told = {(one["nodeId"], one["field"]): one for one in json.loads(made.model_dump_json())["extracted_parameters"]}
    seed = {"nodeId": "3", "field": "seed", "type": "seed", "value": 2012915689}
    assert told["3", "seed"].items() >= seed.items()
    assert told["3", "seed"]["max"] == str(2**64 - 1)
    assert (
        told["3", "steps"].items() >= {"nodeId": "3", "field": "steps", "type": "number", "value": 4, "min": 1}.items()
    )
    assert {key: one["type"] for key, one in told.items()} == {
        ("3", "seed"): "seed",
        ("3", "steps"): "number",
        ("3", "cfg"): "number",
        ("3", "denoise"): "number",
        ("3", "sampler_name"): "choice",
        ("3", "scheduler"): "choice",
        ("4", "ckpt_name"): "choice",
        ("5", "width"): "number",
        ("5", "height"): "number",
        ("5", "batch_size"): "number",
        ("6", "text"): "string",
        ("7", "text"): "string",
        ("9", "filename_prefix"): "string",
    }
    assert set(told["4", "ckpt_name"]["options"]) == set(bench.sim.models["checkpoints"])
    roles = {key: one.get("role") for key, one in told.items()}
    assert (roles["3", "cfg"], roles["5", "width"], roles["6", "text"]) == ("cfg_scale", "width", "prompt")
    assert all(None not in one.values() for one in told.values())


@pytest.mark.parametrize(
    ("workflow_json", "told"),
    [
        ({}, "it is empty"),
        ({"3": 7}, "its entry '3' is a number, not a node"),
        ({"3": {"inputs": {}}}, "its entry '3' has no class_type"),
        ({"3": {"class_type": "KSampler", "inputs": []}}, "the inputs of its node '3' are a list"),
        ({"nodes": [{"id": 1}], "links": []}, "Node 1 of the workflow has no type"),
        ({"nodes": [7], "links": []}, "node"),
        ({str(n): {"class_type": "Reroute", "inputs": {}} for n in range(20_001)}, "nodes; at most"),
    ],
)  # fmt: skip
async def test_what_is_no_workflow_is_refused_with_what_is_wrong(bench, workflow_json, told):
    kept = len(await bench.workbench.workflows.list())
    with pytest.raises(ValidationFailed, match="workflowJson: ") as error:
        await bench.workbench.workflows.create(name="w", workflow_json=workflow_json)
    assert told in error.value.message
    assert len(await bench.workbench.workflows.list()) == kept


async def test_a_workflow_that_is_too_large_is_refused(bench, monkeypatch):
    monkeypatch.setattr(service, "MAX_WORKFLOW_BYTES", 500)
    with pytest.raises(ValidationFailed, match="workflowJson: larger than"):
        await bench.workbench.workflows.create(name="w", workflow_json=comfy_graphs.graph())


async def test_an_update_leaves_what_has_run_as_it_ran(bench):
    made = await bench.workbench.workflows.create(name="w", workflow_json=comfy_graphs.graph())
    row = await bench.run(made.id, "a", seed=1)
    kept = (await bench.workbench.generations.workflow(row.id)).workflow_json
    changed = deepcopy(comfy_graphs.graph())
    del changed["7"]
    changed["3"]["inputs"]["negative"] = ["6", 0]
    await bench.workbench.workflows.update(made.id, workflow_json=changed)
    assert (await bench.workbench.generations.workflow(row.id)).workflow_json == kept
    assert (await bench.workbench.generations.reproduce(row.id)).verdict == "IDENTICAL"
    told = {(one.node_id, one.field) for one in (await bench.workbench.workflows.get(made.id)).extracted_parameters}
    assert not [one for one in told if one[0] == "7"]


async def test_a_run_takes_the_workflow_as_it_is_now_and_runs_do_not_change_each_other(bench):
    kept = await bench.workbench.workflows.create(name="w", workflow_json=comfy_graphs.graph(steps=2))
    for steps, given in ((2, {}), (9, {"steps": 9}), (2, {})):
        assert (await bench.run(kept.id, "a", **given)).steps == steps
    await bench.workbench.workflows.update(kept.id, workflow_json=comfy_graphs.graph(steps=5))
    assert (await bench.run(kept.id, "a")).steps == 5
    await bench.workbench.workflows.set_parameters(kept.id, default_parameters={"steps": 6})
    assert (await bench.run(kept.id, "a")).steps == 6


async def test_deleting_one_clears_it_from_sessions_which_go_on_with_the_default(bench):
    made = await bench.workbench.workflows.create(name="w", workflow_json=comfy_graphs.graph())
    row = await bench.run(made.id, "a", steps=3)
    assert (await bench.workbench.sessions.get(row.session_id)).current_workflow_id == made.id
    await bench.workbench.workflows.delete(made.id)
    session = await bench.workbench.sessions.get(row.session_id)
    assert session.current_workflow_id is None
    assert session.generations[0].workflow_id == made.id
    next_one = await bench.workbench.sessions.generate(
        session.id, prompt_text="b", parameters={"width": 64, "height": 64, "steps": 1}
    )
    default = next(one for one in await bench.workbench.workflows.list() if one.is_default)
    assert (next_one.workflow_id, next_one.cfg_scale) == (default.id, 7)
    await bench.ended(next_one)


async def test_executing_uses_the_session_of_the_workflow_again(bench):
    made = await bench.workbench.workflows.create(name="Mine", workflow_json=comfy_graphs.graph())
    rows = [
        await bench.workbench.workflows.execute(
            made.id, parameters={"prompt": f"p{n}", "negativePrompt": "n", "seed": n}
        )
        for n in range(2)
    ]
    assert len({row.session_id for row in rows}) == 1
    assert [(row.prompt_text, row.negative_prompt, row.seed) for row in rows] == [("p0", "n", 0), ("p1", "n", 1)]
    assert (await bench.workbench.sessions.get(rows[0].session_id)).title == "Mine"
    assert [one.id for one in await bench.workbench.workflows.generations(made.id)] == [rows[1].id, rows[0].id]
    with pytest.raises(ValidationFailed, match=r"parameters\.prompt"):
        await bench.workbench.workflows.execute(made.id, parameters={"prompt": 5})
    for row in rows:
        await bench.ended(row)


async def test_ranges_and_choices_are_those_of_the_server_now_and_the_stored_ones_while_it_is_away(own):
    [sdxl] = [one for one in await own.workbench.workflows.list() if one.name == "SDXL text to image"]
    told = {one.role: one for one in (await own.workbench.workflows.get(sdxl.id)).extracted_parameters}
    assert (told["steps"].min, told["steps"].max) == (1, 10_000)
    assert told["checkpoint_name"].options == sorted(own.sim.models["checkpoints"])
    await own.sim.die()
    own.workbench.workflows._servers._facts.clear()  # as after a restart of Spoon
    stored = (await own.workbench.workflows.get(sdxl.id)).extracted_parameters
    assert {one.role for one in stored} >= {"prompt", "seed", "steps", "cfg_scale", "checkpoint_name"}
    assert {one.max for one in stored if one.role == "steps"} == {None}

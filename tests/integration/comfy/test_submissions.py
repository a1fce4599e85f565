"""From a request to the graph that ComfyUI gets and the row that says so, on the simulated ComfyUI."""

import asyncio
import io
import json
import re

import pytest
from PIL import Image

import comfy_graphs
from comfy_bench import opened
from spoonkernel.comfy.templates import shipped
from spoonkernel.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    ProviderConnectionError,
    ProviderRefused,
    ValidationFailed,
)
from spoonkernel.testing.comfy_sim import SimulatedComfyUI

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOBODY = "http://127.0.0.1:9"  # the discard port: nothing listens
NAMES = {one.name for one in shipped()}


async def test_each_layer_of_defaults_lies_over_the_one_before(bench):
    workflow = await bench.workbench.workflows.create(
        name="w", workflow_json=comfy_graphs.graph(), default_parameters={"steps": 6, "cfgScale": 6, "width": 128}
    )
    session = await bench.workbench.sessions.create(title="t")

    async def run(**parameters):
        row = await bench.workbench.sessions.generate(
            session.id, prompt_text="", workflow_id=workflow.id, parameters=parameters
        )
        await bench.ended(row)
        return row.steps, row.cfg_scale, row.width, row.height

    assert await run(cfg=5, width=192) == (6, 5, 192, 64)  # graph: 4, 7, 64, 64
    assert await run(width=256) == (6, 5, 256, 64)
    assert (await bench.workbench.sessions.get(session.id)).last_parameters == {"cfg_scale": 5, "width": 256}
    other = await bench.run(workflow.id, seed=1)  # another session remembers nothing of it
    assert (other.steps, other.cfg_scale, other.width) == (6, 6, 128)


async def test_an_address_of_a_lower_layer_gives_way_to_a_name_of_a_higher_one(bench):
    workflow = await bench.workbench.workflows.create(
        name="w", workflow_json=comfy_graphs.graph(), default_parameters={"3.steps": 6, "6.text": "a default"}
    )
    session = await bench.workbench.sessions.create(title="t")

    async def run(prompt="", **parameters):
        row = await bench.workbench.sessions.generate(
            session.id, prompt_text=prompt, workflow_id=workflow.id, parameters=parameters
        )
        await bench.ended(row)
        return row

    first = await run(**{"3.cfg": 3, "6.text": "mine"})
    assert (first.steps, first.cfg_scale, first.prompt_text) == (6, 3, "mine")
    second = await run("yours", steps=2, cfg_scale=4)
    assert (second.steps, second.cfg_scale, second.prompt_text) == (2, 4, "yours")
    assert not [name for name in second.parameters if "." in name]  # overwritten: it did not run


async def test_exact_addresses_and_any_spelling_of_a_name_are_taken(bench):
    row = await bench.run(None, "a", **{"samplerName": "heun", "batchSize": 2, "3.denoise": 0.25, "8.vae_x": None})
    sent = await bench.graph_of(row)
    assert (sent["3"]["inputs"]["sampler_name"], sent["5"]["inputs"]["batch_size"]) == ("heun", 2)
    assert sent["3"]["inputs"]["denoise"] == row.parameters["3.denoise"] == row.parameters["denoise"] == 0.25
    for address, told in (
        ("99.seed", "no node '99'"),
        ("3.nothing", "no input 'nothing'"),
        ("3.model", "cannot be set"),
    ):
        with pytest.raises(ValidationFailed, match=re.escape(told)):
            await bench.run(None, "a", **{address: 1})


@pytest.mark.parametrize("given", [{}, {"seed": -1}, {"seed": "-1"}, {"3.seed": -1}])
async def test_a_seed_that_is_not_given_is_drawn_and_recorded(bench, given):
    rows = [await bench.run(None, "a", steps=1, **given) for _ in range(2)]
    seeds = {row.seed for row in rows}
    assert len(seeds) == 2
    for row in rows:
        assert 0 <= row.seed <= 2**32 - 1
        assert (await bench.graph_of(row))["3"]["inputs"]["seed"] == row.parameters["seed"] == row.seed
        kept = (await bench.workbench.generations.workflow(row.id)).ingredients
        assert (kept["drawn"], kept["seeds"]) == (["3.seed"], {"3.seed": row.seed})


@pytest.mark.parametrize("given", [{"seed": 2**64 - 1}, {"seed": str(2**64 - 1)}, {"3.seed": 2**64 - 1}])
async def test_the_largest_seed_keeps_every_digit_on_all_its_ways(bench, given):
    row = await bench.run(None, "a", steps=1, **given)
    assert row.seed == 2**64 - 1
    assert (await bench.graph_of(row))["3"]["inputs"]["seed"] == 2**64 - 1
    told = json.loads(row.model_dump_json())
    assert (told["seed"], told["parameters"]["seed"]) == (str(2**64 - 1), str(2**64 - 1))
    kept = await bench.workbench.generations.workflow(row.id)
    assert kept.workflow_json["3"]["inputs"]["seed"] == kept.ingredients["seeds"]["3.seed"] == 2**64 - 1
    assert kept.ingredients["drawn"] == []


@pytest.mark.parametrize("seed", [2**64, "abc", 1.5, True, [1]])
async def test_a_seed_that_is_none_is_refused(bench, seed):
    with pytest.raises(ValidationFailed, match="seed"):
        await bench.submit(None, "a", seed=seed)


async def test_the_row_says_what_ran_and_what_was_left_out(bench):
    row = await bench.run(None, "a", steps=3, guidance=4, frames=10)
    assert sorted(row.warnings) == [
        f"{name} was left out: the workflow has no such value" for name in ("frames", "guidance")
    ]
    assert not {"guidance", "frames"} & row.parameters.keys()
    sent = await bench.graph_of(row)
    assert (await bench.workbench.generations.workflow(row.id)).workflow_json == sent
    inputs = sent["3"]["inputs"]
    assert (row.steps, row.cfg_scale, row.sampler_name, row.scheduler) == (3, inputs["cfg"], "euler", "normal")
    assert (row.prompt_text, row.negative_prompt) == (sent["6"]["inputs"]["text"], sent["7"]["inputs"]["text"])
    assert row.checkpoint_name == sent["4"]["inputs"]["ckpt_name"]


async def test_a_prompt_for_a_workflow_that_shows_none_is_refused_and_an_empty_one_is_fine(bench):
    workflows = await bench.workbench.workflows.list()
    upscale = next(one.id for one in workflows if one.name == "Upscale an image")
    before = len(await bench.workbench.generations.list(limit=100))
    with pytest.raises(ValidationFailed, match="no text input of this workflow reaches a sampler"):
        await bench.submit(upscale, "a fox")
    assert len(await bench.workbench.generations.list(limit=100)) == before
    row = await bench.run(upscale, "")
    assert (row.prompt_text, row.seed, row.steps) == ("", None, None)
    assert not [warning for warning in row.warnings if "seed" in warning]
    assert [one for one in (await bench.run(upscale, "", seed=4)).warnings if one.startswith("seed was left out")]


@pytest.mark.parametrize(("wrong", "told"), [("a\0b", "NUL"), ("\ud800", "JSON"), (float("nan"), "JSON")])
async def test_what_no_database_keeps_is_refused_by_name(bench, wrong, told):
    with pytest.raises(ValidationFailed, match=f"parameters: .*{told}"):
        await bench.submit(None, "a", note=wrong)
    with pytest.raises(ValidationFailed, match=f"workflowJson: .*{told}"):
        await bench.submit(comfy_graphs.graph(note=wrong))
    if isinstance(wrong, str):
        with pytest.raises(ValidationFailed, match=r"prompt_?[tT]ext: .*(NUL|unicode)"):
            await bench.submit(None, wrong)
    assert (await bench.run(None, r"\u0000 as letters", seed=1)).prompt_text == r"\u0000 as letters"


async def test_a_graph_that_comfyui_refuses_names_node_field_and_reason_and_its_row_failed(bench):
    graph = comfy_graphs.graph(latent_image=["4", 1])  # a CLIP
    with pytest.raises(ProviderRefused, match=r"KSampler \(node 3\): latent_image"):
        await bench.submit(graph, "a")
    [row] = await bench.workbench.generations.list(limit=1)
    assert (row.status, "latent_image" in row.error, row.outputs) == ("failed", True, [])
    assert (await bench.workbench.generations.workflow(row.id)).workflow_json["3"]["inputs"]["latent_image"] == ["4", 1]


async def test_a_class_that_the_server_lacks_is_named_with_its_node(bench):
    graph = comfy_graphs.graph()
    graph["3"] |= {"class_type": "KSampler (Efficient)", "_meta": {"title": "My sampler"}}
    with pytest.raises(ValidationFailed, match=r"My sampler \(node 3\): this ComfyUI has no node class KSampler \(Eff"):
        await bench.submit(graph)


async def test_a_server_that_goes_away_is_told_and_the_row_says_failed(own):
    workflow = await own.workbench.workflows.create(name="w", workflow_json=comfy_graphs.graph())
    await own.sim.die()
    with pytest.raises(ProviderConnectionError, match=r"Cannot connect to ComfyUI\. Is it running"):
        await own.submit(workflow.id, "a", steps=3)
    [row] = await own.workbench.generations.list()
    assert (row.status, row.prompt_text, row.steps) == ("failed", "a", 3)
    assert "Cannot connect" in row.error
    await own.sim.restart()
    assert (await own.run(workflow.id, "a")).status == "complete"


async def test_a_server_that_never_answered_fails_the_same_way(tmp_path):
    async with opened(tmp_path, None, comfyui_url=NOBODY) as away:
        async with asyncio.timeout(10):
            with pytest.raises(ProviderConnectionError, match="Cannot connect to ComfyUI"):
                await away.submit(None, "a fox", steps=3)
        [row] = await away.workbench.generations.list()
        assert (row.status, row.prompt_text, row.steps) == ("failed", "a fox", 3)
        told = await away.workbench.generations.workflow(row.id)
        assert "server version and devices: the server did not tell" in told.missing


async def test_a_key_stands_for_one_generation(bench):
    session = await bench.workbench.sessions.create(title="t")
    workflow = await bench.workbench.workflows.create(name="w", workflow_json=comfy_graphs.graph())

    def submit(key, prompt="a"):
        return bench.workbench.sessions.generate(
            session.id, prompt_text=prompt, workflow_id=workflow.id, parameters={"steps": 1}, idempotency_key=key
        )

    before = len(bench.sim.submissions)
    rows = await asyncio.gather(*(submit("one") for _ in range(5)))
    assert len({row.id for row in rows}) == 1
    assert len(bench.sim.submissions) == before + 1
    with pytest.raises(Conflict, match=f"used for generation {rows[0].id} with another body"):
        await submit("one", "b")
    assert (await submit("two")).id != rows[0].id
    for key in ("", "x" * 256):
        with pytest.raises(ValidationFailed, match="Idempotency-Key"):
            await submit(key)
    await bench.workbench.workflows.delete(workflow.id)
    assert (await submit("one")).id == rows[0].id  # whatever has become of its workflow


async def test_what_the_page_saves_runs_as_it_is_and_goes_into_the_png(bench):
    row = await bench.run(comfy_graphs.ui_workflow(), "a red fox", steps=2)
    sent = await bench.graph_of(row)
    assert (sent["6"]["inputs"]["text"], sent["3"]["inputs"]["seed"]) == ("a red fox", row.seed)
    with Image.open(bench.sim.files.root / "output" / row.outputs[0].subfolder / row.outputs[0].filename) as image:
        chunks = {name: json.loads(text) for name, text in image.text.items()}
    assert chunks["workflow"] == comfy_graphs.ui_workflow()
    assert chunks["spoon"]["generation_id"] == row.id
    assert (await bench.workbench.generations.workflow(row.id)).ui_workflow == comfy_graphs.ui_workflow()


async def test_a_checkpoint_that_has_just_come_is_found(bench):
    await bench.run(None, "a")  # what the server offers is remembered now
    bench.sim.models["checkpoints"].append("brand_new.safetensors")
    row = await bench.run(None, "a", checkpoint_name="brand_new.safetensors")
    assert row.checkpoint_name == "brand_new.safetensors"
    with pytest.raises(ValidationFailed, match=r"'nowhere\.safetensors' is not allowed"):
        await bench.submit(None, "a", checkpoint_name="nowhere.safetensors")


async def test_all_shipped_workflows_run_adapted_to_the_files_of_the_server(bench):
    await bench.workbench.comfyui.upload(_png(), filename="example.png")
    steps, small = {"steps": 1}, {"width": 64, "height": 64}
    takes = {"Upscale an image": {}, "Image to image": steps}
    for workflow in await bench.workbench.workflows.list():
        if workflow.name in NAMES:
            prompt = "" if workflow.name == "Upscale an image" else "a fox"
            row = await bench.run(workflow.id, prompt, **takes.get(workflow.name, steps | small))
            assert row.outputs[0].content is not None
            lacks = workflow.name in {"Upscale an image", "SD 1.5 text to image"}
            assert [told for told in row.warnings if "is not on this server" in told] == row.warnings
            assert bool(row.warnings) == lacks
    own_graph = comfy_graphs.graph()
    own_graph["4"]["inputs"]["ckpt_name"] = "nowhere.safetensors"
    with pytest.raises(ProviderRefused, match="ckpt_name"):  # a workflow of one's own is never adapted
        await bench.submit(own_graph, "a")


async def test_a_replaced_file_is_only_told_when_it_ran(own):
    own.sim.models["checkpoints"][:] = ["tiny_sd15.safetensors", "sd_xl_turbo.safetensors"]
    default = next(one for one in await own.workbench.workflows.list() if one.is_default)
    row = await own.run(default.id, "a", steps=1, width=64, height=64)
    assert row.checkpoint_name == "sd_xl_turbo.safetensors"
    [warning] = row.warnings
    assert warning.endswith("sd_xl_base_1.0.safetensors is not on this server, sd_xl_turbo.safetensors was used")
    row = await own.run(default.id, "a", steps=1, width=64, height=64, checkpoint_name="tiny_sd15.safetensors")
    assert (row.checkpoint_name, row.warnings) == ("tiny_sd15.safetensors", [])


async def test_each_profile_gets_the_shipped_workflows_once_and_a_deleted_one_stays_deleted(own, tmp_path):
    await own.workbench.workflows.list()  # makes the one of the environment
    await own.workbench.profiles.create(name="B", type="image", provider="comfyui", url=own.sim.url)
    rows = await own.workbench.workflows.list()
    assert len(rows) == 2 * len(NAMES)
    assert sum(row.is_default for row in rows) == 2
    await own.workbench.workflows.delete(rows[0].id)
    async with opened(tmp_path / "own", own.sim) as second:  # another process on the same store
        assert {row.id for row in await second.workbench.workflows.list()} == {row.id for row in rows[1:]}


async def test_the_environment_makes_one_profile_even_for_two_processes_at_once(tmp_path):
    async with SimulatedComfyUI() as sim, opened(tmp_path, sim) as one, opened(tmp_path, sim) as two:
        found = await asyncio.gather(*(each.workbench.sessions.create(title="t") for each in (one, two, one, two)))
        assert len({session.profile_id for session in found}) == 1
        [profile] = await one.workbench.profiles.list()
        assert (profile.name, profile.provider, profile.url) == ("Local ComfyUI", "comfyui", sim.url)
        assert {row.name for row in await two.workbench.workflows.list()} == NAMES


async def test_a_local_profile_that_was_deleted_comes_back_whole_with_the_next_use(own):
    first = await own.workbench.sessions.create(title="t")
    await own.workbench.profiles.delete(first.profile_id, force=True)
    again = await own.workbench.sessions.create(title="t")
    assert again.profile_id != first.profile_id
    assert {row.name for row in await own.workbench.workflows.list()} == NAMES


async def test_without_any_comfyui_the_error_says_how_to_get_one(tmp_path):
    async with opened(tmp_path, None) as none:
        for ask in (none.workbench.comfyui.options, none.workbench.sessions.create):
            with pytest.raises(BadRequest, match=r"profile with provider comfyui .* COMFYUI_URL.*spoon comfy-sim"):
                await ask()
        assert list(await none.workbench.workflows.list()) == []


async def test_a_profile_goes_with_all_that_is_its_own_and_nothing_else(own):
    row = await own.run(None, "a")
    other = await own.workbench.profiles.create(name="B", type="image", provider="comfyui", url=own.sim.url)
    kept = await own.workbench.sessions.create(profile_id=other.id)
    stays = await own.ended(await own.workbench.sessions.generate(kept.id, prompt_text="", parameters={"steps": 1}))
    local = (await own.workbench.sessions.get(row.session_id)).profile_id
    await own.workbench.comfyui.upload(_png(), filename="in.png", profile_id=local)
    with pytest.raises(Conflict, match="1 sessions"):
        await own.workbench.profiles.delete(local)
    await own.workbench.profiles.delete(local, force=True)
    for gone in (own.workbench.sessions.get(row.session_id), own.workbench.generations.get(row.id)):
        with pytest.raises(NotFound):
            await gone
    assert {one.profile_id for one in await own.workbench.workflows.list(profile_id=other.id)} == {other.id}
    await own.workbench.media.open(stays.outputs[0].thumbnail)
    left = {path.name for path in own.workbench.config.media_dir.iterdir()}
    assert left == {path.rpartition("/")[2] for path in (stays.outputs[0].content, stays.outputs[0].thumbnail)}


async def test_a_profile_knows_its_servers_checkpoints_and_whether_it_answers(own):
    session = await own.workbench.sessions.create(title="t")
    synced = await own.workbench.profiles.sync_models(session.profile_id)
    assert set(own.sim.models["checkpoints"]) <= set(synced.models)
    assert synced.added == len(synced.models)
    told = await own.workbench.profiles.test_connection(provider="comfyui", url=own.sim.url)
    assert (told.connected, told.error) == (True, None)
    assert told.latency >= 1
    await own.sim.die()
    told = await own.workbench.profiles.test_connection(provider="comfyui", url=own.sim.url)
    assert (told.connected, told.error.startswith("Cannot connect")) == (False, True)


async def test_a_node_that_runs_code_is_refused_unless_an_administrator_allows_it(tmp_path):
    graph = comfy_graphs.graph() | {"20": {"class_type": "RunPythonCode", "inputs": {}, "_meta": {"title": "Mine"}}}
    told = r"Mine \(node 20\): nodes of class RunPythonCode .* SPOON_COMFYUI_ALLOW_NODES=RunPythonCode"
    async with SimulatedComfyUI() as sim:
        async with opened(tmp_path, sim) as strict:
            with pytest.raises(Forbidden, match=told):
                await strict.workbench.workflows.create(name="w", workflow_json=graph)
        for allowed in ("RunPythonCode", "*"):
            async with opened(tmp_path, sim, comfyui_allow_nodes=("Other", allowed)) as open_one:
                kept = await open_one.workbench.workflows.create(name="w", workflow_json=graph)
                with pytest.raises(ValidationFailed, match="has no node class RunPythonCode"):
                    await open_one.submit(kept.id)
    async with opened(tmp_path, None) as strict:  # one that was kept while it was allowed; its ComfyUI is away
        with pytest.raises(Forbidden, match=told):
            await strict.submit(kept.id)
        assert list(await strict.workbench.generations.list()) == []


def _png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(file, "PNG")
    return file.getvalue()

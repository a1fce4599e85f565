"""Running a generation again, comparing two, and making one image of a batch alone: on the simulated ComfyUI."""

import io
import math
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from PIL import Image

import comfy_graphs
from spoonkernel.errors import Conflict, ValidationFailed
from spoonkernel.services.reproduction import RERUN_INPUT
from spoonkernel.types.generations import GenerationDiff

pytestmark = pytest.mark.asyncio(loop_scope="module")
CHECKPOINT, OTHER = comfy_graphs.CHECKPOINT, "sd_v1-5.safetensors"


def picture(colour: tuple[int, int, int], size: int = 64) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(file, "PNG")
    return file.getvalue()


def img2img(name: str) -> dict[str, Any]:
    graph = comfy_graphs.graph(latent_image=["11", 0], denoise=0.5)
    del graph["5"]
    graph["10"] = {"class_type": "LoadImage", "inputs": {"image": name}}
    graph["11"] = {"class_type": "VAEEncode", "inputs": {"pixels": ["10", 0], "vae": ["4", 2]}}
    return graph


def texts(diff: GenerationDiff, *kinds: str) -> list[str]:
    return [change.text for change in diff.changes if not kinds or change.what in kinds]


async def test_a_reproduction_really_runs_past_the_cache_and_is_identical(bench):
    one = await bench.run(prompt="a", seed=1, steps=3)
    again = await bench.run((one.workflow_id), prompt="a", seed=1, steps=3)
    assert again.cached  # the same graph as it is: ComfyUI runs nothing
    found = await bench.workbench.generations.reproduce(one.id)
    assert (found.verdict, found.generation.cached, found.generation.reproduces) == ("IDENTICAL", False, one.id)
    assert found.generation.outputs[0].pixel_sha256 == one.outputs[0].pixel_sha256
    assert found.generation.outputs[0].filename != one.outputs[0].filename
    assert (found.diff.changes, found.summary.count("Nothing that is recorded has changed")) == ([], 1)
    sent = await bench.graph_of(found.generation)
    kept = (await bench.workbench.generations.workflow(found.generation.id)).workflow_json
    assert kept == (await bench.workbench.generations.workflow(one.id)).workflow_json
    assert {node_id for node_id, node in sent.items() if RERUN_INPUT in node["inputs"]} == {"4", "5"}


async def test_a_record_of_what_ran_is_reproduced_with_its_columns(bench):
    one = await bench.run(prompt="a tower", seed=2**64 - 1, steps=2, cfg_scale=5.5)
    new = (await bench.workbench.generations.reproduce(one.id)).generation
    ours = {"id", "prompt_id", "created_at", "started_at", "completed_at", "generation_time_seconds", "outputs"}
    changed = {name for name in type(one).model_fields if getattr(one, name) != getattr(new, name)}
    assert changed <= ours | {"reproduces"}
    assert new.seed == 2**64 - 1


async def test_other_weights_under_the_same_name_are_named_by_their_size(own):
    one = await own.run(prompt="a", seed=1)
    own.sim.model_bytes[CHECKPOINT] = b"other weights, and more of them than before"
    await own.sim.restart()  # a cached loader would not read them
    found = await own.workbench.generations.reproduce(one.id)
    assert found.verdict == "DIFFERENT"
    assert texts(found.diff) == [f"{CHECKPOINT} is another file now: its size differs"]
    assert CHECKPOINT in found.summary
    assert [told for told in found.diff.unknown if CHECKPOINT in told]  # 0.3.64 tells no hashes


async def test_other_weights_of_the_same_size_are_named_by_their_hash(own):
    own.sim.version = "0.38.1"
    await own.sim.restart()
    one = await own.run(prompt="a", seed=1)
    assert not [told for told in (await own.workbench.generations.workflow(one.id)).missing if "hash" in told]
    own.sim.model_bytes[CHECKPOINT] = own.sim.model_bytes[CHECKPOINT][::-1]
    await own.sim.restart()
    found = await own.workbench.generations.reproduce(one.id)
    assert found.verdict == "DIFFERENT"
    assert texts(found.diff) == [f"{CHECKPOINT} is another file now: its bytes differ"]


async def test_weights_of_the_same_size_are_not_told_apart_by_an_old_server_and_that_is_said(own):
    one = await own.run(prompt="a", seed=1)
    own.sim.model_bytes[CHECKPOINT] = own.sim.model_bytes[CHECKPOINT][::-1]
    await own.sim.restart()
    found = await own.workbench.generations.reproduce(one.id)
    assert (found.verdict, texts(found.diff, "model")) == ("DIFFERENT", [])
    assert found.diff.unknown == [f"hash of {CHECKPOINT}: the server does not tell hashes of model files"]


async def test_another_version_of_the_server_is_named(own):
    one = await own.run(prompt="a", seed=1)
    own.sim.version = "0.38.1"
    await own.sim.restart()
    found = await own.workbench.generations.reproduce(one.id)
    assert 'comfyui_version "0.3.64" -> "0.38.1"' in texts(found.diff, "server")
    assert "comfyui_version" in found.summary


async def test_another_input_picture_under_the_same_name_is_named(own):
    upload = await own.workbench.comfyui.upload(picture((200, 0, 0)), filename="in.png")
    one = await own.run(img2img(upload.name), prompt="a", seed=1)
    assert (await own.workbench.generations.reproduce(one.id)).verdict == "IDENTICAL"
    (own.sim.files.root / "input" / upload.name).write_bytes(picture((0, 0, 200)))  # by somebody else
    found = await own.workbench.generations.reproduce(one.id)
    assert (found.verdict, texts(found.diff)) == ("DIFFERENT", [f"the input {upload.name} is another picture now"])


async def test_a_reproduction_that_fails_is_told_with_its_reason_and_its_row(own):
    one = await own.run(prompt="a", seed=1)
    own.sim.break_node("VAEDecode", "out of memory")
    with pytest.raises(Exception, match=r"The new run .* failed: VAEDecode \(node 8\).*out of memory"):
        await own.workbench.generations.reproduce(one.id)
    [failed, _] = await own.workbench.generations.list()
    assert (failed.status, failed.reproduces) == ("failed", one.id)


async def test_without_pictures_there_is_nothing_to_reproduce(bench):
    graph = {"1": {"class_type": "PrimitiveString", "inputs": {"value": "x"}}}
    graph["2"] = {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}}
    one = await bench.run(graph)
    with pytest.raises(Conflict, match="made no picture"):
        await bench.workbench.generations.reproduce(one.id)


def changed(**inputs: Any) -> Callable[[dict[str, Any]], None]:
    def change(graph: dict[str, Any]) -> None:
        for name, value in inputs.items():
            node_id, field = name.removeprefix("n").split("_", 1)
            graph[node_id]["inputs"][field] = value

    return change


def with_lora(graph: dict[str, Any]) -> None:
    values = {"lora_name": "tiny_lora.safetensors", "strength_model": 0.5, "strength_clip": 1.0}
    graph["10"] = {"class_type": "LoraLoader", "inputs": {**values, "model": ["4", 0], "clip": ["4", 1]}}
    changed(n3_model=["10", 0], n6_clip=["10", 1], n7_clip=["10", 1])(graph)


def replaced(graph: dict[str, Any]) -> None:
    graph["8"]["class_type"] = "VAEDecodeTiled"
    graph["8"]["inputs"] |= {"tile_size": 512, "overlap": 64, "temporal_size": 64, "temporal_overlap": 8}


LORA = 'LoraLoader (node 10) added: lora_name "tiny_lora.safetensors", strength_model 0.5, strength_clip 1.0'


@pytest.mark.parametrize(
    ("change", "parameters", "told"),
    [
        (changed(), {"cfg_scale": 8}, ["cfg_scale 7.0 -> 8.0"]),
        (changed(), {"seed": 6}, ["seed 5 -> 6"]),
        (changed(), {"prompt": "b"}, ['prompt_text "a" -> "b"']),
        (changed(), {"negative_prompt": "ugly"}, ['negative_prompt "blurry" -> "ugly"']),
        (changed(), {"checkpoint_name": OTHER}, [f'checkpoint_name "{CHECKPOINT}" -> "{OTHER}"']),
        (changed(), {"batch_size": 2, "width": 128}, ["width 64 -> 128", "batch_size 1 -> 2"]),
        (changed(n3_denoise=0.5), {}, ["KSampler (node 3).denoise 1.0 -> 0.5"]),
        (changed(n8_vae=["20", 0]), {}, ["VAEDecode (node 8).vae ['4', 2] -> ['20', 0]"]),
        (with_lora, {}, [LORA]),
        (replaced, {}, ["VAEDecode (node 8) replaced by VAEDecodeTiled (node 8)"]),
    ],
)  # fmt: skip
async def test_a_diff_tells_each_change_once(bench, change, parameters, told):
    base = {"prompt": "a", "seed": 5, "steps": 2}
    first = comfy_graphs.graph() | {"20": {"class_type": "VAELoader", "inputs": {"vae_name": "sdxl_vae.safetensors"}}}
    second = deepcopy(first)
    change(second)
    one, other = await bench.run(first, **base), await bench.run(second, **{**base, **parameters})
    diff = await bench.workbench.generations.diff(one.id, other.id)
    assert texts(diff) == told
    assert all(text in diff.summary for text in told)
    back = await bench.workbench.generations.diff(other.id, one.id)
    assert len(back.changes) == len(told)
    assert [(one.before, one.after) for one in back.changes] == [(one.after, one.before) for one in diff.changes]
    same = await bench.workbench.generations.diff(one.id, one.id)
    assert (same.verdict, same.changes) == ("IDENTICAL", [])


async def test_a_lora_that_was_removed_is_told_once(bench):
    graph = comfy_graphs.graph()
    with_lora(graph)
    one, other = await bench.run(graph, "a", seed=5), await bench.run(None, "a", seed=5)
    assert texts(await bench.workbench.generations.diff(one.id, other.id)) == ["LoraLoader (node 10) removed"]


@pytest.mark.parametrize(
    ("colour", "verdict", "largest"),
    [((101, 100, 100), "CLOSE", 1), ((180, 100, 100), "DIFFERENT", 80), ((100, 100, 100), "IDENTICAL", 0)],
)
async def test_pictures_that_are_nearly_alike_are_close_with_numbers(bench, colour, verdict, largest):
    one = await bench.run(prompt="x", seed=7)
    other = await bench.run(prompt="x", seed=8)
    for row, shown in ((one, (100, 100, 100)), (other, colour)):
        path = bench.workbench.config.media_dir / row.outputs[0].content.rpartition("/")[2]
        path.write_bytes(picture(shown))
    diff = await bench.workbench.generations.diff(one.id, other.id)
    [image] = diff.images
    assert (diff.verdict, image.verdict, image.max_difference) == (verdict, verdict, largest)
    if largest:
        assert image.psnr_db == pytest.approx(10 * math.log10(255**2 / (largest**2 / 3)), abs=0.02)
        assert f"largest difference {largest} of 255, PSNR {image.psnr_db:.1f} dB" in diff.summary


async def test_another_number_of_pictures_is_different_whatever_they_show(bench):
    one = await bench.run(prompt="x", seed=7)
    two = await bench.run(prompt="x", seed=7, batch_size=2)
    diff = await bench.workbench.generations.diff(one.id, two.id)
    assert (diff.verdict, diff.images[0].verdict) == ("DIFFERENT", "IDENTICAL")
    assert "1 and 2 pictures" in diff.summary


async def test_one_image_of_a_batch_is_remade_pixel_for_pixel(bench):
    four = await bench.run(prompt="a", seed=11, batch_size=4, steps=2)
    assert len({output.pixel_sha256 for output in four.outputs}) == 4
    alone = await bench.ended(await bench.workbench.generations.remake(four.id, index=2))
    assert [one.pixel_sha256 for one in alone.outputs] == [four.outputs[2].pixel_sha256]
    assert (alone.reproduces, alone.batch_index, alone.batch_size, alone.warnings) == (four.id, 2, 1, [])
    assert (alone.parameters["batch_size"], alone.seed, alone.prompt_text) == (1, 11, "a")
    for pair in ((four.id, alone.id), (alone.id, four.id)):
        diff = await bench.workbench.generations.diff(*pair)
        assert diff.verdict == "IDENTICAL"  # beside the one that it was in the batch
        assert [change.what for change in diff.changes] == ["parameter", "node"]


async def test_noise_of_each_step_belongs_to_the_batch_and_that_is_said(bench):
    four = await bench.run(prompt="a", seed=11, batch_size=4, steps=2, sampler_name="euler_ancestral")
    alone = await bench.ended(await bench.workbench.generations.remake(four.id, index=2))
    [warning] = alone.warnings
    assert "euler_ancestral draws noise at each step" in warning
    kept = (await bench.workbench.generations.workflow(four.id)).ingredients
    assert kept["notes"] == ["euler_ancestral draws noise at each step, for the batch as a whole"]


async def test_an_image_that_the_batch_does_not_have_is_refused(bench):
    four = await bench.run(prompt="a", seed=11, batch_size=4, steps=2)
    for index in (-1, 4):
        with pytest.raises(ValidationFailed, match="batch of 4, so 0 to 3"):
            await bench.workbench.generations.remake(four.id, index=index)
    one = await bench.run(img2img("example.png"), prompt="a", seed=1)
    with pytest.raises(Conflict, match="made by 0 nodes"):
        await bench.workbench.generations.remake(one.id, index=0)


async def test_the_record_says_what_a_picture_depends_on(bench):
    row = await bench.run(prompt="a", steps=2, batch_size=2)
    told = await bench.workbench.generations.workflow(row.id)
    kept = told.ingredients
    assert (kept["seeds"], kept["drawn"], kept["batch_size"]) == ({"3.seed": row.seed}, ["3.seed"], 2)
    assert kept["server"]["comfyui_version"] == "0.3.64"
    assert kept["server"]["devices"]
    [model] = kept["models"]
    assert (model["name"], model["folder"], model["hash"]) == (CHECKPOINT, "checkpoints", None)
    assert model["size_bytes"] == len(bench.sim.model_bytes[CHECKPOINT])
    assert kept["packages"]["KSampler"] == "nodes"
    assert told.missing == [f"hash of {CHECKPOINT}: the server does not tell hashes of model files"]

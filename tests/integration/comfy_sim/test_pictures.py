"""Pictures change with everything that shapes a real one, and with nothing else."""

import io
import json
from typing import Any

import pytest
from PIL import Image

from comfy_client import Client
from comfy_recordings import txt2img
from spoonkernel.testing.comfy_sim import SimulatedComfyUI, pictures
from spoonkernel.testing.comfy_sim.noise import batch_noise

CHANGES: list[dict[str, Any]] = [
    {"_6__text": "a castle"},
    {"_7__text": "sharp"},
    {"_3__seed": 2},
    {"_3__steps": 4},
    {"_3__cfg": 6.5},
    {"_3__sampler_name": "dpmpp_2m"},
    {"_3__scheduler": "karras"},
    {"_3__denoise": 0.9},
    {"_4__ckpt_name": "sd_v1-5.safetensors"},
    {"_5__width": 72},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
async def test_a_picture_changes_with(change: dict[str, Any], client: Client) -> None:
    assert await client.pixels(txt2img(**change)) != await client.pixels(txt2img())


async def test_the_same_graph_gives_the_same_pixels_on_another_server(client: Client) -> None:
    here = await client.pixels(txt2img())
    await client.sim.restart()
    assert await client.pixels(txt2img(_9__filename_prefix="again")) == here


async def test_a_picture_changes_with_a_lora_and_its_strength(client: Client) -> None:
    made = [await client.pixels(with_lora(strength)) for strength in (0.5, 1.0)]
    assert made[0] != made[1] != await client.pixels(txt2img())


def with_lora(strength: float) -> dict[str, Any]:
    graph = txt2img()
    lora = {"lora_name": "tiny_lora.safetensors", "strength_model": strength, "strength_clip": 1.0}
    graph["20"] = {"class_type": "LoraLoader", "inputs": lora | {"model": ["4", 0], "clip": ["4", 1]}}
    graph["3"]["inputs"]["model"] = ["20", 0]
    return graph


async def test_other_weights_of_the_same_name_show_after_a_restart(sim: SimulatedComfyUI, client: Client) -> None:
    before = await client.pixels(txt2img(1))
    sim.model_bytes["tiny_sd15.safetensors"] = b"swapped"
    await client.run(txt2img(2))
    assert await client.pixels(txt2img(1)) == before  # the loader's result is still cached
    await sim.restart()
    assert await client.pixels(txt2img(1)) != before


async def test_image_to_image_shows_what_it_came_from(client: Client) -> None:
    graph = txt2img(_3__denoise=0.2)
    graph["10"] = {"class_type": "LoadImage", "inputs": {"image": "example.png"}}
    graph["5"] = {"class_type": "VAEEncode", "inputs": {"pixels": ["10", 0], "vae": ["4", 2]}}
    (content,) = await client.files(await client.run(graph))
    example = Image.open(client.sim.files.root / "input" / "example.png").convert("RGB")
    made = Image.open(io.BytesIO(content))
    assert made.size == example.size
    assert difference(made, example) < difference(Image.new("RGB", example.size), example) / 2


def difference(one: Image.Image, two: Image.Image) -> float:
    rows = zip(one.resize((8, 8)).tobytes(), two.resize((8, 8)).tobytes(), strict=True)
    return sum(abs(a - b) for a, b in rows)


@pytest.mark.parametrize(("sampler", "equal"), [("euler", True), ("euler_ancestral", False), ("dpmpp_2m_sde", False)])
async def test_one_picture_of_a_batch_can_be_made_alone(sampler: str, equal: bool, client: Client) -> None:
    batch = await client.pixels(txt2img(_5__batch_size=4, _3__sampler_name=sampler))
    assert len(set(batch)) == 4
    alone = txt2img(_5__batch_size=4, _3__sampler_name=sampler)
    part = {"samples": ["5", 0], "batch_index": 2, "length": 1}
    alone["15"] = {"class_type": "LatentFromBatch", "inputs": part}
    alone["3"]["inputs"]["latent_image"] = ["15", 0]
    (third,) = await client.pixels(alone)
    assert (third == batch[2]) is equal


def test_noise_is_drawn_in_order_and_by_index() -> None:
    whole = batch_noise(7, (64, 64), 4, None)
    assert batch_noise(7, (64, 64), 1, [2]) == [whole[2]]
    assert batch_noise(7, (64, 64), 3, [3, 0, 3]) == [whole[3], whole[0], whole[3]]
    assert batch_noise(7, (72, 64), 4, None) != whole != batch_noise(8, (64, 64), 4, None)


def test_the_words_say_that_it_is_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {"text": "a red fox", "seed": 42, "steps": 20, "cfg": 7.0, "sampler_name": "euler"}
    assert pictures.words(facts) == ["simulated", "a red fox", "seed 42  20 steps  cfg 7  euler"]
    bare = pictures.solid(256, 256, (90, 90, 90))
    assert pictures.labelled(bare.copy(), pictures.words(facts)).tobytes() != bare.tobytes()


async def test_png_files_carry_the_graph_and_everything_of_extra_pnginfo(client: Client) -> None:
    told = {"workflow": {"nodes": []}, "spoon": {"generation_id": "abc"}}
    entry = await client.run(txt2img(), extra_data={"extra_pnginfo": told})
    (content,) = await client.files(entry)
    text = Image.open(io.BytesIO(content)).text
    assert json.loads(text["prompt"]) == txt2img()
    assert {name: json.loads(value) for name, value in text.items() if name != "prompt"} == told


async def test_prefixes_make_folders_and_know_the_size(client: Client) -> None:
    entry = await client.run(txt2img(_9__filename_prefix="a/b/%width%x%height%"))
    assert entry["outputs"]["9"]["images"] == [{"filename": "64x64_00001_.png", "subfolder": "a/b", "type": "output"}]


async def test_a_prefix_that_leads_out_of_the_folder_fails(client: Client) -> None:
    entry = await client.run(txt2img(_9__filename_prefix="../../out"))
    assert "outside the output folder" in dict(entry["status"]["messages"])["execution_error"]["exception_message"]

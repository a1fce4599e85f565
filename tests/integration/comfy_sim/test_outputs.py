"""Every kind of file that the simulation writes is one of its kind."""

import io
import struct
from typing import Any

import pytest
from PIL import Image

from comfy_client import Client, heard
from comfy_recordings import transcript, txt2img
from spoonkernel.testing.comfy_sim import films, sounds
from spoonkernel.testing.comfy_sim.pictures import solid
from spoonkernel.testing.comfy_sim.values import Audio

SHOTS = [lambda level=level: solid(64, 48, (level * 20, 90, 40)) for level in range(10)]


@pytest.mark.parametrize(
    ("case", "kind", "start"),
    [
        ("video_mp4", "images", b"\x00\x00\x00\x20ftypisom"),
        ("video_webm", "images", b"\x1a\x45\xdf\xa3"),
        ("animated_webp", "images", b"RIFF"),
        ("animated_png", "images", b"\x89PNG"),
        ("audio_flac", "audio", b"fLaC"),
        ("audio_mp3_preview", "audio", b"\xff\xfb"),
    ],
)
async def test_files_are_what_their_names_say(case: str, kind: str, start: bytes, client: Client) -> None:
    first, *_ = await client.files(await client.run(transcript("40")["graphs"][case]), kind)
    assert first.startswith(start)


def test_each_picture_of_a_webm_is_a_vp8_key_frame() -> None:
    content = films.webm(SHOTS, 10.0, {"prompt": "{}"})
    before, *frames = content.split(b"\x81\x00\x00\x80")  # track 1, at the time of its cluster, a key frame
    assert len(frames) == len(SHOTS)
    for level, frame in enumerate(frames):
        vp8 = frame[: int.from_bytes(before[-7:], "big") - 4]
        before = frame
        chunk = b"VP8 " + struct.pack("<I", len(vp8)) + vp8 + b"\0" * (len(vp8) % 2)
        picture = Image.open(io.BytesIO(b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk))
        assert picture.size == (64, 48)
        assert abs(picture.convert("RGB").getpixel((30, 20))[0] - level * 20) < 8


def test_an_mp4_is_a_film_and_no_picture() -> None:
    content = films.mp4(SHOTS, 10.0, {})
    assert b"vide\0" in content
    assert b"meta" not in content[: content.index(b"moov")]
    samples = content.index(b"stsz") + 12
    assert int.from_bytes(content[samples : samples + 4], "big") == len(SHOTS)
    duration = content.index(b"mvhd") + 28
    assert int.from_bytes(content[duration : duration + 8], "big") == 1000


def test_a_flac_file_knows_its_length_and_texts() -> None:
    content = sounds.flac(Audio("x", 1.5, tone_hz=440), {"prompt": "the graph"})
    samples = int.from_bytes(content[21:26], "big") & (1 << 36) - 1
    assert samples == int(1.5 * 44_100)
    assert b"prompt=the graph" in content
    assert content.count(b"\xff\xf8") >= 1.5 * 2 * 440


def test_a_tone_depends_on_the_sound() -> None:
    made = {sounds.flac(Audio("x", 0.1, tone_hz=tone), {}) for tone in (0, 220, 440)}
    assert len(made) == 3


async def test_a_graph_of_classes_without_behaviour_runs(client: Client) -> None:
    graph = txt2img() | {
        "20": {"class_type": "ModelSamplingFlux", "inputs": {"model": ["4", 0], "max_shift": 1.15, "base_shift": 0.5,
                                                            "width": 64, "height": 64}},
        "21": {"class_type": "ConditioningCombine", "inputs": {"conditioning_1": ["6", 0], "conditioning_2": ["7", 0]}},
        "22": {"class_type": "ConditioningZeroOut", "inputs": {"conditioning": ["6", 0]}},
        "23": {"class_type": "ImageBlur", "inputs": {"image": ["8", 0], "blur_radius": 1, "sigma": 1.0}},
    }  # fmt: skip
    graph["3"]["inputs"] |= {"model": ["20", 0], "positive": ["21", 0], "negative": ["22", 0]}
    graph["9"]["inputs"]["images"] = ["23", 0]
    entry = await client.run(graph)
    assert entry["status"]["status_str"] == "success"
    assert Image.open(io.BytesIO((await client.files(entry))[0])).size == (64, 64)


async def test_a_film_can_be_taken_apart(client: Client) -> None:
    graph = transcript("40")["graphs"]["video_mp4"]
    graph["4"] = {"class_type": "GetVideoComponents", "inputs": {"video": ["2", 0]}}
    graph["5"] = {"class_type": "PreviewImage", "inputs": {"images": ["4", 0]}}
    graph["6"] = {"class_type": "PreviewAny", "inputs": {"source": ["4", 2]}}
    entry = await client.run(graph)
    assert len(entry["outputs"]["5"]["images"]) == 8
    assert entry["outputs"]["6"] == {"text": ["8.0"]}


async def test_a_flux_graph_with_a_guider_runs(client: Client) -> None:
    def node(class_type: str, **inputs: Any) -> dict[str, Any]:
        return {"class_type": class_type, "inputs": inputs}

    graph = {
        "1": node("UNETLoader", unet_name="flux1-dev.safetensors", weight_dtype="default"),
        "2": node("DualCLIPLoader", clip_name1="clip_l.safetensors", clip_name2="t5xxl_fp16.safetensors", type="flux"),
        "3": node("VAELoader", vae_name="ae.safetensors"),
        "4": node("CLIPTextEncode", clip=["2", 0], text="a lighthouse"),
        "5": node("FluxGuidance", conditioning=["4", 0], guidance=3.5),
        "6": node("BasicGuider", model=["1", 0], conditioning=["5", 0]),
        "7": node("EmptySD3LatentImage", width=128, height=64, batch_size=2),
        "8": node("BasicScheduler", model=["1", 0], scheduler="simple", steps=5, denoise=1.0),
        "9": node("KSamplerSelect", sampler_name="euler"),
        "10": node("RandomNoise", noise_seed=5),
        "11": node(
            "SamplerCustomAdvanced",
            noise=["10", 0],
            guider=["6", 0],
            sampler=["9", 0],
            sigmas=["8", 0],
            latent_image=["7", 0],
        ),
        "12": node("VAEDecode", samples=["11", 0], vae=["3", 0]),
        "13": node("PreviewImage", images=["12", 0]),
    }
    socket = await client.listen("me")
    first = await client.run(graph, client_id="me")
    steps = [m["data"]["max"] for m in await heard(socket, "execution_success") if m["type"] == "progress"]
    assert steps == [5] * 5
    graph["4"]["inputs"]["text"] = "a harbour"
    graph["10"]["inputs"]["noise_seed"] = 6
    assert await client.files(first) != await client.files(await client.run(graph))
    assert first["outputs"]["13"]["images"][0]["type"] == "temp"

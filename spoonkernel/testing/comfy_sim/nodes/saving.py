"""What writes files or sends pictures away."""

import asyncio
import json
import random
from typing import Any

from spoonkernel.testing.comfy_sim import films, pictures, sounds
from spoonkernel.testing.comfy_sim.files import Numbered
from spoonkernel.testing.comfy_sim.nodes.context import NodeContext, NodeFunction, Outcome, Picture
from spoonkernel.testing.comfy_sim.values import Audio, Images, Latent, Video

LETTERS = "abcdefghijklmnopqrstupvxyz"  # ComfyUI's own, with two p
SMALL = 256 * 256  # pixels; larger pictures are written in a thread


async def save_image(context: NodeContext, inputs: dict[str, Any]) -> Outcome:
    """SaveImage: PNG files with the graph and everything of `extra_pnginfo` as text chunks."""
    return await _images(context, inputs["images"], "output", inputs["filename_prefix"])


async def preview_image(context: NodeContext, inputs: dict[str, Any]) -> Outcome:
    """PreviewImage: the same in the folder for temporary files."""
    return await _images(context, inputs["images"], "temp", f"ComfyUI{_temp(context)}")


async def preview_mask(context: NodeContext, inputs: dict[str, Any]) -> Outcome:
    """MaskPreview."""
    return await _images(context, inputs["mask"], "temp", f"ComfyUI{_temp(context)}")


async def _images(context: NodeContext, images: Images, kind: str, prefix: str) -> Outcome:
    first = images.frames[0]
    place = context.files.next_name(kind, prefix, first.width, first.height)
    texts = metadata(context)
    names = []
    for offset, frame in enumerate(images.frames):
        name = place.file(offset, ".png")
        small = frame.width * frame.height <= SMALL
        drawn = _encoded(frame.draw, texts) if small else await asyncio.to_thread(_encoded, frame.draw, texts)
        (place.folder / name).write_bytes(drawn)
        names.append(name)
    return _written(context, place, names, "images")


def _encoded(draw: Any, texts: dict[str, str]) -> bytes:
    return pictures.png(draw(), texts)


def metadata(context: NodeContext) -> dict[str, str]:
    """What every file carries: the graph, and each key of `extra_pnginfo`, as JSON."""
    told = context.extra_data.get("extra_pnginfo") or {}
    return {"prompt": json.dumps(context.prompt), **{name: json.dumps(value) for name, value in told.items()}}


def _temp(context: NodeContext) -> str:
    """The part of a temporary name that stays while the server lives: five letters for each node."""
    letters = random.Random(f"{context.files.root}{context.node_id}{context.class_type}")  # noqa: S311  # no secret
    return "_temp_" + "".join(letters.choices(LETTERS, k=5))


def _written(context: NodeContext, place: Numbered, names: list[str], kind: str, **more: Any) -> Outcome:
    context.files.wrote(place, place.number + len(names) - 1)
    told = [{"filename": name, "subfolder": place.subfolder, "type": place.kind} for name in names]
    return Outcome((), {kind: told, **more})


async def send_image(context: NodeContext, inputs: dict[str, Any]) -> Outcome:
    """SaveImageWebsocket: the pictures themselves over the socket, no file and no output."""
    frames = inputs["images"].frames
    for number, frame in enumerate(frames):
        await context.step(number, len(frames), Picture(frame.draw, final=True))
    return Outcome()


async def save_webp(context: NodeContext, inputs: dict[str, Any]) -> Outcome:
    """SaveAnimatedWEBP."""
    return await _film(context, inputs, ".webp", films.webp)


async def save_apng(context: NodeContext, inputs: dict[str, Any]) -> Outcome:
    """SaveAnimatedPNG."""
    return await _film(context, inputs, ".png", films.apng)


async def save_webm(context: NodeContext, inputs: dict[str, Any]) -> Outcome:
    """SaveWEBM."""
    return await _film(context, inputs, ".webm", films.webm)


async def _film(context: NodeContext, inputs: dict[str, Any], extension: str, write: films.Writer) -> Outcome:
    images: Images = inputs["images"]
    first = images.frames[0]
    place = context.files.next_name("output", inputs["filename_prefix"], first.width, first.height)
    name = place.file(0, extension)
    shots = [frame.draw for frame in images.frames]
    content = await asyncio.to_thread(write, shots, float(inputs.get("fps", 8.0)), metadata(context))
    (place.folder / name).write_bytes(content)
    return _written(context, place, [name], "images", animated=[True])


async def save_video(context: NodeContext, inputs: dict[str, Any]) -> Outcome:
    """SaveVideo: an MP4 file."""
    video: Video = inputs["video"]
    given = {"images": video.images, "fps": video.fps, "filename_prefix": inputs["filename_prefix"]}
    return await _film(context, given, ".mp4", films.mp4)


async def save_flac(context: NodeContext, inputs: dict[str, Any]) -> Outcome:
    """SaveAudio."""
    return await _audio(
        context, inputs["audio"], kind="output", prefix=inputs["filename_prefix"], extension=".flac", write=sounds.flac
    )


async def save_mp3(context: NodeContext, inputs: dict[str, Any]) -> Outcome:
    """SaveAudioMP3: silence, whatever the sound is."""
    return await _audio(
        context, inputs["audio"], kind="output", prefix=inputs["filename_prefix"], extension=".mp3", write=sounds.mp3
    )


async def save_opus(context: NodeContext, inputs: dict[str, Any]) -> Outcome:
    """SaveAudioOpus: silence, whatever the sound is."""
    return await _audio(
        context, inputs["audio"], kind="output", prefix=inputs["filename_prefix"], extension=".opus", write=sounds.opus
    )


async def preview_audio(context: NodeContext, inputs: dict[str, Any]) -> Outcome:
    """PreviewAudio."""
    return await _audio(
        context, inputs["audio"], kind="temp", prefix=f"ComfyUI{_temp(context)}", extension=".flac", write=sounds.flac
    )


async def _audio(
    context: NodeContext, audio: Audio, *, kind: str, prefix: str, extension: str, write: sounds.Writer
) -> Outcome:
    place = context.files.next_name(kind, prefix)
    name = place.file(0, extension)
    (place.folder / name).write_bytes(await asyncio.to_thread(write, audio, metadata(context)))
    return _written(context, place, [name], "audio")


async def save_latent(context: NodeContext, inputs: dict[str, Any]) -> Outcome:
    """SaveLatent: a safetensors file with no tensors."""
    latent: Latent = inputs["samples"]
    place = context.files.next_name("output", inputs["filename_prefix"])
    name = place.file(0, ".latent")
    header = json.dumps({"__metadata__": {**metadata(context), "simulated": latent.sign}}).encode()
    (place.folder / name).write_bytes(len(header).to_bytes(8, "little") + header)
    return _written(context, place, [name], "latents")


FUNCTIONS: dict[str, NodeFunction] = {
    "SaveImage": save_image,
    "PreviewImage": preview_image,
    "MaskPreview": preview_mask,
    "SaveImageWebsocket": send_image,
    "SaveAnimatedWEBP": save_webp,
    "SaveAnimatedPNG": save_apng,
    "SaveWEBM": save_webm,
    "SaveVideo": save_video,
    "SaveAudio": save_flac,
    "SaveAudioMP3": save_mp3,
    "SaveAudioOpus": save_opus,
    "PreviewAudio": preview_audio,
    "SaveLatent": save_latent,
}

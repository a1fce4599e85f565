"""Latents: made from pictures, put together, taken apart, and turned into pictures again."""

from dataclasses import replace
from typing import Any

from PIL import Image

from spoonkernel.testing.comfy_sim import pictures
from spoonkernel.testing.comfy_sim.nodes.context import NodeContext, NodeFunction
from spoonkernel.testing.comfy_sim.values import Audio, Frame, Images, Latent, Sample, Thing, sign

GREY = (118, 108, 96)  # roughly what a VAE makes of an empty latent


async def decode(context: NodeContext, inputs: dict[str, Any]) -> tuple[Images]:
    """VAEDecode. Fails as the real one does when an untouched latent has not the channels of the VAE."""
    latent: Latent = inputs["samples"]
    vae: Thing = inputs["vae"]
    have = vae.facts.get("channels", 4)
    for sample in latent.samples:
        if sample.channels is not None and sample.picture is None and sample.channels > have:
            raise RuntimeError(
                f"Given groups=1, weight of size [64, {have}, 3, 3], expected input[1, {sample.channels}, "
                f"{latent.height // 8}, {latent.width // 8}] to have {have} channels, but got {sample.channels} "
                "channels instead\n"
            )
    return (Images(tuple(frame for sample in latent.samples for frame in frames(sample, latent, vae.sign))),)


def frames(sample: Sample, latent: Latent, vae: str) -> list[Frame]:
    """The pictures of one latent: one, or as many as a film's `length`."""
    many = int(sample.facts.get("length", 1))
    return [_frame(sample, latent, sign(sample, vae, latent.width, latent.height, time), time) for time in range(many)]


def _frame(sample: Sample, latent: Latent, marked: str, time: int) -> Frame:
    width, height, facts = latent.width, latent.height, sample.facts

    def draw() -> Image.Image:
        if "noise" not in facts:
            return sample.picture.draw() if sample.picture else pictures.solid(width, height, GREY)
        picture = pictures.landscape(marked, width, height, facts)
        if sample.picture:
            mask = sample.mask.draw() if sample.mask else None
            picture = pictures.blend(sample.picture.draw(), picture, float(facts.get("denoise", 1.0)), mask)
        return pictures.labelled(picture, pictures.words({**facts, "time": time}))

    return Frame(marked, width, height, pictures.once(draw), facts)


async def encode(_: NodeContext, inputs: dict[str, Any]) -> tuple[Latent]:
    """VAEEncode and its kin; a mask says where a sampler may change it. Sizes are cut to whole 8 pixels."""
    images: Images = inputs.get("pixels") or inputs["image"]
    mask: Images | None = inputs.get("mask")
    first = images.frames[0]
    samples = tuple(
        Sample(sign("encoded", frame, inputs["vae"], inputs.get("grow_mask_by")), {}, frame, _of(mask, number))
        for number, frame in enumerate(images.frames)
    )
    return (Latent(first.width // 8 * 8, first.height // 8 * 8, samples),)


async def inpaint_model(context: NodeContext, inputs: dict[str, Any]) -> tuple[Any, ...]:
    """InpaintModelConditioning."""
    (latent,) = await encode(context, inputs)
    marks = (sign("inpaint", inputs[name], latent) for name in ("positive", "negative"))
    told = (replace(inputs[name], sign=mark) for name, mark in zip(("positive", "negative"), marks, strict=True))
    return (*told, latent)


async def masked(_: NodeContext, inputs: dict[str, Any]) -> tuple[Latent]:
    """SetLatentNoiseMask."""
    latent: Latent = inputs["samples"]
    samples = tuple(replace(sample, mask=_of(inputs["mask"], number)) for number, sample in enumerate(latent.samples))
    return (replace(latent, samples=samples),)


def _of(batch: Images | None, number: int) -> Frame | None:
    return batch.frames[number % len(batch.frames)] if batch and batch.frames else None


async def from_batch(_: NodeContext, inputs: dict[str, Any]) -> tuple[Latent]:
    """LatentFromBatch: a part, whose latents keep the noise of their places (`batch_index`)."""
    latent: Latent = inputs["samples"]
    start = min(len(latent.samples) - 1, inputs["batch_index"])
    end = start + min(len(latent.samples) - start, inputs["length"])
    indexes = latent.batch_index[start:end] if latent.batch_index else tuple(range(start, end))
    return (replace(latent, samples=latent.samples[start:end], batch_index=indexes),)


async def repeated(_: NodeContext, inputs: dict[str, Any]) -> tuple[Latent]:
    """RepeatLatentBatch."""
    latent: Latent = inputs["samples"]
    amount: int = inputs["amount"]
    indexes = latent.batch_index
    if indexes:
        span = max(indexes) - min(indexes) + 1
        indexes = tuple(index + span * turn for turn in range(amount) for index in indexes)
    return (replace(latent, samples=latent.samples * amount, batch_index=indexes),)


async def batched(_: NodeContext, inputs: dict[str, Any]) -> tuple[Latent]:
    """LatentBatch."""
    one, two = inputs["samples1"], inputs["samples2"]
    indexes = tuple(index for latent in (one, two) for index in latent.batch_index or range(len(latent.samples)))
    return (replace(one, samples=one.samples + two.samples, batch_index=indexes),)


async def scaled(_: NodeContext, inputs: dict[str, Any]) -> tuple[Latent]:
    """LatentUpscale and LatentUpscaleBy."""
    latent: Latent = inputs["samples"]
    by = float(inputs.get("scale_by", 1.0))
    width = int(inputs.get("width") or latent.width * by) // 8 * 8
    height = int(inputs.get("height") or latent.height * by) // 8 * 8
    samples = tuple(
        replace(
            sample,
            sign=sign("scaled", sample, inputs["upscale_method"]),
            picture=sample.picture or _before(sample, latent),
        )
        for sample in latent.samples
    )
    return (replace(latent, width=max(8, width), height=max(8, height), samples=samples),)


def _before(sample: Sample, latent: Latent) -> Frame | None:
    """What a sampled latent shows, for a second sampler to begin with."""
    return frames(sample, latent, "")[0] if "noise" in sample.facts else None


async def decode_audio(_: NodeContext, inputs: dict[str, Any]) -> tuple[Audio]:
    """VAEDecodeAudio: a tone that follows from the latent."""
    latent: Latent = inputs["samples"]
    mark = sign(latent, inputs["vae"])
    seconds = float(latent.facts.get("seconds", 1.0))
    return (Audio(mark, seconds, tone_hz=110 + int(mark[:4], 16) % 770, facts=latent.facts),)


FUNCTIONS: dict[str, NodeFunction] = {
    "VAEDecode": decode,
    "VAEDecodeTiled": decode,
    "VAEDecodeAudio": decode_audio,
    "VAEEncode": encode,
    "VAEEncodeTiled": encode,
    "VAEEncodeForInpaint": encode,
    "InpaintModelConditioning": inpaint_model,
    "SetLatentNoiseMask": masked,
    "LatentFromBatch": from_batch,
    "RepeatLatentBatch": repeated,
    "LatentBatch": batched,
    "LatentUpscale": scaled,
    "LatentUpscaleBy": scaled,
}

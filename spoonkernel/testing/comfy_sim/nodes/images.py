"""Pictures and masks: loaded, made, sized, put together."""

import hashlib
import io
import re
from typing import Any

from PIL import Image, ImageChops, ImageOps

from spoonkernel.testing.comfy_sim import pictures
from spoonkernel.testing.comfy_sim.nodes.context import NodeContext, NodeFunction
from spoonkernel.testing.comfy_sim.values import Audio, Frame, Images, Video, sign

NO_MASK_PX = 64  # LoadImage's mask of a picture without transparency


async def load(context: NodeContext, inputs: dict[str, Any]) -> tuple[Images, Images]:
    """LoadImage: the picture and what is transparent in it."""
    content = context.files.read(inputs["image"])
    mark = hashlib.blake2b(content, digest_size=16).hexdigest()
    with Image.open(io.BytesIO(content)) as opened:
        picture = ImageOps.exif_transpose(opened)
        width, height = picture.size
        has_alpha = "A" in picture.getbands() or "transparency" in picture.info
        alpha = picture.convert("RGBA").getchannel("A") if has_alpha else None
        rgb = picture.convert("RGB")
    mask = ImageOps.invert(alpha) if alpha else Image.new("L", (NO_MASK_PX, NO_MASK_PX))
    shown = Frame(mark, width, height, lambda: rgb)
    return Images((shown,)), Images((Frame(sign(mark, "mask"), mask.width, mask.height, lambda: mask),))


async def load_mask(context: NodeContext, inputs: dict[str, Any]) -> tuple[Images]:
    """LoadImageMask: one channel."""
    content = context.files.read(inputs["image"])
    with Image.open(io.BytesIO(content)) as opened:
        channel = {"red": "R", "green": "G", "blue": "B"}.get(inputs["channel"], "A")
        mask = opened.convert("RGBA").getchannel(channel)
    mask = ImageOps.invert(mask) if channel == "A" else mask
    return (Images((Frame(sign(content, channel), mask.width, mask.height, lambda: mask),)),)


async def empty(_: NodeContext, inputs: dict[str, Any]) -> tuple[Images]:
    """EmptyImage."""
    width, height, colour = inputs["width"], inputs["height"], inputs["color"]
    rgb = (colour >> 16 & 255, colour >> 8 & 255, colour & 255)
    frame = Frame(
        sign("plain", width, height, colour), width, height, pictures.once(lambda: pictures.solid(width, height, rgb))
    )
    return (Images((frame,) * inputs["batch_size"]),)


async def solid_mask(_: NodeContext, inputs: dict[str, Any]) -> tuple[Images]:
    """SolidMask."""
    width, height, value = inputs["width"], inputs["height"], int(255 * inputs["value"])
    return (
        Images(
            (Frame(sign("mask", width, height, value), width, height, lambda: Image.new("L", (width, height), value)),)
        ),
    )


async def scale(context: NodeContext, inputs: dict[str, Any]) -> tuple[Images]:
    """ImageScale, ImageScaleBy and ImageScaleToTotalPixels; a width or height of 0 keeps the proportions."""
    images: Images = inputs["image"]
    first = images.frames[0]
    if "scale_by" in inputs:
        width, height = first.width * inputs["scale_by"], first.height * inputs["scale_by"]
    elif "megapixels" in inputs:
        by = (inputs["megapixels"] * 1024 * 1024 / (first.width * first.height)) ** 0.5
        width, height = first.width * by, first.height * by
    else:
        width, height = inputs["width"], inputs["height"]
        width = width or first.width * height / first.height
        height = height or first.height * width / first.width
    return (_sized(images, max(1, round(width)), max(1, round(height)), context.class_type + inputs["upscale_method"]),)


async def upscale(context: NodeContext, inputs: dict[str, Any]) -> tuple[Images]:
    """ImageUpscaleWithModel: by the factor in the model's name, one step."""
    found = re.search(r"(?:x(\d)|(\d)x)", str(inputs["upscale_model"].facts.get("model", "")).lower())
    by = int(found[1] or found[2]) if found else 4
    first = inputs["image"].frames[0]
    await context.rest()
    await context.step(1, 1, None)
    return (_sized(inputs["image"], first.width * by, first.height * by, inputs["upscale_model"].sign),)


def _sized(images: Images, width: int, height: int, how: str) -> Images:
    def sized(frame: Frame) -> Frame:
        draw = pictures.once(lambda: frame.draw().resize((width, height), Image.Resampling.BICUBIC))
        return Frame(sign(frame, width, height, how), width, height, draw, frame.facts)

    return Images(tuple(sized(frame) for frame in images.frames))


async def batch(_: NodeContext, inputs: dict[str, Any]) -> tuple[Images]:
    """ImageBatch: the second at the size of the first."""
    one, two = inputs["image1"], inputs["image2"]
    first = one.frames[0]
    return (Images(one.frames + _sized(two, first.width, first.height, "batch").frames),)


async def from_batch(_: NodeContext, inputs: dict[str, Any]) -> tuple[Images]:
    """ImageFromBatch."""
    frames = inputs["image"].frames
    start = min(len(frames) - 1, inputs["batch_index"])
    return (Images(frames[start : start + inputs["length"]]),)


async def repeat(_: NodeContext, inputs: dict[str, Any]) -> tuple[Images]:
    """RepeatImageBatch."""
    return (Images(inputs["image"].frames * inputs["amount"]),)


async def invert(context: NodeContext, inputs: dict[str, Any]) -> tuple[Images]:
    """ImageInvert and InvertMask."""
    images: Images = inputs.get("image") or inputs["mask"]

    def inverted(frame: Frame) -> Frame:
        draw = pictures.once(lambda: ImageChops.invert(frame.draw()))
        return Frame(sign("inverted", frame), frame.width, frame.height, draw, frame.facts)

    return (Images(tuple(inverted(frame) for frame in images.frames)),)


async def crop(_: NodeContext, inputs: dict[str, Any]) -> tuple[Images]:
    """ImageCrop."""

    def cropped(frame: Frame) -> Frame:
        left, top = min(inputs["x"], frame.width - 1), min(inputs["y"], frame.height - 1)
        box = (left, top, min(left + inputs["width"], frame.width), min(top + inputs["height"], frame.height))
        draw = pictures.once(lambda: frame.draw().crop(box))
        return Frame(sign("cropped", frame, box), box[2] - left, box[3] - top, draw, frame.facts)

    return (Images(tuple(cropped(frame) for frame in inputs["image"].frames)),)


async def pad(_: NodeContext, inputs: dict[str, Any]) -> tuple[Images, Images]:
    """ImagePadForOutpaint: a grey border, and a mask that is white there."""
    left, top, right, bottom = (inputs[side] for side in ("left", "top", "right", "bottom"))
    frame: Frame = inputs["image"].frames[0]
    width, height = frame.width + left + right, frame.height + top + bottom
    mark = sign("padded", frame, left, top, right, bottom, inputs["feathering"])

    def picture() -> Image.Image:
        padded = pictures.solid(width, height, (128, 128, 128))
        padded.paste(frame.draw().convert("RGB"), (left, top))
        return padded

    def mask() -> Image.Image:
        white = Image.new("L", (width, height), 255)
        white.paste(0, (left, top, left + frame.width, top + frame.height))
        return white

    shown = Frame(mark, width, height, pictures.once(picture), frame.facts)
    return Images((shown,)), Images((Frame(sign(mark, "mask"), width, height, pictures.once(mask)),))


async def converted(context: NodeContext, inputs: dict[str, Any]) -> tuple[Images]:
    """ImageToMask (its red channel for any other name) and MaskToImage."""
    images: Images = inputs.get("image") or inputs["mask"]
    to_mask = context.class_type == "ImageToMask"
    channel = {"green": "G", "blue": "B"}.get(inputs.get("channel", ""), "R")

    def changed(frame: Frame) -> Frame:
        def draw() -> Image.Image:
            picture = frame.draw().convert("RGB")
            return picture.getchannel(channel) if to_mask else picture

        return Frame(
            sign(frame, context.class_type, channel), frame.width, frame.height, pictures.once(draw), frame.facts
        )

    return (Images(tuple(changed(frame) for frame in images.frames)),)


async def size(_: NodeContext, inputs: dict[str, Any]) -> tuple[int, int, int]:
    """GetImageSize."""
    frames = inputs["image"].frames
    return frames[0].width, frames[0].height, len(frames)


async def video_parts(_: NodeContext, inputs: dict[str, Any]) -> tuple[Images, Audio, float]:
    """GetVideoComponents."""
    video: Video = inputs["video"]
    seconds = len(video.images.frames) / video.fps
    return video.images, video.audio or Audio(sign(video, "audio"), seconds), video.fps


FUNCTIONS: dict[str, NodeFunction] = {
    "LoadImage": load,
    "LoadImageMask": load_mask,
    "EmptyImage": empty,
    "SolidMask": solid_mask,
    "ImageScale": scale,
    "ImageScaleBy": scale,
    "ImageScaleToTotalPixels": scale,
    "ImageUpscaleWithModel": upscale,
    "ImageBatch": batch,
    "ImageFromBatch": from_batch,
    "RepeatImageBatch": repeat,
    "ImageInvert": invert,
    "InvertMask": invert,
    "ImageCrop": crop,
    "ImagePadForOutpaint": pad,
    "ImageToMask": converted,
    "MaskToImage": converted,
    "GetImageSize": size,
    "GetVideoComponents": video_parts,
}

"""Any class: typed values are passed along, changed in their signs by everything the node was given."""

from typing import Any

from spoonkernel.testing.comfy_sim import pictures
from spoonkernel.testing.comfy_sim.nodes.context import NodeContext
from spoonkernel.testing.comfy_sim.values import (
    Audio,
    Facts,
    Frame,
    Images,
    Latent,
    Sample,
    Thing,
    Video,
    merged,
    sign,
)

TOLD = ("text", "steps", "scheduler", "denoise", "sampler_name", "cfg", "guidance")
PLAIN: dict[str, Any] = {"INT": 0, "FLOAT": 0.0, "STRING": "", "BOOLEAN": False}
NEW_MODELS = ("flux", "sd3", "wan", "qwen", "hunyuan", "lumina", "hidream", "ae.")
EMPTY_16 = ("SD3", "Hunyuan", "Flux", "Wan", "Mochi", "Chroma", "Qwen")
SIDE = 512  # of a picture whose size nobody told


async def passed_along(context: NodeContext, inputs: dict[str, Any]) -> tuple[Any, ...]:
    """The outputs of a class that has no behaviour of its own here."""
    types = context.catalog.outputs(context.class_type)
    weights = [context.model_bytes[value] for value in inputs.values() if _names_model(context, value)]
    base = sign(context.class_type, inputs, weights)
    return tuple(_output(context, kind, slot, base, inputs) for slot, kind in enumerate(types))


def told(inputs: dict[str, Any]) -> dict[str, Any]:
    """The facts of a node: its own values and those of its inputs, the negative prompt under its own name."""
    facts = {name: inputs[name] for name in TOLD if isinstance(inputs.get(name), str | int | float)}
    if "noise_seed" in inputs:
        facts["seed"] = inputs["noise_seed"]
    negative = getattr(inputs.get("negative"), "facts", {}).get("text")
    if negative is not None:
        facts["negative"] = negative
    return merged({"own": _Told(facts)} | {name: value for name, value in inputs.items() if name != "negative"})


def model_channels(name: str) -> int:
    """How many channels the latents of a model of this name have."""
    return 16 if any(part in name.lower() for part in NEW_MODELS) else 4


class _Told:
    def __init__(self, facts: Facts) -> None:
        self.facts = facts


def _names_model(context: NodeContext, value: Any) -> bool:
    return isinstance(value, str) and value in context.model_bytes


def _output(context: NodeContext, kind: Any, slot: int, base: str, inputs: dict[str, Any]) -> Any:
    marked = sign(base, slot)
    match kind:
        case "IMAGE" | "MASK":
            return _images(kind, marked, inputs)
        case "LATENT":
            return _latent(context, marked, inputs)
        case "AUDIO":
            given = _first(inputs, Audio)
            seconds = given.seconds if given else float(inputs.get("seconds", inputs.get("duration", 1.0)))
            return Audio(marked, seconds, tone_hz=given.tone_hz if given else 0, facts=told(inputs))
        case "VIDEO":
            given = _first(inputs, Video)
            shown = _first(inputs, Images) or _images("IMAGE", marked, inputs)
            return given or Video(shown, float(inputs.get("fps", 8.0)), _first(inputs, Audio))
        case "INT" | "FLOAT" | "STRING" | "BOOLEAN":
            return _plain(kind, inputs)
        case _:
            return Thing(str(kind), marked, _facts_of(context, inputs))


def _facts_of(context: NodeContext, inputs: dict[str, Any]) -> dict[str, Any]:
    facts = told(inputs)
    names = [value for value in inputs.values() if _names_model(context, value)]
    if names:
        stems = [name.rsplit("/", 1)[-1].rsplit(".", 1)[0] for name in names]
        facts["model"] = " + ".join(filter(None, [str(facts.get("model", "")), *stems]))
        facts.setdefault("channels", max(model_channels(name) for name in names))
    return facts


def _first(inputs: dict[str, Any], kind: type) -> Any:
    return next((value for value in inputs.values() if isinstance(value, kind)), None)


def _plain(kind: str, inputs: dict[str, Any]) -> Any:
    wanted = type(PLAIN[kind])
    if "value" in inputs and isinstance(inputs["value"], int | float | str):
        return wanted(inputs["value"])
    return next((value for value in inputs.values() if type(value) is wanted), PLAIN[kind])


def _images(kind: str, marked: str, inputs: dict[str, Any]) -> Images:
    given = _first(inputs, Images)
    if given:
        return Images(tuple(_tinted(frame, sign(marked, number)) for number, frame in enumerate(given.frames)))
    width, height = int(inputs.get("width", SIDE)), int(inputs.get("height", SIDE))
    facts = told(inputs)

    def draw() -> Any:
        picture = pictures.labelled(pictures.landscape(marked, width, height, facts), pictures.words(facts))
        return picture.convert("L") if kind == "MASK" else picture

    return Images((Frame(marked, width, height, pictures.once(draw), facts),))


def _tinted(frame: Frame, marked: str) -> Frame:
    return Frame(
        marked, frame.width, frame.height, pictures.once(lambda: pictures.tint(frame.draw(), marked)), frame.facts
    )


def _latent(context: NodeContext, marked: str, inputs: dict[str, Any]) -> Latent:
    given = _first(inputs, Latent)
    if given:
        changed = tuple(
            Sample(sign(marked, number), {**sample.facts}, sample.picture, sample.mask, sample.channels)
            for number, sample in enumerate(given.samples)
        )
        return Latent(given.width, given.height, changed, given.batch_index)
    width, height = int(inputs.get("width", SIDE)), int(inputs.get("height", SIDE))
    facts: dict[str, Any] = {name: inputs[name] for name in ("length", "seconds") if name in inputs}
    channels = 16 if any(part in context.class_type for part in EMPTY_16) else 4
    source = _first(inputs, Images)
    picture = source.frames[0] if source else None
    empty = Sample(sign("empty", context.class_type, facts, picture), facts, picture, channels=channels)
    return Latent(width, height, (empty,) * max(1, int(inputs.get("batch_size", 1))))

"""Texts and plain values."""

from typing import Any

from spoonkernel.testing.comfy_sim.nodes.context import NodeContext, NodeFunction, Outcome
from spoonkernel.testing.comfy_sim.values import Thing, sign

FAILS = "SIMULATE_ERROR"
"""A prompt with this word fails while it runs: for trying out what happens then."""


async def encode(context: NodeContext, inputs: dict[str, Any]) -> tuple[Any, ...]:
    """Every class that makes a conditioning of texts."""
    names = ("text", "text_g", "text_l", "clip_l", "t5xxl", "prompt", "tags", "lyrics", "user_prompt")
    said = [inputs[name] for name in names if isinstance(inputs.get(name), str) and inputs[name]]
    if any(FAILS in text for text in said):
        raise RuntimeError(f"the prompt says {FAILS}, so this node fails")
    text = said[0] if said else ""
    return (Thing("CONDITIONING", sign(context.class_type, inputs), {"text": text}),)


async def joined(_: NodeContext, inputs: dict[str, Any]) -> tuple[str]:
    """StringConcatenate."""
    return (f"{inputs['string_a']}{inputs.get('delimiter', '')}{inputs['string_b']}",)


async def replaced(_: NodeContext, inputs: dict[str, Any]) -> tuple[str]:
    """StringReplace."""
    return (inputs["string"].replace(inputs["find"], inputs["replace"]),)


async def part(_: NodeContext, inputs: dict[str, Any]) -> tuple[str]:
    """StringSubstring."""
    return (inputs["string"][inputs["start"] : inputs["end"]],)


async def length(_: NodeContext, inputs: dict[str, Any]) -> tuple[int]:
    """StringLength."""
    return (len(inputs["string"]),)


async def shown(_: NodeContext, inputs: dict[str, Any]) -> Outcome:
    """PreviewAny: a list of texts under `text`."""
    source = inputs.get("source")
    told = source if isinstance(source, str) else repr(source) if isinstance(source, int | float | list) else None
    return Outcome((), {"text": ["source exists, but could not be serialized." if told is None else told]})


FUNCTIONS: dict[str, NodeFunction] = {
    **dict.fromkeys(
        (
            "CLIPTextEncode",
            "CLIPTextEncodeSDXL",
            "CLIPTextEncodeSDXLRefiner",
            "CLIPTextEncodeFlux",
            "CLIPTextEncodeSD3",
            "CLIPTextEncodeHunyuanDiT",
            "CLIPTextEncodeHiDream",
            "CLIPTextEncodeLumina2",
            "CLIPTextEncodePixArtAlpha",
            "TextEncodeAceStepAudio",
            "TextEncodeQwenImageEdit",
            "TextEncodeQwenImageEditPlus",
        ),
        encode,
    ),
    "StringConcatenate": joined,
    "StringReplace": replaced,
    "StringSubstring": part,
    "StringLength": length,
    "PreviewAny": shown,
}

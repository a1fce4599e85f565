"""How a picture was made, read from the file: ComfyUI, A1111 (and Forge, Civitai), InvokeAI, SwarmUI, and our own.

PNG, JPEG and WebP are read. Of ComfyUI's graphs only the JSON is parsed here: what its nodes mean is known elsewhere.
"""

from typing import Any

from spoonkernel.media.metadata.a1111 import is_a1111, read_a1111
from spoonkernel.media.metadata.generation import (
    GenerationMetadata,
    Lora,
    mapping_of,
    parse_json,
    plain_model,
    text_of,
)
from spoonkernel.media.metadata.invokeai import read_invokeai, read_sd_metadata
from spoonkernel.media.metadata.swarmui import PARAMETERS, read_swarmui
from spoonkernel.media.metadata.texts import read_texts

__all__ = ["GenerationMetadata", "Lora", "read_metadata"]


def read_metadata(content: bytes) -> GenerationMetadata:
    """Everything a picture says about how it was made. Never raises: what cannot be read is in `warnings`.

    A file may hold several descriptions (a ComfyUI graph with an A1111 text beside it). They are read in the order
    ours, InvokeAI, SwarmUI, ComfyUI, A1111: the first gives `source`, and each value comes from the first that has it.
    It blocks, up to seconds for a hostile file: use a thread.
    """
    metadata = GenerationMetadata()
    metadata.raw = read_texts(content, metadata.warn)
    _read_spoon(metadata)
    for name, read in {"invokeai_metadata": read_invokeai, "sd-metadata": read_sd_metadata}.items():
        if found := _object(metadata, name):
            read(found, metadata)
    text, parsed = _parameters(metadata)
    if parsed is not None:
        read_swarmui(parsed, metadata)
    _read_comfyui(metadata)
    if text and parsed is None:
        read_a1111(text, metadata)
    return metadata


def _read_spoon(metadata: GenerationMetadata) -> None:
    """Our record, in the words of our own objects."""
    found = _object(metadata, "spoon")
    if found is None:
        return
    metadata.spoon = found
    metadata.take(
        "spoon",
        prompt=text_of(found.get("prompt_text")),
        negative_prompt=text_of(found.get("negative_prompt")),
        seed=metadata.seed_of(found.get("seed")),
        steps=metadata.steps_of(found.get("steps")),
        cfg_scale=metadata.cfg_of(found.get("cfg_scale")),
        sampler_name=text_of(found.get("sampler_name")),
        scheduler=text_of(found.get("scheduler")),
        width=metadata.side_of(found.get("width")),
        height=metadata.side_of(found.get("height")),
        model=plain_model(found.get("model")),
    )


def _read_comfyui(metadata: GenerationMetadata) -> None:
    """The two graphs. Another program's `prompt` may be plain text, which is no mistake of the file."""
    if "{" in metadata.raw.get("prompt", "")[:8]:
        graph = _object(metadata, "prompt") or {}
        if any("class_type" in mapping_of(node) for node in graph.values()):
            metadata.take("comfyui", comfy_prompt=graph)
    if "{" in metadata.raw.get("workflow", "")[:8]:
        workflow = _object(metadata, "workflow") or {}
        if isinstance(workflow.get("nodes"), list):
            metadata.take("comfyui", comfy_workflow=workflow)


def _parameters(metadata: GenerationMetadata) -> tuple[str, dict[str, Any] | None]:
    """The text that A1111 and SwarmUI share a place for, and SwarmUI's object when it is that."""
    for name in ("parameters", "UserComment", "ImageDescription"):
        text = metadata.raw.get(name, "")
        is_object = text.lstrip().startswith("{")  # or a prompt: dynamic prompts begin so too
        if is_object and PARAMETERS in text:
            found = _object(metadata, name) or {}
            if isinstance(found.get(PARAMETERS), dict):
                return text, found
        if is_a1111(text) or (text and name == "parameters" and not is_object):
            return text, None
    return "", None


def _object(metadata: GenerationMetadata, name: str) -> dict[str, Any] | None:
    if name not in metadata.raw:
        return None
    try:
        found = parse_json(metadata.raw[name])
    except ValueError as error:
        metadata.warn(f"The text {name!r} cannot be read as JSON: {str(error)[:200]}")
        return None
    if isinstance(found, dict):
        return found
    metadata.warn(f"The text {name!r} is JSON, but no object")
    return None

"""InvokeAI's `invokeai_metadata` (versions 3 to 5) and `sd-metadata` (version 2), both JSON.

Sources: `invokeai/app/invocations/metadata.py` (`CoreMetadata`) and, for version 2, `ldm/invoke/pngwriter.py` and the
`metadata` section of its docs, in github.com/invoke-ai/InvokeAI.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from spoonkernel.media.metadata.generation import (
    GenerationMetadata,
    Lora,
    mapping_of,
    plain_model,
    text_of,
    weight_of,
)
from spoonkernel.media.metadata.samplers import from_invoke

_NEGATIVES = re.compile(r"\[([^\[\]]*)\]")


def read_invokeai(found: Mapping[str, Any], metadata: GenerationMetadata) -> None:
    """`invokeai_metadata`: flat, with models as `{"model_name"}` (3) or `{"key", "hash", "name"}` (4 and 5)."""
    sampler, scheduler = from_invoke(text_of(found.get("scheduler")))
    model = mapping_of(found.get("model"))
    metadata.take(
        "invokeai",
        prompt=text_of(found.get("positive_prompt")),
        negative_prompt=text_of(found.get("negative_prompt")),
        seed=metadata.seed_of(found.get("seed")),
        steps=metadata.steps_of(found.get("steps")),
        cfg_scale=metadata.cfg_of(found.get("cfg_scale")),
        sampler_name=sampler,
        scheduler=scheduler,
        width=metadata.side_of(found.get("width")),
        height=metadata.side_of(found.get("height")),
        model=_name(model),
        model_hash=text_of(model.get("hash")),
        loras=list(_loras(found.get("loras"))),
    )


def read_sd_metadata(found: Mapping[str, Any], metadata: GenerationMetadata) -> None:
    """`sd-metadata`: one `image` inside, the negative prompt in square brackets within the prompt."""
    images = found.get("images")
    image = mapping_of(found.get("image") or (images[0] if isinstance(images, list) and images else None))
    whole = " ".join(_prompts(image.get("prompt")))
    negatives = [part.strip() for part in _NEGATIVES.findall(whole)]
    sampler, scheduler = from_invoke(text_of(image.get("sampler")))
    metadata.take(
        "invokeai",
        prompt=re.sub(r"  +", " ", _NEGATIVES.sub("", whole)).strip(),
        negative_prompt=", ".join(part for part in negatives if part),
        seed=metadata.seed_of(image.get("seed")),
        steps=metadata.steps_of(image.get("steps")),
        cfg_scale=metadata.cfg_of(image.get("cfg_scale")),
        sampler_name=sampler,
        scheduler=scheduler,
        width=metadata.side_of(image.get("width")),
        height=metadata.side_of(image.get("height")),
        model=plain_model(found.get("model_weights") or found.get("model")),
        model_hash=text_of(found.get("model_hash")),
    )


def _loras(found: Any) -> Iterator[Lora]:
    for item in found if isinstance(found, list) else []:
        lora = mapping_of(item)
        model = mapping_of(lora.get("model") or lora.get("lora"))
        if name := _name(model):
            yield Lora(name, weight_of(lora.get("weight")), text_of(model.get("hash")))


def _name(model: Mapping[str, Any]) -> str | None:
    return plain_model(model.get("name") or model.get("model_name"))


def _prompts(found: Any) -> Iterator[str]:
    """A text, or a list of weighted ones."""
    for item in found if isinstance(found, list) else [found]:
        text = text_of(item) or text_of(mapping_of(item).get("prompt"))
        if text:
            yield text

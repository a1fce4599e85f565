"""SwarmUI's JSON in `parameters` (PNG) or UserComment (EXIF): `docs/Image Metadata Format.md` of
github.com/mcmonkeyprojects/SwarmUI. Values may be text where one expects numbers, and lists may be joined by commas.
"""

from collections.abc import Mapping
from typing import Any

from spoonkernel.media.metadata.generation import (
    GenerationMetadata,
    Lora,
    mapping_of,
    plain_model,
    text_of,
    weight_of,
)

PARAMETERS, MODELS = "sui_image_params", "sui_models"


def read_swarmui(found: Mapping[str, Any], metadata: GenerationMetadata) -> None:
    """`sui_image_params` with the hashes of `sui_models`, where the server's setting writes those."""
    values = mapping_of(found.get(PARAMETERS))
    hashes = _hashes(found.get(MODELS))
    model = text_of(values.get("model"))
    metadata.take(
        "swarmui",
        prompt=text_of(values.get("prompt")),
        negative_prompt=text_of(values.get("negativeprompt")),
        seed=metadata.seed_of(values.get("seed")),
        steps=metadata.steps_of(values.get("steps")),
        cfg_scale=metadata.cfg_of(values.get("cfgscale")),
        sampler_name=text_of(values.get("sampler")),
        scheduler=text_of(values.get("scheduler")),
        width=metadata.side_of(values.get("width")),
        height=metadata.side_of(values.get("height")),
        model=plain_model(model),
        model_hash=hashes.get(model or ""),
        loras=_loras(values, hashes),
    )


def _loras(values: Mapping[str, Any], hashes: Mapping[str, str]) -> list[Lora]:
    names, weights = _listed(values.get("loras")), _listed(values.get("loraweights"))
    weights += ["1"] * (len(names) - len(weights))
    pairs = zip(names, weights, strict=False)
    return [Lora(plain_model(name) or name, weight_of(weight), hashes.get(name)) for name, weight in pairs]


def _hashes(found: Any) -> dict[str, str]:
    """Hash by the name that the parameters use: without the ending `.safetensors`."""
    models = [mapping_of(item) for item in found] if isinstance(found, list) else []
    pairs = [(text_of(model.get("name")), text_of(model.get("hash"))) for model in models]
    return {name.removesuffix(".safetensors"): value.removeprefix("0x") for name, value in pairs if name and value}


def _listed(found: Any) -> list[str]:
    if isinstance(found, list):
        return [str(item) for item in found if isinstance(item, str | int | float)]
    return [item.strip() for item in (text_of(found) or "").split(",") if item.strip()]

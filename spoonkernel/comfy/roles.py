"""Which inputs of a graph are its steps, its size, its checkpoint: the API reference's parameter names, found.

Everything is read back from the primary sampler: its schedule (guider, sigmas), its latent, its model, its prompt.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from spoonkernel.comfy.graph import Input
from spoonkernel.comfy.prompts import PromptRoles, prompts_of
from spoonkernel.comfy.samplers import (
    before,
    draws_noise,
    is_bundle,
    latents,
    models,
    plain,
    primary,
    samplers,
    schedule,
)
from spoonkernel.comfy.seeds import SeedMap, seeds_of
from spoonkernel.comfy.wiring import Wiring

ALIASES = {
    "prompt_text": "prompt",
    "positive_prompt": "prompt",
    "negative": "negative_prompt",
    "cfg": "cfg_scale",
    "noise_seed": "seed",
    "sampler": "sampler_name",
    "checkpoint": "checkpoint_name",
    "ckpt_name": "checkpoint_name",
    "batch": "batch_size",
}
"""Other names under which people give the same parameter."""

PACE: Mapping[str, tuple[str, ...]] = {
    "steps": ("steps",),
    "cfg_scale": ("cfg", "cfg_scale", "cfg_conds"),
    "sampler_name": ("sampler_name", "sampler"),
    "scheduler": ("scheduler",),
}
"""Fields of samplers and of the nodes that pace them, by role."""

LENGTHS = ("length", "video_frames", "num_frames", "frames")
CHECKPOINT_FIELDS = re.compile(r"^(base_)?(ckpt|unet|checkpoint|model|diffusion_model)(_name|_path)?$", re.IGNORECASE)
LORA_FIELDS = re.compile(r"^lora(_name)?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Roles:
    """What a graph's parameters are. `inputs` holds, by role, where each is set (behind all links).

    `steps`, `cfg_scale`, `sampler_name` and `scheduler` name the primary sampler's input and those of the other
    samplers that agree with it in the template (a refiner, a second pass with the same settings); a sampler with its
    own value, and a pass without noise, keeps it. `cfg_scale` is a guidance input only in a graph without any cfg. Size
    and batch are those of the latent that the primary sampler starts from, the checkpoint that of its loader. Several
    images and LoRAs are numbered: `image`, `image_2`, ... `denoise` is the primary sampler's own.
    """

    inputs: Mapping[str, tuple[Input, ...]]
    prompts: PromptRoles
    seeds: SeedMap
    primary: str | None

    def of(self) -> dict[Input, str]:
        """The role of each input that has one."""
        return {where: role for role, found in reversed(list(self.inputs.items())) for where in found}


def roles_of(wiring: Wiring) -> Roles:
    """The roles of a graph's inputs; those that it does not have are missing."""
    return wiring.once("roles", lambda: _roles(wiring))


def _roles(wiring: Wiring) -> Roles:
    prompts, seeds = prompts_of(wiring), seeds_of(wiring)
    sampler = primary(wiring)
    found: dict[str, Iterable[Input]] = {
        "prompt": prompts.write_positive,
        "negative_prompt": prompts.write_negative,
        "seed": [one.origin for one in seeds.settable],
    }
    if sampler is not None:
        found |= {role: _agreeing(wiring, sampler, fields) for role, fields in PACE.items()}
        found |= _guided(wiring, sampler, bool(found["cfg_scale"]))
        found["denoise"] = _named(wiring, schedule(wiring, sampler), ("denoise",))[:1]
        found |= _sized(wiring, sampler)
        found["checkpoint_name"] = _checkpoint(wiring, sampler)
        found |= _numbered("lora", [where for where, _ in loras(wiring, sampler) if LORA_FIELDS.match(where.field)])
    found |= _numbered("image", list(_images(wiring)))
    found["filename_prefix"] = _named(wiring, wiring.running, ("filename_prefix",))
    settled = {role: tuple(dict.fromkeys(_origins(wiring, inputs))) for role, inputs in found.items()}
    return Roles({role: inputs for role, inputs in settled.items() if inputs}, prompts, seeds, sampler)


def loras(wiring: Wiring, sampler: str) -> list[tuple[Input, dict[str, Any]]]:
    """The LoRAs on a sampler's model, in the order in which they are applied: the input that holds one, and
    `{"name", "strength_model", "strength_clip"}` (the strengths that the node has). rgthree's loader holds each as
    one value, `{"on", "lora", "strength", "strengthTwo"?}`."""
    found = []
    for node_id in reversed(models(wiring, sampler)):
        for where, value in wiring.inputs(node_id):
            if isinstance(value, Mapping) and value.get("on") and "lora" in value:
                strength = value.get("strength", 1)
                both = {"strength_model": strength, "strength_clip": value.get("strengthTwo") or strength}
                found.append((where, {"name": value["lora"]} | both))
            elif LORA_FIELDS.match(where.field) and (name := plain(wiring, node_id, where.field)) not in (None, "None"):
                strengths = {key: plain(wiring, node_id, key) for key in ("strength_model", "strength_clip")}
                found.append((where, {"name": name} | {key: one for key, one in strengths.items() if one is not None}))
    return found


def _origins(wiring: Wiring, found: Iterable[Input]) -> Iterator[Input]:
    for where in found:
        if (origin := wiring.origin(where)) is not None:
            yield origin


def _named(wiring: Wiring, node_ids: Iterable[str], fields: tuple[str, ...]) -> list[Input]:
    """The settable inputs with one of these names."""
    return [
        where
        for node_id in node_ids
        for where, _ in wiring.inputs(node_id)
        if where.field in fields and wiring.origin(where) is not None
    ]


def _agreeing(wiring: Wiring, sampler: str, fields: tuple[str, ...]) -> list[Input]:
    found = _named(wiring, schedule(wiring, sampler), fields)[:1]
    if not found:
        return []
    value = plain(wiring, *found[0])
    for other in samplers(wiring):
        staged = any(where.field == "add_noise" for where, _ in wiring.inputs(other))
        if other != sampler and (staged or draws_noise(wiring, other)):
            found += [
                one for one in _named(wiring, schedule(wiring, other), fields)[:1] if plain(wiring, *one) == value
            ]
    return found


def _guided(wiring: Wiring, sampler: str, has_cfg: bool) -> dict[str, Iterable[Input]]:
    chain = [sampler, *before(wiring, sampler, lambda _, kind: is_bundle(kind))]
    guidance = _named(wiring, chain, ("guidance",))
    return {"guidance": guidance} if has_cfg else {"guidance": guidance, "cfg_scale": guidance}


def _sized(wiring: Wiring, sampler: str) -> dict[str, Iterable[Input]]:
    chain = latents(wiring, sampler)
    having = {one: {where.field for where, _ in wiring.inputs(one)} for one in chain}
    source = [one for one in chain if {"width", "height"} <= having[one]][-1:]
    batch = _named(wiring, reversed(chain), ("batch_size",)) or _named(
        wiring, [one for one in chain if wiring.graph[one]["class_type"] == "RepeatLatentBatch"], ("amount",)
    )
    return {
        "width": _named(wiring, source, ("width",)),
        "height": _named(wiring, source, ("height",)),
        "batch_size": batch[:1],
        "length": _named(wiring, reversed(chain), LENGTHS)[:1],
    }


def _checkpoint(wiring: Wiring, sampler: str) -> list[Input]:
    for node_id in models(wiring, sampler)[1:]:
        fields = list(wiring.inputs(node_id))
        if not any(wiring.type_of(where) == "MODEL" for where, _ in fields):
            named = [where for where, _ in fields if CHECKPOINT_FIELDS.match(where.field)]
            if named and wiring.origin(named[0]):
                return named[:1]
    return []


def _images(wiring: Wiring) -> Iterator[Input]:
    for node_id in wiring.running:
        for where, _ in wiring.inputs(node_id):
            if is_image(wiring, where):
                yield where


def is_image(wiring: Wiring, where: Input) -> bool:
    """Whether an input names an uploaded picture."""
    spec = wiring.input_spec(where)
    if spec is not None:
        return bool(spec.options.get("image_upload"))
    kind = str(wiring.graph[where.node_id]["class_type"])
    return kind.startswith("LoadImage") and where.field == "image" and wiring.spec(where.node_id) is None


def _numbered(role: str, found: list[Input]) -> dict[str, Iterable[Input]]:
    return {role if number == 1 else f"{role}_{number}": [one] for number, one in enumerate(found, start=1)}

"""The nodes of a graph that make something (samplers and API nodes), and the one that the others build on.

Found by types and names, not by class: a sampler reads conditioning (or a guider, a pipe, text embeddings) together
with a seed, noise, sigmas or steps; an API node takes its prompt as plain text and answers with media.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from spoonkernel.comfy.graph import Input
from spoonkernel.comfy.wiring import SEED_NAMES, Wiring

PROMPT_FIELDS = re.compile(r"(^|_)(prompts?|text|description|lyrics|tags|wildcard)(_|$)", re.IGNORECASE)
"""Names of text inputs that hold a prompt (`prompt`, `negative_prompt`, `prompt_text`, `text_g`)."""


def is_bundle(kind: str) -> bool:
    """Whether a type carries a prompt towards a sampler: conditioning, what guides, and what packs such things."""
    return kind == "GUIDER" or any(part in kind.upper() for part in ("COND", "PIPE", "EMBED"))


def samplers(wiring: Wiring) -> tuple[str, ...]:
    """The running nodes that make latents or media from a prompt, in the graph's order."""
    return wiring.once(
        "samplers", lambda: tuple(one for one in wiring.running if _samples(wiring, one) or is_generator(wiring, one))
    )


def is_generator(wiring: Wiring, node_id: str) -> bool:
    """Whether a node makes media from text by itself, as the API nodes do."""
    spec = wiring.spec(node_id)
    kinds = {where: wiring.type_of(where) for where, _ in wiring.inputs(node_id)}
    if not any(kind == "STRING" and PROMPT_FIELDS.search(where.field) for where, kind in kinds.items()):
        return False
    if any(is_bundle(kind) for kind in kinds.values()):
        return False
    if not (spec is not None and spec.is_api_node) and not any(SEED_NAMES.search(where.field) for where in kinds):
        return False
    outputs = [kind for kind, _ in wiring.outputs(node_id)]
    makes = any(kind not in {"STRING", "MODEL", "CLIP", "INT", "FLOAT", "*"} for kind in outputs) or spec is None
    return (makes or bool(spec and spec.is_output)) and not any(is_bundle(kind) for kind in outputs)


def _samples(wiring: Wiring, node_id: str) -> bool:
    kinds = {where: wiring.type_of(where) for where, _ in wiring.inputs(node_id)}
    if not any(is_bundle(kind) and wiring.link(where) for where, kind in kinds.items()):
        return False
    works = any(
        kind in {"NOISE", "SIGMAS"} or where.field == "steps" or SEED_NAMES.search(where.field)
        for where, kind in kinds.items()
    )
    outputs = wiring.outputs(node_id)
    return works and (not outputs or any(not is_bundle(kind) for kind, _ in outputs))


def before(wiring: Wiring, node_id: str, follow: Callable[[Input, str], bool]) -> Iterator[str]:
    """The nodes that feed a node through the inputs that `follow` (given input and type) accepts, nearest first."""
    seen = {node_id}
    waiting = [node_id]
    while waiting:
        here = waiting.pop(0)
        for where, _ in wiring.inputs(here):
            link = wiring.link(where)
            if link and link.node_id not in seen and follow(where, wiring.type_of(where)):
                seen.add(link.node_id)
                waiting.append(link.node_id)
                yield link.node_id


def schedule(wiring: Wiring, sampler: str) -> list[str]:
    """The sampler and the nodes that guide and pace it: guider, sigmas, sampler choice, noise, pipes."""
    kinds = {"GUIDER", "SIGMAS", "SAMPLER", "NOISE"}
    return [sampler, *before(wiring, sampler, lambda _, kind: kind in kinds or "PIPE" in kind)]


def latents(wiring: Wiring, sampler: str) -> list[str]:
    """The sampler and the nodes that its latent comes through, nearest first, up to the next sampler before it."""
    others = set(samplers(wiring)) - {sampler}

    def follow(where: Input, kind: str) -> bool:
        link = wiring.link(where)
        carries = kind == "LATENT" or "PIPE" in kind or "EMBED" in kind
        return carries and where.node_id not in others and bool(link and link.node_id not in others)

    return [sampler, *before(wiring, sampler, follow)]


def models(wiring: Wiring, sampler: str) -> list[str]:
    """The sampler and the nodes that its model comes through (LoRAs, patches, the loader), nearest first."""

    def follow(where: Input, kind: str) -> bool:
        return kind in {"MODEL", "GUIDER"} or "PIPE" in kind or where.field == "model"

    return [sampler, *before(wiring, sampler, follow)]


def plain(wiring: Wiring, node_id: str, field: str) -> Any:
    """The value that reaches an input, wherever it is set; None where it is missing or computed."""
    origin = wiring.origin(Input(node_id, field))
    return wiring.value(origin) if origin else None


def draws_noise(wiring: Wiring, sampler: str) -> bool:
    """Whether a sampler adds fresh noise: not the second stage of a run, nor a pass without any."""
    if plain(wiring, sampler, "add_noise") in ("disable", False):
        return False
    noise = [link for where, _ in wiring.inputs(sampler) if where.field == "noise" and (link := wiring.link(where))]
    return all(any(SEED_NAMES.search(where.field) for where, _ in wiring.inputs(one.node_id)) for one in noise)


def primary(wiring: Wiring) -> str | None:
    """The sampler that the picture comes from: fresh noise, nothing sampled before it, a full denoise on an empty
    latent; the first such in the graph. None for a graph without samplers."""
    return wiring.once("primary", lambda: _primary(wiring))


def _primary(wiring: Wiring) -> str | None:
    found = samplers(wiring)
    fresh = {one for one in found if draws_noise(wiring, one)}

    def rank(one: str) -> tuple[bool, int, bool, bool, int]:
        earlier = set(before(wiring, one, lambda *_: True)) if len(found) > 1 else set()
        return (
            one not in fresh,
            len(earlier & fresh),
            not _denoises_fully(wiring, one),
            not _starts_empty(wiring, one),
            wiring.order(one),
        )

    return min(found, key=rank, default=None)


def _denoises_fully(wiring: Wiring, sampler: str) -> bool:
    if plain(wiring, sampler, "start_at_step") not in (None, 0):
        return False
    return all(plain(wiring, one, "denoise") in (None, 1) for one in schedule(wiring, sampler))


def _starts_empty(wiring: Wiring, sampler: str) -> bool:
    last = latents(wiring, sampler)[-1]
    kinds = [wiring.type_of(where) for where, _ in wiring.inputs(last) if wiring.link(where)]
    return "IMAGE" not in kinds

"""A1111's `parameters` text, as Forge, Civitai and many nodes write it too: read here, written in `a1111_writer.py`.

    a prompt of any
    number of lines
    Negative prompt: likewise
    Steps: 20, Sampler: Euler a, Schedule type: Karras, CFG scale: 7, Seed: 1, Size: 512x512, Model: "a, b", ...

Grammar: `modules/infotext_utils.py` of AUTOMATIC1111/stable-diffusion-webui 1.10, `parse_generation_parameters`. Its
regular expression takes time squared on a long line without a colon, so this is a scanner of its own.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from spoonkernel.media.metadata.generation import (
    GenerationMetadata,
    Lora,
    clean_text,
    mapping_of,
    parse_json,
    plain_model,
    weight_of,
)
from spoonkernel.media.metadata.samplers import from_a1111

NEGATIVE = "Negative prompt:"
LEAST_PARAMETERS = 3  # fewer are taken for a line of the prompt, as A1111 does
OUR_VERSION = "Spoon"
OUR_PROMPTS = "Spoon prompts"
"""A parameter of ours: both prompts as JSON, where the lines above cannot hold them exactly."""

MAX_LINE = 1024 * 1024
_MAX_PARAMETERS = 500
_KEY = re.compile(r"\w[\w \-/]{1,63}$")
_SIZE = re.compile(r"(\d{1,7})x(\d{1,7})", re.ASCII)
_QUOTED = re.compile(r'"(?:\\.|[^\\"])+"')
_LORA = re.compile(r"<lora:([^:<>]{1,200})(?::([^:<>]{1,20}))?(?::[^:<>]{0,20})?>")


def is_a1111(text: str) -> bool:
    """Whether a text ends in a line of parameters."""
    return _split(text)[1] is not None


def read_a1111(text: str, metadata: GenerationMetadata) -> None:
    """Fill in what a `parameters` text says. Never raises."""
    above, found = _split(text)
    if found is None:
        metadata.warn("The A1111 text has no line of parameters: all of it was taken for the prompt")
    prompt, negative = _prompts(above)
    found = found or {}
    if OUR_PROMPTS in found:
        prompt, negative = _exact(found[OUR_PROMPTS], prompt, negative)
    sampler, scheduler = from_a1111(found.get("Sampler"), found.get("Schedule type"))
    size = _SIZE.fullmatch(found.get("Size", ""))
    hashes = mapping_of(_json(found.get("Hashes")))
    metadata.take(
        "a1111",
        prompt=prompt,
        negative_prompt=negative,
        seed=metadata.seed_of(found.get("Seed")),
        steps=metadata.steps_of(found.get("Steps")),
        cfg_scale=metadata.cfg_of(found.get("CFG scale")),
        sampler_name=sampler,
        scheduler=scheduler,
        width=metadata.side_of(size[1]) if size else None,
        height=metadata.side_of(size[2]) if size else None,
        model=plain_model(found.get("Model")),
        model_hash=found.get("Model hash") or _text(hashes.get("model")),
        loras=_loras(prompt, found, hashes),
    )


def _split(text: str) -> tuple[str, dict[str, str] | None]:
    """The prompts' lines, and the parameters or None.

    The last line that begins with `Steps:` counts, because extensions write more below it; else the last of all. In a
    text of ours it is always the last.
    """
    lines = text.strip().split("\n")
    if _is_ours(found := parameters(lines[-1].strip())):
        return "\n".join(lines[:-1]), found
    candidates = [number for number in range(len(lines) - 1, -1, -1) if lines[number].lstrip().startswith("Steps:")]
    for number in [*candidates[:20], len(lines) - 1]:
        found = parameters(lines[number].strip())
        if len(found) >= LEAST_PARAMETERS:
            return "\n".join(lines[:number]), found
    return text, None


def _is_ours(found: dict[str, str]) -> bool:
    return found.get("Version", "").startswith(OUR_VERSION)


def parameters(line: str) -> dict[str, str]:
    """`Key: value` pairs of a line. Values in quotes may hold commas; so may JSON, as Civitai's `Hashes` is written."""
    return dict(_pairs(line)) if len(line) <= MAX_LINE else {}


def _pairs(line: str) -> Iterator[tuple[str, str]]:
    at = 0
    for _ in range(_MAX_PARAMETERS):
        colon = line.find(":", at)
        if colon < 0:
            return
        at = max(at, line.rfind(",", at, colon) + 1)  # no pair before that comma
        key = _KEY.search(line, max(at, colon - 64), colon)
        value, at = _value(line, colon + 1)
        if key:
            yield key[0].strip(), clean_text(value)


def _value(line: str, at: int) -> tuple[str, int]:
    """The value that begins here, and where the next pair does."""
    at += len(line[at : at + 8]) - len(line[at : at + 8].lstrip())
    if quoted := _QUOTED.match(line, at):
        if line[quoted.end() : quoted.end() + 1] in {"", ","}:
            return _unquoted(quoted[0]), quoted.end() + 1
    elif line[at : at + 1] in {"{", "["}:
        try:
            _, end = json.JSONDecoder().raw_decode(line, at)
        except (ValueError, RecursionError):
            end = -1
        if end >= 0 and line[end : end + 1] in {"", ","}:
            return line[at:end], end + 1
    end = line.find(",", at)
    end = len(line) if end < 0 else end
    return line[at:end].strip(), end + 1


def _unquoted(text: str) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str) else text


def _prompts(text: str) -> tuple[str, str]:
    prompt: list[str] = []
    negative: list[str] | None = None
    for line in text.split("\n"):
        if line.lstrip().startswith(NEGATIVE):
            negative = [*(negative or []), line.lstrip().removeprefix(NEGATIVE).removeprefix(" ")]
        elif negative is None:
            prompt.append(line)
        else:
            negative.append(line)
    return "\n".join(prompt), "\n".join(negative or [])


def _exact(text: str, prompt: str, negative: str) -> tuple[str, str]:
    found = _json(text)
    match found:
        case [str(first), str(second)]:
            return first, second
    return prompt, negative


def _json(text: str | None) -> Any:
    try:
        return parse_json(text) if text else None
    except ValueError:
        return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _loras(prompt: str, found: dict[str, str], hashes: Any) -> list[Lora]:
    """LoRAs named in the prompt (`<lora:name:0.8>`) and in the three lists of hashes and weights."""
    tags = {match[1]: weight_of(match[2] or 1) for match in _LORA.finditer(prompt)}
    weights = tags | {name: weight_of(weight) for name, weight in _listed(found.get("Lora weights"))}
    known: dict[str, str] = {
        name.removeprefix("lora:"): value
        for name, value in hashes.items()
        if name.startswith("lora:") and isinstance(value, str)
    }
    known |= dict(_listed(found.get("Lora hashes")))
    names = dict.fromkeys([*tags, *known, *weights])
    return [Lora(name, weights.get(name), known.get(name)) for name in names]


def _listed(text: str | None) -> Iterator[tuple[str, str]]:
    """`name: value, name: value`, as A1111 writes its hashes."""
    for item in (text or "").split(", "):
        name, colon, value = item.rpartition(": ")
        if colon and name:
            yield name, value

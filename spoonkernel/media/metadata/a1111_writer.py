"""A generation as A1111's `parameters` text, for programs and sites that read nothing else. Read back in `a1111.py`."""

import json
import math
from collections.abc import Mapping, Sequence

from spoonkernel import __version__
from spoonkernel.media.metadata.a1111 import NEGATIVE, OUR_PROMPTS, OUR_VERSION, read_a1111
from spoonkernel.media.metadata.generation import GenerationMetadata, Lora, clean_text, plain_model
from spoonkernel.media.metadata.samplers import to_a1111

SHORT_HASH = 10  # letters of a SHA-256 in hex, as A1111 shows a checkpoint's


def a1111_parameters(
    *,
    prompt: str,
    negative_prompt: str = "",
    seed: int | None = None,
    steps: int | None = None,
    cfg_scale: float | None = None,
    sampler_name: str | None = None,
    scheduler: str | None = None,
    width: int | None = None,
    height: int | None = None,
    model: str | None = None,
    model_sha256: str | None = None,
    loras: Sequence[Lora] = (),
) -> str:
    """The text of a generation; what is not known is left out.

    `read_metadata` reads the same values back, except that a model loses its folders and ending, and text loses what
    no file can hold (NULs, halves of surrogate pairs). Prompts that the grammar cannot hold, such as one with a line
    that begins with `Negative prompt:`, are repeated as JSON in a parameter that other programs ignore.

    Args:
        seed: 0 to 2**64 - 1; A1111 itself goes up to 2**32 - 1.
        sampler_name, scheduler: ComfyUI's names; written in A1111's words where it has the same algorithm.
        model: a file's name, as ComfyUI has it.
        model_sha256: of the whole file, in hex; its first ten letters are written.
        loras: names without commas and colons; A1111 has no place for others.
    """
    prompt, negative_prompt = clean_text(prompt), clean_text(negative_prompt)
    named = {
        "Steps": steps,
        **_sampling(sampler_name, scheduler),
        "CFG scale": _number(cfg_scale),
        "Seed": seed,
        "Size": f"{width}x{height}" if width and height else None,
        "Model hash": model_sha256[:SHORT_HASH].lower() if model_sha256 else None,
        "Model": plain_model(model),
        "Lora hashes": ", ".join(f"{lora.name}: {lora.hash}" for lora in loras if lora.hash),
        "Lora weights": ", ".join(f"{lora.name}: {_number(lora.weight)}" for lora in loras if lora.weight is not None),
        "Version": f"{OUR_VERSION} {__version__} / ComfyUI",
    }
    text = _text(prompt, negative_prompt, named)
    if _read_back(text) == (prompt, negative_prompt):
        return text
    return _text(prompt, negative_prompt, named | {OUR_PROMPTS: json.dumps([prompt, negative_prompt])})


def _text(prompt: str, negative_prompt: str, named: Mapping[str, object]) -> str:
    pairs = [f"{name}: {_quoted(str(value))}" for name, value in named.items() if value not in (None, "")]
    negative = [f"{NEGATIVE} {negative_prompt}"] if negative_prompt else []
    return "\n".join([prompt, *negative, ", ".join(pairs)])


def _sampling(sampler_name: str | None, scheduler: str | None) -> dict[str, str | None]:
    sampler, schedule = to_a1111(sampler_name or "", scheduler or "")
    return {"Sampler": sampler, "Schedule type": schedule}


def _quoted(value: str) -> str:
    """As A1111's `quote`, and also for what its reader would take apart: quotes, spaces at an end, JSON."""
    plain = not any(mark in value for mark in ',:\n"\\') and value.strip() == value and value[0] not in "{["
    return value if plain else json.dumps(value, ensure_ascii=False)


def _number(value: float | None) -> str | None:
    """A number as people write it: `7` and not `7.0`."""
    if value is None or not math.isfinite(value):
        return None
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _read_back(text: str) -> tuple[str, str]:
    read = GenerationMetadata()
    read_a1111(text, read)
    return read.prompt or "", read.negative_prompt or ""

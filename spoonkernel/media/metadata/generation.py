"""How a picture was made, as its metadata say: one shape for what five programs write."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Source = Literal["comfyui", "a1111", "invokeai", "swarmui", "spoon"]

MAX_SEED = 2**64 - 1
MAX_STEPS = 1_000_000
MAX_SIDE_PX = 1_000_000
_MAX_DEPTH = 100  # of JSON; the deepest graphs seen have 12


@dataclass(frozen=True, slots=True)
class Lora:
    """A LoRA in use. `hash` as the writer of the file gave it: A1111 writes 12 hex of a SHA-256 of its own kind."""

    name: str
    weight: float | None = None
    hash: str | None = None


@dataclass(slots=True)
class GenerationMetadata:
    """What a file says about how it was made. Everything may be missing; nothing is guessed.

    Attributes:
        source: whose format was read; a file of ours is `spoon` although ComfyUI wrote it.
        seed: 0 to 2**64 - 1.
        sampler_name, scheduler: in ComfyUI's words (`euler_ancestral`, `karras`) where there is one, else as written.
        width, height: pixels, as the settings said; the picture itself may have been upscaled.
        model: the name without folder and without ending.
        model_hash: as written: 10 hex of SHA-256 (A1111), `blake3:...` (InvokeAI), 64 hex of the tensors (SwarmUI).
        comfy_prompt: the API graph, node id -> `{"class_type", "inputs"}`; its values are the caller's to read.
        comfy_workflow: the graph of ComfyUI's editor.
        spoon: our own record.
        raw: every text of the file by its name; EXIF's are `UserComment`, `ImageDescription`, `Software` and those of
            ComfyUI's WebP (`prompt`, `workflow`).
        warnings: what could not be read, and why; a sentence each.
    """

    source: Source | None = None
    prompt: str | None = None
    negative_prompt: str | None = None
    seed: int | None = None
    steps: int | None = None
    cfg_scale: float | None = None
    sampler_name: str | None = None
    scheduler: str | None = None
    width: int | None = None
    height: int | None = None
    model: str | None = None
    model_hash: str | None = None
    loras: list[Lora] = field(default_factory=list)
    comfy_prompt: dict[str, Any] | None = None
    comfy_workflow: dict[str, Any] | None = None
    spoon: dict[str, Any] | None = None
    raw: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def take(self, source: Source, **found: Any) -> None:
        """Fill what is still empty; the first source that had something to say gives the file its name."""
        self.source = self.source or source
        for name, value in found.items():
            if value not in (None, "", []) and getattr(self, name) in (None, "", []):
                setattr(self, name, value)

    def warn(self, sentence: str) -> None:
        self.warnings.append(sentence)

    def seed_of(self, value: Any) -> int | None:
        return self._whole("seed", value, 0, MAX_SEED)

    def steps_of(self, value: Any) -> int | None:
        return self._whole("number of steps", value, 1, MAX_STEPS)

    def side_of(self, value: Any) -> int | None:
        return self._whole("size", value, 1, MAX_SIDE_PX)

    def cfg_of(self, value: Any) -> float | None:
        """A finite number; programs write it as a number or as text."""
        if value is None:
            return None
        try:
            number = math.nan if isinstance(value, bool | list | dict) else float(value)
        except (ValueError, TypeError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            self.warn(f"The CFG scale {_shown(value)} is no number")
            return None
        return number

    def _whole(self, what: str, value: Any, least: int, most: int) -> int | None:
        if value is None:
            return None
        number = _whole_number(value)
        if number is None or not least <= number <= most:
            self.warn(f"The {what} {_shown(value)} is no whole number from {least} to {most}")
            return None
        return number


def parse_json(text: str) -> Any:
    """JSON as real files have it: `NaN` and `Infinity` (ComfyUI's `is_changed`) become null.

    What a store cannot keep is taken out of strings: NULs, halves of surrogate pairs. Raises `ValueError` for anything
    that is not JSON, nested too deep, or with numbers of thousands of digits.
    """
    try:
        return _clean(json.loads(text, parse_constant=lambda _: None), 0)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def text_of(value: Any) -> str | None:
    """The value where it is text, without what a store cannot keep; else None."""
    return clean_text(value) if isinstance(value, str) else None


def clean_text(text: str) -> str:
    if text.isascii():
        return text.replace("\0", "")
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def plain_model(value: Any) -> str | None:
    """A model's name without its folders and without a file's ending."""
    text = text_of(value)
    if not text:
        return None
    name = text.replace("\\", "/").rpartition("/")[2].strip()
    stem, dot, ending = name.rpartition(".")
    return stem if dot and ending.lower() in _MODEL_ENDINGS else name


def weight_of(value: Any) -> float | None:
    try:
        number = float(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def mapping_of(value: Any) -> Mapping[str, Any]:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


_MODEL_ENDINGS = frozenset({"safetensors", "ckpt", "pt", "pth", "bin", "gguf", "sft"})


def _whole_number(value: Any) -> int | None:
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and value.is_integer() else None
    text = str(value).strip()
    is_whole = isinstance(value, int | str) and not isinstance(value, bool) and len(text) <= 20
    return int(text) if is_whole and text.isascii() and text.isdigit() else None


def _shown(value: Any) -> str:
    return repr(value if isinstance(value, int | float | str) else type(value).__name__)[:40]


def _clean(value: Any, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deep")
    match value:
        case str():
            return clean_text(value)
        case float() if not math.isfinite(value):  # 1e999
            return None
        case list():
            return [_clean(item, depth + 1) for item in value]
        case dict():
            return {clean_text(name): _clean(item, depth + 1) for name, item in value.items()}
    return value

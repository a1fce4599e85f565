"""What flows through the links of a graph. Each value knows its `sign`: a hash of everything that went into it."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

Facts = Mapping[str, Any]
"""What a picture tells of itself: `text`, `negative`, `seed`, `steps`, `cfg`, `sampler_name`, `scheduler`..."""


def sign(*parts: Any) -> str:
    """A hash of values; those of the classes below count with their own sign."""
    return hashlib.blake2b(repr([sign_of(part) for part in parts]).encode(), digest_size=16).hexdigest()


def sign_of(value: Any) -> Any:
    """What stands for a value in a hash."""
    if isinstance(value, Mapping):
        return [(name, sign_of(part)) for name, part in value.items()]
    if isinstance(value, list | tuple):
        return [sign_of(part) for part in value]
    return getattr(value, "sign", value)


def merged(values: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of several inputs; of two that tell the same the first counts."""
    facts: dict[str, Any] = {}
    for value in values.values():
        for name, fact in getattr(value, "facts", {}).items():
            facts.setdefault(name, fact)
    return facts


@dataclass(frozen=True, slots=True)
class Thing:
    """A model, a conditioning, a sampler, sigmas...: whatever is passed along and never looked at."""

    type: str
    sign: str
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture or mask, drawn when it is first needed. Sizes in pixels."""

    sign: str
    width: int
    height: int
    draw: "Callable[[], Image]" = field(repr=False)
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Images:
    """A batch of pictures (IMAGE) or masks (MASK), all of the first one's size."""

    frames: tuple[Frame, ...]

    @property
    def sign(self) -> str:
        return sign([frame.sign for frame in self.frames])

    @property
    def facts(self) -> Facts:
        return self.frames[0].facts if self.frames else {}


@dataclass(frozen=True, slots=True)
class Sample:
    """One latent of a batch. `picture` is what it was encoded from, `mask` where it may change."""

    sign: str
    facts: Facts = field(default_factory=dict)
    picture: Frame | None = None
    mask: Frame | None = None
    channels: int | None = None
    """Of an empty latent that no sampler has touched: 4, or 16 for newer models. None: as its model has them."""


@dataclass(frozen=True, slots=True)
class Latent:
    """A batch of latents (LATENT). Sizes are those of the picture. `batch_index`: which noise each of them draws."""

    width: int
    height: int
    samples: tuple[Sample, ...]
    batch_index: tuple[int, ...] | None = None

    @property
    def sign(self) -> str:
        masks = [sample.mask.sign if sample.mask else None for sample in self.samples]
        return sign(self.width, self.height, [sample.sign for sample in self.samples], masks, self.batch_index)

    @property
    def facts(self) -> Facts:
        return self.samples[0].facts if self.samples else {}


@dataclass(frozen=True, slots=True)
class Audio:
    """A sound (AUDIO): silence at `tone_hz` 0, else one tone."""

    sign: str
    seconds: float
    rate: int = 44_100
    channels: int = 2
    tone_hz: int = 0
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Video:
    """Pictures in time (VIDEO)."""

    images: Images
    fps: float
    audio: Audio | None = None

    @property
    def sign(self) -> str:
        return sign(self.images, self.fps, self.audio)

    @property
    def facts(self) -> Facts:
        return self.images.facts

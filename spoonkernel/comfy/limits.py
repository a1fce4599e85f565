"""What an input accepts, as its server says of it and of the inputs linked to it; and whether a value fits.

Only what the server itself would refuse is refused here (`value_not_in_list`, `value_bigger_than_max`, ...), before
anything is sent and with the node's title instead of its number alone. `step` is advice: the server does not check it.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spoonkernel.comfy.graph import Input
from spoonkernel.comfy.wiring import Wiring
from spoonkernel.errors import ValidationFailed

UPLOADS = ("image_upload", "audio_upload", "video_upload", "animated_image_upload")
"""Options of inputs that name an uploaded file: their list is only what was there when the server was asked."""

SHOWN_CHOICES = 12


@dataclass(frozen=True, slots=True)
class Limits:
    """`type` is `INT`, `FLOAT`, `STRING`, `BOOLEAN`, `COMBO`, or `*` where nothing is known.

    `choices` is empty where any text goes: no choice, a list that the server fetches from elsewhere, or uploaded files.
    """

    type: str
    minimum: float | int | None = None
    maximum: float | int | None = None
    step: float | int | None = None
    choices: tuple[Any, ...] = ()
    uploads: str | None = None


def limits_of(wiring: Wiring, where: Input) -> Limits:
    """What an input accepts together with the inputs that get its value through links."""
    specs = [spec for one in (where, *wiring.readers().get(where, ())) if (spec := wiring.input_spec(one))]
    told = [spec for spec in specs if spec.type != "*"]
    if not told:
        return Limits(wiring.type_of(where))
    types = {spec.type for spec in told}
    kind = "COMBO" if "COMBO" in types else "INT" if "INT" in types else told[0].type
    lows = [low for spec in told if (low := _number_of(spec.options, "min")) is not None]
    highs = [high for spec in told if (high := _number_of(spec.options, "max")) is not None]
    steps = [step for spec in told if (step := _number_of(spec.options, "step")) is not None]
    uploads = next((name for spec in told for name in UPLOADS if spec.options.get(name)), None)
    choices = next((spec.choices for spec in reversed(told) if spec.choices), ())
    return Limits(
        kind,
        max(lows, default=None),
        min(highs, default=None),
        max(steps, default=None),
        () if uploads else choices,
        uploads,
    )


def fitting(wiring: Wiring, where: Input, value: Any) -> Any:
    """The value as the input takes it: strings of digits become numbers where a number is wanted.

    Raises:
        ValidationFailed: it does not fit; names the node's title, the field, the value and what is allowed.
    """
    limits = limits_of(wiring, where)
    kind = limits.type
    if isinstance(value, Mapping | list | tuple) or value is None:
        raise _refused(wiring, where, value, "a single value")
    if kind in {"INT", "FLOAT"}:
        return _within(wiring, where, value, limits)
    if kind == "BOOLEAN":
        truth = {"true": True, "false": False}.get(str(value).lower())
        if truth is None:
            raise _refused(wiring, where, value, "true or false")
        return truth
    if kind == "COMBO":
        return _choice(wiring, where, value, limits.choices)
    if kind == "STRING" and not isinstance(value, str):
        raise _refused(wiring, where, value, "text")
    return value


def _within(wiring: Wiring, where: Input, value: Any, limits: Limits) -> int | float:
    whole = limits.type == "INT"
    number = as_number(value)
    if number is None or (whole and isinstance(number, float) and not number.is_integer()):
        raise _refused(wiring, where, value, "a whole number" if whole else "a number")
    low, high = limits.minimum, limits.maximum
    if (low is not None and number < low) or (high is not None and number > high):
        bounds = (
            f"{low} to {high}" if None not in {low, high} else f"at least {low}" if high is None else f"up to {high}"
        )
        raise _refused(wiring, where, value, bounds)
    return int(number) if whole else number


def as_number(value: Any) -> int | float | None:
    """A number, or a string that spells one; None for anything else, for infinities and for what is no number."""
    if isinstance(value, str):
        if re.fullmatch(r"\s*[+-]?\d{1,25}\s*", value, re.ASCII):
            return int(value)
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def _choice(wiring: Wiring, where: Input, value: Any, choices: tuple[Any, ...]) -> Any:
    if not choices or value in choices:
        return value
    same = [one for one in choices if str(one) == str(value)]
    if not same:
        more = f" and {len(choices) - SHOWN_CHOICES} more" if len(choices) > SHOWN_CHOICES else ""
        raise _refused(wiring, where, value, f"one of {', '.join(map(str, choices[:SHOWN_CHOICES]))}{more}")
    return same[0]


def _refused(wiring: Wiring, where: Input, value: Any, allowed: str) -> ValidationFailed:
    shown = repr(value)
    shown = shown if len(shown) <= 80 else f"{shown[:80]}..."
    return ValidationFailed(f"{wiring.name(where)}: {shown} is not allowed; it takes {allowed}")


def _number_of(options: Mapping[str, Any], name: str) -> int | float | None:
    said = options.get(name)
    return said if isinstance(said, int | float) and not isinstance(said, bool) else None

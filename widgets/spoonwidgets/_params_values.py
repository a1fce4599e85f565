"""The values of a workflow's fields: what they are by default, what they are now, and what a run is asked for."""

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal, get_args

from spoonkernel.comfy.roles import ALIASES
from spoonkernel.errors import ValidationFailed
from spoonkernel.types.workflows import PRESETS
from spoonwidgets._params_fields import PROMPTS, Field, number_of

SeedMode = Literal["fixed", "random", "step"]
"""`fixed` uses the seed, `random` lets the kernel draw one for each run, `step` uses it and then goes on by one."""
RANDOM = -1
"""The seed of `values` while it is random."""
SHOWN = 60
MINUS = "\N{MINUS SIGN}"


class Values:
    """The values of one workflow. A text that does not fit stays as a draft, with the reason, and nothing runs."""

    def __init__(self, fields: Iterable[Field] = (), defaults: Mapping[str, Any] | None = None) -> None:
        self.fields = {one.key: one for one in fields}
        self.given: dict[str, Any] = {}
        self.now: dict[str, Any] = {}
        self.drafts: dict[str, Any] = {}
        self.errors: dict[str, str] = {}
        self.seed_mode: SeedMode = "random"
        self.use_defaults(defaults or {})
        self.reset()

    def use_defaults(self, defaults: Mapping[str, Any]) -> None:
        """The workflow's default parameters, which may name values in several ways. The values stay as they are."""
        named = {name: value for name, value in defaults.items() if name != PRESETS}
        self.given = {key: value for name, value in named.items() if (key := self._key(name))}

    @property
    def has_seed(self) -> bool:
        return "seed" in self.fields

    def default(self, key: str) -> Any:
        """The workflow's default parameter, else what its graph holds. A seed is random by default."""
        field = self.fields[key]
        value = self.given.get(key, RANDOM if key == "seed" else field.own)
        return number_of(value) if field.kind in {"number", "seed"} and isinstance(value, str) else value

    def plain(self) -> dict[str, Any]:
        """Every value by its key, as `values` of the pane shows it."""
        return {key: RANDOM if key == "seed" and self.seed_mode == "random" else now for key, now in self.now.items()}

    def changed(self) -> list[str]:
        """The keys of the values that differ from their defaults, drafts among them."""
        plain = self.plain()
        return [key for key in self.fields if key in self.drafts or plain[key] != self.default(key)]

    def put(self, name: str, value: Any) -> None:
        """Set one value, by its key, another name of it, or an address. Raises `ValidationFailed`, changing nothing."""
        key = self._key(name)
        if key is None:
            raise ValidationFailed(f"{name}: this workflow has no such value; it has {', '.join(self.fields)}")
        if key == "seed" and value in {None, RANDOM, str(RANDOM)}:
            self.seed_mode = "random"
        else:
            try:
                self.now[key] = fitting(self.fields[key], value)
            except ValidationFailed as error:
                raise ValidationFailed(f"{key}: {error.message}") from error
            if key == "seed" and self.seed_mode == "random":
                self.seed_mode = "fixed"
        self._forget(key)

    def put_all(self, given: Mapping[str, Any]) -> None:
        """Set several, all of them or none."""
        before = dict(self.now), self.seed_mode, dict(self.drafts), dict(self.errors)
        try:
            for name, value in given.items():
                self.put(name, value)
        except ValidationFailed:
            self.now, self.seed_mode, self.drafts, self.errors = before
            raise

    def typed(self, key: str, text: Any) -> None:
        """Set a value as it was typed: what does not fit is kept as a draft beside its error."""
        try:
            self.now[key] = fitting(self.fields[key], text)
        except ValidationFailed as error:
            self.drafts[key], self.errors[key] = text, error.message
        else:
            self._forget(key)

    def blame(self, key: str, reason: str) -> None:
        """Put what ComfyUI said of a value beside it; it stays until the value changes."""
        self.errors[key] = reason

    def reset(self, key: str | None = None) -> None:
        """The default again, of one value or of all of them."""
        for one in [key] if key else self.fields:
            value = self.default(one)
            if one == "seed":
                self.seed_mode = "random" if value == RANDOM else "fixed"
                value = self.now.get("seed", self.fields[one].own) if value == RANDOM else value
            self.now[one] = value
            self._forget(one)

    def take(self, values: Mapping[str, Any]) -> list[str]:
        """Set those of the values that fit here, and return the names of the others."""
        left = []
        for name, value in values.items():
            try:
                self.put(name, value)
            except ValidationFailed:
                left.append(name)
        return left

    def use_mode(self, mode: str) -> None:
        if mode not in get_args(SeedMode):
            raise ValidationFailed(f"The seed is one of {', '.join(get_args(SeedMode))}, not {mode!r}")
        self.seed_mode = mode  # type: ignore[assignment]  # it was looked up
        self._forget("seed")

    def check(self) -> None:
        """Raises `ValidationFailed` when a draft does not fit."""
        if self.errors:
            raise ValidationFailed("; ".join(f"{self.fields[key].label}: {why}" for key, why in self.errors.items()))

    def request(self, remembered: Collection[str], offset: int = 0) -> dict[str, Any]:
        """The arguments of `sessions.generate` for a run with these values.

        Args:
            remembered: what the session would carry over: those values are always named.
            offset: of the seed, for one of several runs.
        """
        heard = {"prompt": "prompt_text", "negative_prompt": "negative_prompt"}
        texts: dict[str, Any] = {name: self.now[key] for key, name in heard.items() if key in self.fields}
        parameters: dict[str, Any] = {}
        for key, field in self.fields.items():
            value = self.now[key]
            if key == "prompt" and value == "" and field.own:  # an empty prompt means the workflow's own text
                parameters |= dict.fromkeys(field.addresses, "")
            elif key == "seed":
                parameters |= {} if self.seed_mode == "random" else {key: self._seed(offset)}
            elif key not in PROMPTS and self._is_named(field, value, remembered):
                parameters[key] = value
        return {"prompt_text": "", **texts, "parameters": parameters}

    def step(self, count: int) -> None:
        """Go on to the next seed after `count` runs, where it does so."""
        if self.seed_mode == "step":
            self.now["seed"] = self._seed(count)

    def _seed(self, offset: int) -> int:
        """The seed so many further; after the last one come the first ones."""
        field = self.fields["seed"]
        low, high = int(field.minimum or 0), int(field.maximum or 2**64 - 1)
        return low + (int(self.now["seed"]) - low + offset) % (high - low + 1)

    def _is_named(self, field: Field, value: Any, remembered: Collection[str]) -> bool:
        if value is None or (field.is_missing and value == field.own):
            return False  # the workflow's own model file that is not there: the kernel looks for a like one
        return "." not in field.key or value != field.own or field.key in {*remembered, *self.given}

    def _key(self, name: str) -> str | None:
        name = ALIASES.get(name, name)
        if name in self.fields:
            return name
        return next((key for key, field in self.fields.items() if name in field.addresses), None)

    def _forget(self, key: str) -> None:
        self.drafts.pop(key, None)
        self.errors.pop(key, None)


def fitting(field: Field, value: Any) -> Any:
    """The value as the field takes it; texts become numbers. Raises `ValidationFailed` in words for below the field."""
    if field.kind in {"number", "seed"}:
        return _number(field, value)
    if field.kind == "boolean":
        if not isinstance(value, bool):
            raise ValidationFailed(f"{_short(value)} is neither true nor false.")
        return value
    if field.kind == "choice" and field.options:
        same = [one for one in field.options if one == value or str(one) == str(value)]
        if not same and value != field.own:
            raise ValidationFailed(f"{_short(value)} is not one of its {len(field.options)} choices.")
        return same[0] if same else value
    if not isinstance(value, str):
        raise ValidationFailed(f"{_short(value)} is no text.")
    return value


def _number(field: Field, value: Any) -> int | float:
    if isinstance(value, str) and value.strip() == "":
        raise ValidationFailed("A number is missing here.")
    number = _parsed(value)
    if number is None:
        raise ValidationFailed(f"{_short(value)} is not a number.")
    if field.integer and number != int(number):
        raise ValidationFailed(f"{_short(value)} is not a whole number.")
    low, high = field.minimum, field.maximum
    if high is not None and number > high:
        raise ValidationFailed(f"{_short(value)} is too high: {_range(low, high)}.")
    if low is not None and number < low:
        raise ValidationFailed(f"{_short(value)} is too low: {_range(low, high)}.")
    return int(number) if field.integer else number


def _parsed(value: Any) -> int | float | None:
    """Whole numbers exactly, whatever their size; a comma may stand for the point."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value if math.isfinite(value) else None
    text = str(value).strip().replace(MINUS, "-").replace(",", ".")
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _range(low: int | float | None, high: int | float | None) -> str:
    if low is None or high is None:
        return f"ComfyUI takes {_plain(low if high is None else high)} at {'least' if high is None else 'most'}"
    return f"ComfyUI takes {_plain(low)} to {_plain(high)}"


def _plain(number: int | float | None) -> str:
    text = str(int(number)) if isinstance(number, float) and number.is_integer() else str(number)
    return text.replace("-", MINUS)


def _short(value: Any) -> str:
    text = _plain(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value).strip()
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"

"""What the options drawer takes: text as it was typed, made a value that a request can carry, or refused in words."""

from typing import Any

from pydantic import JsonValue

from spoonkernel.errors import ValidationFailed

LARGEST_SEED = 2**64 - 1


def option(name: str, typed: str) -> JsonValue:
    """The value of one field; None where it is empty, so that the model's own default holds.

    Raises:
        ValidationFailed: it cannot be that; the message says what can.
    """
    text = typed.strip()
    if not text:
        return None
    match name:
        case "temperature":
            return _number(text, 0, 2)
        case "top_p":
            return _number(text, 0, 1)
        case "max_tokens":
            return _whole(text, 1, 10_000_000)
        case "seed":
            return _whole(text, 0, LARGEST_SEED)
        case "stop":
            return [line for line in typed.split("\n") if line]
        case _:
            raise ValidationFailed(f"There is no option {name!r}; reload the page after an update")


def shown(options: dict[str, JsonValue]) -> dict[str, Any]:
    """Options as fields show them: text, so that a 64-bit seed stays exact, and one stop word a line."""
    return {
        name: "\n".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in options.items()
        if value is not None
    }


def _number(text: str, least: float, most: float) -> float:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        raise ValidationFailed(f"{text} is no number") from None
    return float(_within(value, least, most))


def _whole(text: str, least: int, most: int) -> int:
    if not text.removeprefix("-").isdecimal():
        raise ValidationFailed(f"{text} is no whole number")
    return int(_within(int(text), least, most))


def _within(value: Any, least: float, most: float) -> Any:
    if not least <= value <= most:
        way = "low" if value < least else "high"
        raise ValidationFailed(f"{value} is too {way}: it goes from {least} to {most}")
    return value

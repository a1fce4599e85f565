"""How values are spelled in an answer: JSON that loses nothing, with an end to its size."""

import datetime
import decimal
import json
import math
import uuid
from typing import Any

SAFE_INTEGER = 2**53 - 1
"""The largest whole number that JavaScript holds exactly (ECMA-262, Number.MAX_SAFE_INTEGER)."""


def plain(value: Any) -> Any:  # noqa: C901, PLR0911 - one case a line reads best
    """The value as JSON has it: large whole numbers and decimals as digits, times as ISO 8601 in UTC, bytes as hex."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if -SAFE_INTEGER <= value <= SAFE_INTEGER else str(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case decimal.Decimal() | uuid.UUID():
            return str(value)
        case datetime.datetime():
            return _moment(value)
        case datetime.date() | datetime.time():
            return value.isoformat()
        case datetime.timedelta():
            return f"{value.total_seconds():g} s"
        case bytes():
            return value.hex()
        case dict():
            return {str(name): plain(one) for name, one in value.items()}
        case list() | tuple():
            return [plain(one) for one in value]
        case _:
            return str(value)


def _moment(value: datetime.datetime) -> str:
    if value.tzinfo is None:
        return value.isoformat(timespec="milliseconds")
    text = value.astimezone(datetime.UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def distinct(names: list[str]) -> list[str]:
    """The names of an answer's columns, each once: the second `count` is `count_1`."""
    taken: set[str] = set()
    told: list[str] = []
    for name in names:
        fresh, number = name, 0
        while fresh in taken:
            number += 1
            fresh = f"{name}_{number}"
        taken.add(fresh)
        told.append(fresh)
    return told


def objects(
    rows: list[tuple[Any, ...]], names: list[str], types: list[str], max_bytes: int
) -> tuple[list[bytes], bool]:
    """Each row as a JSON object, until `max_bytes` are full; whether all rows fitted. JSON columns become JSON."""
    documents = [name for name, kind in zip(names, types, strict=True) if kind == "JSON"]
    spelled: list[bytes] = []
    size = 0
    for row in rows:
        values = {name: plain(value) for name, value in zip(names, row, strict=True)}
        for name in documents:
            values[name] = _document(values[name])
        text = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
        size += len(text) + 1
        if size > max_bytes:
            return spelled, False
        spelled.append(text)
    return spelled, True


def _document(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    try:
        return plain(json.loads(text))
    except ValueError:
        return text

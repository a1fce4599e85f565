"""Turns a caller's arguments into the contract's objects, with one sentence for whatever does not fit."""

import json
import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from spoonkernel.errors import ValidationFailed
from spoonkernel.vault import is_mask

M = TypeVar("M", bound=BaseModel)
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def checked(model: type[M], /, **fields: Any) -> M:
    """`model` made of `fields`. Raises `ValidationFailed` naming the first field that does not fit."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise ValidationFailed(explain(error.errors(include_url=False, include_context=False)[0])) from None


def explain(problem: Any) -> str:
    """One pydantic error in words: `messages.0.role: Input should be ...`; a missing field is `name is required`."""
    place = ".".join(str(part) for part in problem["loc"] if part != "body")
    if problem["type"] == "missing":
        return f"{place or 'The body'} is required"
    return f"{place}: {problem['msg']}" if place else str(problem["msg"])


def storable(field: str, value: Any) -> int:
    """How long a value is as JSON. Raises `ValidationFailed` for what databases do not keep in JSON: a NUL character,
    half a surrogate pair, a number that is none, too deep a nesting."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        length = len(text.encode())
    except (ValueError, RecursionError) as error:
        raise ValidationFailed(f"{field}: holds something that cannot be kept as JSON") from error
    if _NUL.search(text):
        raise ValidationFailed(f"{field}: a text cannot hold a NUL character")
    return length


def new_key(field: str, sent: str | None, shown: str | None) -> str | None:
    """The key to store out of what was sent: None to keep the stored one, whose mask is `shown`.

    Raises `ValidationFailed` for the mask of some other key: storing it would lose a key for three dots.
    """
    if sent is None or sent == shown:
        return None
    if is_mask(sent):
        raise ValidationFailed(f"{field}: this is the mask of another key; send the key itself")
    return sent

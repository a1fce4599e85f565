"""Turns a caller's arguments into the contract's objects, with one sentence for whatever does not fit."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from spoonkernel.errors import ValidationFailed
from spoonkernel.vault import is_mask

M = TypeVar("M", bound=BaseModel)


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


def new_key(field: str, sent: str | None, shown: str | None) -> str | None:
    """The key to store out of what was sent: None to keep the stored one, whose mask is `shown`.

    Raises `ValidationFailed` for the mask of some other key: storing it would lose a key for three dots.
    """
    if sent is None or sent == shown:
        return None
    if is_mask(sent):
        raise ValidationFailed(f"{field}: this is the mask of another key; send the key itself")
    return sent

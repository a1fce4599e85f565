"""The frames around every JSON answer of the reference: data, page, confirmation, error."""

from typing import Generic, Literal, TypeVar

from pydantic import BaseModel

from spoonkernel.errors import SpoonError
from spoonkernel.types.base import CamelWire, Page, Pagination

T = TypeVar("T")


class Data(BaseModel, Generic[T]):
    """One object or a plain list."""

    success: Literal[True] = True
    data: T


class PageData(BaseModel, Generic[T]):
    """A page of a list, with where it lies in the whole."""

    success: Literal[True] = True
    data: list[T]
    pagination: Pagination


class Confirmation(BaseModel):
    """Done, and nothing to show for it but a sentence."""

    success: Literal[True] = True
    message: str


class ErrorBody(CamelWire):
    """What went wrong: a sentence for people, a code for programs, and the HTTP status again."""

    success: Literal[False] = False
    error: str
    code: str
    status_code: int


class StreamErrorBody(ErrorBody):
    """The last event of a stream that failed; `partial` is the text that had arrived."""

    partial: str


def paged(page: Page[T]) -> PageData[T]:
    return PageData(data=page.items, pagination=page.pagination)


def error_body(error: SpoonError) -> ErrorBody:
    return ErrorBody(error=error.message, code=error.code, status_code=error.status)

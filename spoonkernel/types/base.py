"""How every object of the contract is spelled on the wire: field names, times, ids, pages."""

from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AliasGenerator, BaseModel, ConfigDict, PlainSerializer
from pydantic.alias_generators import to_camel

T = TypeVar("T")

Rows = list
"""The plain list, under a name that a class with a method called `list` can still use in annotations."""

MediaType = Literal["text", "image", "video", "audio"]
ProviderName = Literal["ollama", "openai", "gemini", "claude", "local", "comfyui"]
ChatProviderName = Literal["ollama", "openai", "gemini", "claude", "local"]
KeyedProviderName = Literal["openai", "gemini", "claude"]


def format_time(moment: datetime) -> str:
    """UTC with milliseconds and a `Z`, as the reference prints times: `2024-12-14T10:30:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_now() -> datetime:
    """The present moment, aware, cut to the milliseconds that the wire and the store keep."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


Timestamp = Annotated[datetime, PlainSerializer(format_time, return_type=str, when_used="json")]


class Wire(BaseModel):
    """Accepts camelCase and snake_case, answers snake_case (as the reference prints most objects)."""

    model_config = ConfigDict(
        alias_generator=AliasGenerator(validation_alias=to_camel),
        validate_by_name=True,
        validate_by_alias=True,
        protected_namespaces=(),
        defer_build=True,  # a schema is built at first use: importing the types stays cheap
    )

    def given(self) -> dict[str, Any]:
        """The fields the caller sent, by their Python names; nested models stay models."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class CamelWire(Wire):
    """Accepts both spellings, answers camelCase (settings, model status: the reference prints those so)."""

    model_config = ConfigDict(
        alias_generator=AliasGenerator(validation_alias=to_camel, serialization_alias=to_camel),
        serialize_by_alias=True,
    )


class Pagination(CamelWire):
    """Where a page lies in the whole list; `page` counts from 1."""

    page: int
    limit: int
    total: int
    total_pages: int


class Page(Wire, Generic[T]):
    """One page of a list, newest first."""

    items: list[T]
    pagination: Pagination

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> T:
        return self.items[index]

    def each(self) -> Iterator[T]:
        return iter(self.items)


class Media(Wire):
    """A file's bytes with what a browser needs to show or save it."""

    content: bytes
    content_type: str
    filename: str

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """How a notebook shows it: a picture as a picture, anything else by its name and size."""
        if self.content_type.startswith("image/"):
            return {self.content_type: b64encode(self.content).decode(), "text/plain": str(self)}
        return {"text/plain": str(self)}

    def __str__(self) -> str:
        return f"{self.filename} ({self.content_type}, {len(self.content):,} bytes)"

"""What an adapter offers. An adapter sends and yields; keys, profiles, defaults and storage belong to others."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from pydantic import JsonValue

from spoonkernel.types.base import MediaType
from spoonkernel.types.chat import Delta, Message


@dataclass(frozen=True, slots=True)
class ChatCall:
    """One chat request, ready to encode: the model is chosen, defaults are merged into `options`."""

    model: str
    messages: list[Message]
    options: dict[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MediaCall:
    """One request for a picture or speech. `options` holds what is left once `model` and `profileId` are taken out."""

    model: str
    prompt: str
    options: dict[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Made:
    """One file a provider made, with what it said about it (`width`, `tokens`, ...)."""

    type: MediaType
    content: bytes
    content_type: str
    metadata: dict[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProviderModel:
    """One model a provider lists. `capabilities`: chat, text, vision, image, audio, embedding."""

    id: str
    name: str = ""
    size_bytes: int | None = None
    loaded: bool = False
    capabilities: tuple[str, ...] = ("chat", "text")
    parameters: str = ""
    template: str = ""
    description: str = ""


class Provider(Protocol):
    """A provider that chats. Closing the generator of `stream` closes the request behind it."""

    async def models(self) -> list[ProviderModel]:
        """The models it lists now, retired ones left out. Also its connection test: cheap, and proves the key."""
        ...

    def stream(self, call: ChatCall) -> AsyncGenerator[Delta, None]:
        """The answer piece by piece. The last delta has `finish_reason`, and `usage` where the provider says it.

        Raises:
            StreamTruncated: the stream ended without its end marker.
            ProviderRefused, RateLimited, ProviderConnectionError: see `errors`.
        """
        ...


@runtime_checkable
class ImageProvider(Protocol):
    async def images(self, call: MediaCall) -> list[Made]: ...


@runtime_checkable
class SpeechProvider(Protocol):
    async def speech(self, call: MediaCall) -> list[Made]: ...


@runtime_checkable
class ModelHost(Protocol):
    """A provider that holds models in memory on a machine of ours."""

    async def info(self, name: str) -> ProviderModel:
        """One model in detail. Raises `NotFound`."""
        ...

    async def load(self, name: str) -> None: ...

    async def unload(self, name: str) -> None: ...

    async def loaded(self) -> set[str]:
        """The names of the models in memory now."""
        ...


Json = dict[str, Any]

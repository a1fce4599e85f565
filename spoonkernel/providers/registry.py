"""Every provider in one table: its name for people, usual address, what it can make, and how to build its adapter."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

from spoonkernel.config import PROVIDER_KEYS
from spoonkernel.errors import BadRequest
from spoonkernel.providers.address import clean_url
from spoonkernel.providers.base import Provider
from spoonkernel.providers.claude import Claude
from spoonkernel.providers.gemini import Gemini
from spoonkernel.providers.http import Pacing, ProviderHTTP
from spoonkernel.providers.ollama import Ollama
from spoonkernel.providers.openai import OpenAI
from spoonkernel.types.base import MediaType


@dataclass(frozen=True, slots=True)
class Entry:
    """One provider. `url` is its usual address; `adapter` is None where the provider is built elsewhere."""

    label: str
    url: str | None
    makes: frozenset[MediaType]
    adapter: Callable[[ProviderHTTP], Provider] | None = None
    needs_key: bool = False
    """At its usual address; a server at another one may do without."""
    key_header: tuple[str, str] = ("authorization", "Bearer {key}")


def _makes(*types: MediaType) -> frozenset[MediaType]:
    return frozenset(types)


PROVIDERS: Mapping[str, Entry] = {
    "ollama": Entry("Ollama", "http://localhost:11434", _makes("text"), Ollama),
    "openai": Entry("OpenAI", "https://api.openai.com/v1", _makes("text", "image", "audio"), OpenAI, needs_key=True),
    "gemini": Entry(
        "Gemini",
        "https://generativelanguage.googleapis.com",
        _makes("text", "image"),
        Gemini,
        needs_key=True,
        key_header=("x-goog-api-key", "{key}"),
    ),
    "claude": Entry(
        "Claude",
        "https://api.anthropic.com",
        _makes("text"),
        Claude,
        needs_key=True,
        key_header=("x-api-key", "{key}"),
    ),
    "local": Entry("Local engine", None, _makes("text")),
    "comfyui": Entry("ComfyUI", "http://127.0.0.1:8188", _makes("image", "audio", "video")),
}


def build(
    name: str,
    pool: httpx.AsyncBaseTransport,
    *,
    url: str | None = None,
    key: str | None = None,
    pacing: Pacing | None = None,
) -> Provider:
    """An adapter for one address and key. `pool` stays the caller's; nothing is sent yet.

    Raises `BadRequest` for a URL that may not be called, a key that cannot be one, a key that is missing, and for
    `local` and `comfyui`, which are not built here.
    """
    entry = PROVIDERS.get(name)
    if entry is None or entry.adapter is None or entry.url is None:
        raise BadRequest(f"{entry.label if entry else repr(name)} is not a provider that is asked over HTTP for chat")
    key = (key or "").strip()
    if entry.needs_key and not key and not url:
        raise BadRequest(
            f"No API key for {entry.label}: store one in a profile or in the settings of {name}, "
            f"or set {PROVIDER_KEYS[name]}"
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise BadRequest(
            f"The API key for {entry.label} has a space, line break or letter that no key has; copy it again"
        )
    header, form = entry.key_header
    headers = {header: form.format(key=key)} if key else {}
    address = clean_url(url or entry.url, entry.label)
    return entry.adapter(ProviderHTTP(pool, address, name=entry.label, headers=headers, secret=key, pacing=pacing))

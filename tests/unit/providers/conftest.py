"""A provider on a real socket, an adapter pointed at it, and a clock that nobody waits for."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from spoonkernel.providers.base import ChatCall
from spoonkernel.providers.http import Pacing, new_pool
from spoonkernel.providers.registry import PROVIDERS, build
from spoonkernel.testing.upstream import Reply, Upstream, read_recording
from spoonkernel.types.chat import Delta, Message

RECORDINGS = Path(__file__).parents[2] / "recordings"
KEY = "sk-canary-0123456789"
PATHS = {
    "ollama": "/api/chat",
    "openai": "/chat/completions",
    "claude": "/v1/messages",
    "gemini": "/v1beta/models/m:streamGenerateContent",
}


def recorded(name: str) -> Reply:
    """A recording such as `openai/chat_stream`."""
    return read_recording(RECORDINGS / f"{name}.http")


class Adapter:
    """One provider's adapter against the upstream, with what its waiting would have been in `waits`."""

    def __init__(self, name: str, pool: httpx.AsyncBaseTransport, upstream: Upstream, **pacing: float) -> None:
        self.waits: list[float] = []
        self.path, self.upstream = PATHS[name], upstream
        pace = Pacing(sleep=self._sleep, chance=lambda: 0.0, **pacing)
        key = KEY if PROVIDERS[name].needs_key else None
        self.provider = build(name, pool, url=upstream.url, key=key, pacing=pace)

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def gets(self, *replies: Reply | str) -> "Adapter":
        for reply in replies:
            self.upstream.reply(self.path, recorded(reply) if isinstance(reply, str) else reply)
        return self

    def stream(self, content="hi", **options):
        messages = content if isinstance(content, list) else [Message(role="user", content=content)]
        return self.provider.stream(ChatCall("m", messages, options))

    async def ask(self, content="hi", **options) -> list[Delta]:
        return [delta async for delta in self.stream(content, **options)]

    @property
    def sent(self) -> dict:
        """The body of the last request."""
        return self.upstream.requests[-1].json


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as server:
        yield server


@pytest.fixture
async def pool() -> AsyncIterator[httpx.AsyncBaseTransport]:
    async with new_pool() as opened:
        yield opened


@pytest.fixture
def adapter(pool, upstream):
    """`adapter("openai", stall_s=1)`."""
    return lambda name, **pacing: Adapter(name, pool, upstream, **pacing)


def text_of(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas)

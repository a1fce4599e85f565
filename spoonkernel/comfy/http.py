"""The HTTP shell under `client`: deadlines, limits, retries and errors for one ComfyUI server. It knows no endpoint.

On aiohttp itself: httpx's API over its connections, as providers have it, costs twice as much a request, and a
generation makes three.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from spoonkernel.errors import (
    NotFound,
    PayloadTooLarge,
    ProviderConnectionError,
    ProviderRefused,
    RateLimited,
    SpoonError,
)

T = TypeVar("T")

TIMEOUTS = aiohttp.ClientTimeout(sock_connect=5.0)  # the rest has deadlines
MAX_BYTES = 64 * 1024 * 1024  # of an answer in JSON: 500 pending prompts are 2 MB, all node classes 0.5 to 20 MB
LARGE = 256 * 1024  # bodies from here on are read in a thread, away from the loop
SHORTEST_SECRET = 8  # shorter ones are placeholders, and hiding them would garble the sentence
UNSENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer of any status."""

    status: int
    body: bytes


class Unanswered(Exception):
    """No whole answer came. `was_sent`: the server may have got the request, and acted on it."""

    def __init__(self, text: str, *, was_sent: bool, is_cut: bool) -> None:
        super().__init__(text)
        self.text, self.was_sent, self.is_cut = text, was_sent, is_cut


@dataclass(frozen=True, slots=True)
class Pacing:
    """When to give up, and when a cut GET is asked again; tests bring their own `sleep` and `chance` (0 to 1)."""

    answer_s: float = 30.0
    """For a whole answer, all tries together."""
    transfer_s: float = 120.0
    """For a file, to or from the server."""
    retries: int = 2
    first_s: float = 0.2
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random

    def wait_s(self, attempt: int) -> float:
        """Doubled with each attempt, less up to half."""
        return float(self.first_s * 2**attempt * (1 - 0.5 * self.chance()))


def new_session(connector: aiohttp.BaseConnector) -> aiohttp.ClientSession:
    """What requests go through: without cookies, and without the environment's proxies and logins."""
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)


class ComfyHTTP:
    """Requests to one server. `session` is shared and closed by its owner; the caller has checked `url`."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        *,
        label: str,
        key: str | None = None,
        pacing: Pacing | None = None,
    ) -> None:
        parsed = URL(url)
        self._session, self._base, self.label, self._key = session, str(parsed).rstrip("/"), label, key
        self.pacing = pacing or Pacing()
        self._headers = {"accept-encoding": "identity", "user-agent": "spoon"}  # and no Origin: it answers those 403
        if key:
            self._headers["authorization"] = f"Bearer {key}"
        self._json_headers = self._headers | {"content-type": "application/json"}
        self.host = f"{parsed.host}:{parsed.explicit_port}" if parsed.explicit_port else str(parsed.host)

    async def read(
        self,
        path: str,
        read: Callable[[bytes], T],
        *,
        params: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
        retries: int | None = None,
        missing: T | None = None,
    ) -> T:
        """`read` of the body of a GET; `missing`, if given, for a 404. Large bodies are read in a thread.

        Raises `ProviderConnectionError` when nothing (readable) answers, or what `refused` makes of another status.
        """
        answer = await self.get(path, params=params, timeout_s=timeout_s, retries=retries)
        if answer.status == 404 and missing is not None:
            return missing
        if answer.status != 200:
            raise self.refused(answer.status)
        return await self.decode(answer.body, read)

    async def decode(self, body: bytes, read: Callable[[bytes], T]) -> T:
        """`read` of a body; a body that it cannot read is a `ProviderConnectionError`."""
        try:
            return await asyncio.to_thread(read, body) if len(body) > LARGE else read(body)
        except UNREADABLE as error:
            raise ProviderConnectionError(
                f"{self.label} at {self.host} answered with something that is not ComfyUI's format; check its URL"
            ) from error

    async def get(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
        retries: int | None = None,
    ) -> Answer:
        """The answer to a GET of whatever status; asked again where the connection failed. `timeout_s` is for all."""
        timeout_s = self.pacing.answer_s if timeout_s is None else timeout_s
        most = self.pacing.retries if retries is None else retries
        deadline = asyncio.get_running_loop().time() + timeout_s
        attempt = 0
        while True:
            try:
                return await self._exchange("GET", self._address(path, params), deadline, timeout_s)
            except Unanswered as failure:
                if not failure.is_cut or attempt >= most:
                    raise ProviderConnectionError(failure.text) from failure.__cause__
                wait = self.pacing.wait_s(attempt)
            attempt += 1
            await self.pacing.sleep(wait)

    async def post(self, path: str, content: bytes | aiohttp.FormData, *, timeout_s: float | None = None) -> Answer:
        """The answer to a POST of whatever status, asked once; bytes are JSON. Raises `Unanswered`."""
        timeout_s = self.pacing.answer_s if timeout_s is None else timeout_s
        deadline = asyncio.get_running_loop().time() + timeout_s
        return await self._exchange("POST", self._address(path), deadline, timeout_s, content)

    @asynccontextmanager
    async def stream(
        self, path: str, params: Mapping[str, Any], *, max_bytes: int, missing: str
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The body of a GET, piece by piece. `missing` is the message of the `NotFound` that a 404 means.

        Raises `PayloadTooLarge` beyond `max_bytes`, at the start where the server tells the size.
        """
        timeout_s = self.pacing.transfer_s
        deadline = asyncio.get_running_loop().time() + timeout_s
        try:
            response = await self._open("GET", self._address(path, params), deadline, timeout_s)
        except Unanswered as failure:
            raise ProviderConnectionError(failure.text) from failure.__cause__
        try:
            if response.status == 404:
                raise NotFound(missing)
            if response.status != 200:
                raise self.refused(response.status)
            told = response.headers.get("content-length", "")
            if told.isdecimal() and int(told) > max_bytes:
                raise self._too_large(max_bytes)
            async with aclosing(self._pieces(response, deadline, timeout_s, max_bytes)) as pieces:
                yield pieces
        finally:
            response.close()  # which keeps the connection of one that was read to its end

    def refused(self, status: int, said: str | None = None) -> SpoonError:
        """A status that is not success as the error to raise; `said` is the server's own reason."""
        name = f"{self.label} at {self.host}"
        if said and self._key and len(self._key) >= SHORTEST_SECRET:
            said = said.replace(self._key, "[key]")
        if status in {401, 403}:
            asked = "refused the key" if self._key else "asks for a key"
            refusal = ProviderRefused(f"{name} {asked} (HTTP {status}); set the profile's key")
            refusal.invalid_key = True
            return refusal
        if status == 413:
            return PayloadTooLarge(f"{name} does not take something as large as this")
        if status == 429:
            return RateLimited(f"{name} takes no more requests for now")
        if status == 408 or status >= 500:
            return ProviderConnectionError(f"{name} failed on its own side (HTTP {status}); its console says why")
        told = f"{name} answered HTTP {status}, as ComfyUI would not; check its URL"
        if 300 <= status < 400:
            told = f"{name} answered with a redirect, which is not followed; check its URL"
        return ProviderRefused(f"{self.label}: {said}" if said else told)

    def _address(self, path: str, params: Mapping[str, Any] | None = None) -> URL:
        return URL(f"{self._base}{path}?{urlencode(params)}" if params else f"{self._base}{path}", encoded=True)

    async def _exchange(
        self,
        method: str,
        address: URL,
        deadline: float,
        timeout_s: float,
        content: bytes | aiohttp.FormData | None = None,
    ) -> Answer:
        response = await self._open(method, address, deadline, timeout_s, content)
        try:
            body = bytearray()
            async with asyncio.timeout_at(deadline):
                async for piece in response.content.iter_any():
                    body += piece
                    if len(body) > MAX_BYTES:
                        raise Unanswered(str(self._too_large(MAX_BYTES)), was_sent=True, is_cut=False)
        except TimeoutError as error:
            raise Unanswered(self._late(timeout_s), was_sent=True, is_cut=False) from error
        except aiohttp.ClientError as error:
            raise Unanswered(self._broken_off(), was_sent=True, is_cut=True) from error
        finally:
            response.close()  # which keeps the connection of one that was read to its end
        return Answer(response.status, bytes(body))

    async def _open(
        self,
        method: str,
        address: URL,
        deadline: float,
        timeout_s: float,
        content: bytes | aiohttp.FormData | None = None,
    ) -> aiohttp.ClientResponse:
        headers = self._json_headers if isinstance(content, bytes) else self._headers
        try:
            async with asyncio.timeout_at(deadline):
                return await self._session.request(
                    method, address, data=content, headers=headers, allow_redirects=False, timeout=TIMEOUTS
                )
        except aiohttp.ClientResponseError:  # not kept as the cause: it holds the request's headers, and so the key
            broken = None
        except aiohttp.ClientError as error:  # some are a `TimeoutError` too
            broken = error
        except TimeoutError as error:
            text = f"{self.label} at {self.host} did not answer within {timeout_s:g} s"
            raise Unanswered(text, was_sent=True, is_cut=False) from error
        if broken is None:
            text = f"{self.label} at {self.host} does not speak HTTP; check its URL"
            raise Unanswered(text, was_sent=True, is_cut=False)
        text = f"Cannot connect to {self.label}. Is it running? ({self.host})"
        raise Unanswered(text, was_sent=not isinstance(broken, UNSENT), is_cut=True) from broken

    async def _pieces(
        self, response: aiohttp.ClientResponse, deadline: float, timeout_s: float, max_bytes: int
    ) -> AsyncGenerator[bytes]:
        received = 0
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    piece = await response.content.readany()
            except TimeoutError as error:
                raise ProviderConnectionError(self._late(timeout_s)) from error
            except aiohttp.ClientError as error:
                raise ProviderConnectionError(self._broken_off()) from error
            if not piece:
                return
            received += len(piece)
            if received > max_bytes:
                raise self._too_large(max_bytes)
            yield piece

    def _late(self, timeout_s: float) -> str:
        return f"{self.label} at {self.host} had not finished after {timeout_s:g} s and was stopped"

    def _broken_off(self) -> str:
        return f"{self.label} at {self.host} broke off in the middle of its answer"

    def _too_large(self, max_bytes: int) -> PayloadTooLarge:
        return PayloadTooLarge(f"{self.label} sent more than {max_bytes / 2**20:g} MB; the answer was dropped")

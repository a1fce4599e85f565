"""The one HTTP shell under every provider: retries, deadlines, limits and errors. It knows no wire format.

httpx's API over aiohttp's connections: httpx's own transport answers a quarter as many requests at 128 clients.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

import aiohttp
import httpx
from pydantic_core import from_json, to_json

from spoonkernel.errors import BadRequest, NotFound, ProviderConnectionError, SpoonError
from spoonkernel.providers.address import is_forbidden, new_connector, trusted
from spoonkernel.providers.bodies import SteadyTransport
from spoonkernel.providers.patience import Patience
from spoonkernel.providers.refusal import Refusal, read_refusal

T = TypeVar("T")

CONNECT_S = 5.0
DEADLINE_S = 600.0  # as in the official SDKs: a long answer of a model that thinks
MAX_BYTES = 64 * 1024 * 1024  # of one answer: ten pictures as base64 lie well below
MAX_ERROR_BYTES = 64 * 1024
ERROR_BODY_S = 10.0
DRAIN_S = 0.2  # an ended stream's last bytes are already here; without them the connection cannot be used again
MAX_WAIT_S = 60.0  # whoever waits should rather hear how long than sit in silence
BROKEN = (httpx.RequestError, aiohttp.ClientError)  # the transport lets some of aiohttp's own through
_HEADERS = {"accept-encoding": "identity", "content-type": "application/json", "user-agent": "spoon"}


@dataclass(frozen=True, slots=True)
class Pacing:
    """When to give up and when to try again; tests bring their own `sleep` and `chance` (0 to 1)."""

    retries: int = 2
    first_s: float = 300.0
    """To the first piece of an answer: Ollama itself gives the loading of a model 5 minutes."""
    stall_s: float = 60.0
    """From one piece to the next."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random

    def wait_s(self, asked_s: float | None, attempt: int) -> float:
        """What the provider asks for, else 0.5 s doubled with each attempt up to 8 s, less up to a quarter."""
        if asked_s is not None:
            return asked_s
        return float(min(0.5 * 2**attempt, 8.0) * (1 - 0.25 * self.chance()))


def new_pool() -> httpx.AsyncBaseTransport:
    """The connection pool for all providers. Its opener closes it, within the event loop that used it.

    A transport and no `httpx.AsyncClient`: a key should meet no redirects, cookies and logins, and what the
    client does about them costs as much as aiohttp's whole request.

    The environment's proxies, .netrc and cookies are not used: a key must go nowhere but to the address it belongs to.
    Only SSL_CERT_FILE and SSL_CERT_DIR are read, which companies with a certificate of their own need.
    """
    ssl_context = trusted()

    def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=new_connector(ssl_context), cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
        )

    return _GuardedTransport(client=session, verify=ssl_context)


class _GuardedTransport(SteadyTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if is_forbidden(request.url.host):  # aiohttp asks no resolver about literal addresses
            raise httpx.ConnectError("a link-local or metadata address, which Spoon does not call")
        return await super().handle_async_request(request)


@dataclass(slots=True)
class Answer:
    """A successful answer whose body is still to be read. Close it; unread, that ends the request."""

    response: httpx.Response
    _where: str
    _chunks: AsyncIterator[bytes] = field(init=False)
    _patience: Patience = field(init=False, default_factory=Patience)
    _received: int = 0

    def __post_init__(self) -> None:
        is_packed = "content-encoding" in self.response.headers  # in spite of what we asked for
        self._chunks = self.response.aiter_bytes() if is_packed else self.response.aiter_raw()

    async def chunk(self, until: float) -> bytes | None:
        """The next piece, or None at the end. `until` is loop time.

        Raises `TimeoutError`, `ConnectionError` when the connection breaks, and `ProviderConnectionError` when the
        answer is larger than any that we take.
        """
        try:
            chunk = await self._patience.next(self._chunks, until)
        except BROKEN as error:
            raise ConnectionError(str(error)) from error
        if chunk is not None:
            self._received += len(chunk)
            if self._received > MAX_BYTES:
                raise ProviderConnectionError(
                    f"{self._where} sent more than {MAX_BYTES >> 20} MB; the answer was dropped"
                )
        return chunk

    async def drain(self) -> None:
        """Take the last bytes of a body whose end was already understood."""
        try:
            until = asyncio.get_running_loop().time() + DRAIN_S
            while await self.chunk(until) is not None:
                pass
        except (TimeoutError, ConnectionError, ProviderConnectionError):
            return

    async def aclose(self) -> None:
        self._patience.close()
        await self.response.aclose()


class ProviderHTTP:
    """Requests to one provider with one key. `pool` is shared and closed by its owner."""

    def __init__(
        self,
        pool: httpx.AsyncBaseTransport,
        base_url: str,
        *,
        name: str,
        headers: Mapping[str, str] | None = None,
        secret: str | None = None,
        pacing: Pacing | None = None,
    ) -> None:
        """`name` is the provider's for people (`OpenAI`), `secret` the key that `headers` carry, never to be shown."""
        self._pool, self._secret = pool, secret
        self.name, self.base_url, self.pacing = name, base_url.rstrip("/"), pacing or Pacing()
        self._headers = _HEADERS | {key.lower(): value for key, value in (headers or {}).items()}
        self._ready_headers = httpx.Headers(self._headers)
        url = httpx.URL(base_url)
        self.hostname = url.host
        self.host = f"{url.host}:{url.port}" if url.port else url.host

    async def open(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        deadline: float,
        retries: int | None = None,
    ) -> Answer | Refusal:
        """The provider's answer, or its refusal once no retry can help. `deadline` is loop time, for all attempts.

        Raises `ProviderConnectionError` when nothing answers, `BadRequest` when `body` is not JSON.
        """
        content = b"" if body is None else self._encode(body)
        most = self.pacing.retries if retries is None else retries
        attempt = 0
        while True:
            request = httpx.Request(
                method,
                _parsed(self.base_url + path),
                headers={**self._headers, **headers} if headers else self._ready_headers,
                content=content,
                extensions={"timeout": {"connect": CONNECT_S}},
            )
            outcome = await self._attempt(request, deadline)
            if isinstance(outcome, Answer):
                return outcome
            if _was_stale(outcome) and not attempt:
                attempt = 1
                continue
            wait = self._wait_s(outcome, attempt, deadline) if attempt < most else None
            if wait is not None:
                attempt += 1
                await self.pacing.sleep(wait)
            elif isinstance(outcome, Refusal):
                return outcome
            else:
                raise outcome

    async def json(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        decode: Callable[[Any], T],
        timeout_s: float = DEADLINE_S,
        retries: int | None = None,
        missing: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """`decode` of the answer's JSON. `missing` is the message of the `NotFound` that a 404 then means."""
        content, _ = await self.content(
            method, path, body, timeout_s=timeout_s, retries=retries, missing=missing, headers=headers
        )
        try:
            return decode(from_json(content))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise self.unreadable() from error

    async def content(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        timeout_s: float = DEADLINE_S,
        retries: int | None = None,
        missing: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[bytes, str]:
        """The whole body and its media type."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        answer = await self.open(method, path, body, headers=headers, deadline=deadline, retries=retries)
        if isinstance(answer, Refusal):
            if answer.status == 404 and missing:
                raise NotFound(missing)
            raise self.refused(answer)
        pieces: list[bytes] = []
        try:
            while (chunk := await answer.chunk(deadline)) is not None:
                pieces.append(chunk)
        except TimeoutError as error:
            raise self.late(timeout_s) from error
        except ConnectionError as error:
            raise ProviderConnectionError(
                f"{self.name} at {self.host} broke off in the middle of its answer"
            ) from error
        finally:
            await answer.aclose()
        content_type = str(answer.response.headers.get("content-type", ""))
        return b"".join(pieces), content_type.partition(";")[0].strip().lower()

    def refused(self, refusal: Refusal) -> SpoonError:
        """A refusal as the error to raise."""
        return refusal.error(self.name, self.host, self._secret)

    def unreadable(self) -> ProviderConnectionError:
        return ProviderConnectionError(f"{self.name} at {self.host} answered with something that is not its format")

    def late(self, seconds: float) -> ProviderConnectionError:
        return ProviderConnectionError(
            f"{self.name} at {self.host} had not finished after {seconds:g} s and was stopped"
        )

    def _encode(self, body: Any) -> bytes:
        try:
            return to_json(body)
        except ValueError as error:  # half a surrogate pair, an object that is no JSON value
            raise BadRequest(f"The request to {self.name} holds something that cannot be sent as JSON") from error

    async def _attempt(self, request: httpx.Request, deadline: float) -> Answer | Refusal | ProviderConnectionError:
        """One try. Only failures to connect are returned as errors, because only those are worth another try."""
        loop = asyncio.get_running_loop()
        until = min(deadline, loop.time() + self.pacing.first_s)
        started = loop.time()
        try:
            async with asyncio.timeout_at(until):
                response: httpx.Response | None = await self._pool.handle_async_request(request)
        except TimeoutError as error:
            raise ProviderConnectionError(
                f"{self.name} at {self.host} did not answer within {until - started:.0f} s; it may be busy or loading"
            ) from error
        except aiohttp.ClientResponseError:  # not kept as the cause: it holds the request's headers, and so the key
            response = None
        except BROKEN as error:
            failure = ProviderConnectionError(f"Cannot connect to {self.name}. Is it running? ({self.host})")
            failure.__cause__ = error
            return failure
        if response is None:
            raise ProviderConnectionError(f"{self.name} at {self.host} does not speak HTTP; check its URL")
        if response.is_success:
            return Answer(response, f"{self.name} at {self.host}")
        return await self._refusal(response)

    async def _refusal(self, response: httpx.Response) -> Refusal:
        body = bytearray()
        try:
            async with asyncio.timeout(ERROR_BODY_S):
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_ERROR_BYTES:
                        break
        except (TimeoutError, *BROKEN):
            body.clear()  # half an explanation is none; the status is known
        finally:
            await response.aclose()
        return read_refusal(response.status_code, response.headers, bytes(body))

    def _wait_s(self, outcome: Refusal | ProviderConnectionError, attempt: int, deadline: float) -> float | None:
        """How long to wait before the next try, or None when there should be none."""
        if isinstance(outcome, Refusal) and not outcome.is_retryable:
            return None
        wait = self.pacing.wait_s(outcome.wait_s if isinstance(outcome, Refusal) else None, attempt)
        in_time = asyncio.get_running_loop().time() + wait < deadline
        return wait if wait <= MAX_WAIT_S and in_time else None


@lru_cache(maxsize=256)  # httpx parses a URL in 15 microseconds, a third of all that preparing a request costs
def _parsed(url: str) -> httpx.URL:
    return httpx.URL(url)


def _was_stale(outcome: Refusal | ProviderConnectionError) -> bool:
    """Whether a kept connection had been closed by the server meanwhile: llama.cpp does so after each stream."""
    cause: BaseException | None = outcome if isinstance(outcome, ProviderConnectionError) else None
    while cause is not None and not isinstance(cause, aiohttp.ServerDisconnectedError):
        cause = cause.__cause__
    return cause is not None

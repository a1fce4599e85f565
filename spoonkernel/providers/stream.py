"""A provider's streamed answer as deltas: what is the same for all of them. Each brings `decode` and its request.

A stream that ends without its end marker is an error that carries the text so far; no official SDK notices that.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import JsonValue
from pydantic_core import from_json

from spoonkernel.errors import BadRequest, ProviderConnectionError, SpoonError, StreamTruncated
from spoonkernel.providers.base import ChatCall, Json
from spoonkernel.providers.frames import Cutter, JSONLines, ServerSentEvents, WholeBody
from spoonkernel.providers.http import DEADLINE_S, Answer, ProviderHTTP
from spoonkernel.providers.refusal import Refusal, read_stream_error
from spoonkernel.types.chat import Delta, FinishReason, Usage

END = Delta()
"""What `decode` returns for an event that only marks the end (`message_stop`)."""
DONE = b"[DONE]"
AFTER_FINISH_S = 5.0  # for the token counts that may follow the finish reason, and the end of the body
LONGEST_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """One request for a stream.

    `decode` turns an event into a delta, or None if it says nothing. `repair` returns the request to send instead of
    one that was refused, or None. `needs_end` is for a format whose finish reason is not yet its end, `is_lines` for
    NDJSON instead of server-sent events.
    """

    path: str
    body: Json
    decode: Callable[[Json], Delta | None]
    timeout_s: float = DEADLINE_S
    headers: dict[str, str] = field(default_factory=dict)
    repair: "Callable[[StreamRequest, Refusal], StreamRequest | None] | None" = None
    needs_end: bool = False
    is_lines: bool = False
    warnings: tuple[str, ...] = ()

    def without(self, option: str, warning: str) -> "StreamRequest":
        """The same without one field of the body, and a warning about it."""
        body = {name: value for name, value in self.body.items() if name != option}
        return replace(self, body=body, warnings=(*self.warnings, warning))


def split_options(call: ChatCall) -> tuple[dict[str, JsonValue], float]:
    """The options to send, without those set to None, and the deadline in seconds (`timeout_s`, which is ours)."""
    options: dict[str, JsonValue] = {}
    options |= {name: value for name, value in call.options.items() if value is not None and name != "timeout_s"}
    timeout_s = call.options.get("timeout_s")
    if timeout_s is None:
        return options, DEADLINE_S
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or not 0 < timeout_s <= LONGEST_S:
        raise BadRequest(f"timeout_s is {timeout_s!r}: it takes a number of seconds above 0, up to {LONGEST_S:.0f}")
    return options, float(timeout_s)


async def deltas(http: ProviderHTTP, encode: Callable[[], StreamRequest]) -> AsyncGenerator[Delta, None]:
    """The answer piece by piece; the last delta has finish reason, usage, model and warnings. Closing it hangs up."""
    request = encode()
    reader = _Reader(http, asyncio.get_running_loop().time() + request.timeout_s)
    answer, request = await reader.open(request)
    said: list[str] = []
    cutter: Cutter | None = None
    try:
        while not reader.ended:
            chunk = await reader.chunk(answer, request)
            if chunk is None and cutter is None:
                break
            cutter = cutter or _cutter(chunk or b"", request, http)
            for frame in cutter.end() if chunk is None else cutter.feed(chunk):
                if (delta := reader.take(frame, request)) is not None:
                    said.append(delta.text)
                    yield delta
            if chunk is None:
                break
        yield reader.last(request)
        await answer.drain()
    except SpoonError as error:
        error.partial = "".join(said)
        raise
    finally:
        await answer.aclose()


class _Reader:
    """What has been read of one stream, apart from its text."""

    def __init__(self, http: ProviderHTTP, deadline: float) -> None:
        self._http, self._deadline = http, deadline
        self._finish: FinishReason | None = None
        self._usage: Usage | None = None
        self._model: str | None = None
        self._begun = False
        self.ended = False

    async def open(self, request: StreamRequest) -> tuple[Answer, StreamRequest]:
        """The answer, and the request that got it: `repair` may have changed it, each time by one thing."""
        while True:
            opened = await self._http.open(
                "POST", request.path, request.body, headers=request.headers, deadline=self._deadline
            )
            if isinstance(opened, Answer):
                return opened, request
            repaired = request.repair(request, opened) if request.repair else None
            if repaired is None:
                raise self._http.refused(opened)
            request = repaired

    async def chunk(self, answer: Answer, request: StreamRequest) -> bytes | None:
        """The next bytes; None at the end, which a silence after the finish reason is too."""
        pacing, now = self._http.pacing, asyncio.get_running_loop().time()
        patience = pacing.stall_s if self._begun else pacing.first_s
        if self._finish:
            patience = min(patience, AFTER_FINISH_S)
        try:
            return await answer.chunk(min(self._deadline, now + patience))
        except TimeoutError as error:
            if self._is_complete(request):
                return None
            if now + patience >= self._deadline:
                raise self._http.late(request.timeout_s) from error
            where = f"{self._http.name} at {self._http.host}"
            raise ProviderConnectionError(f"{where} fell silent in its answer for {patience:g} s") from error
        except ConnectionError as error:
            if self._is_complete(request):
                return None
            raise self._truncated() from error

    def take(self, frame: bytes, request: StreamRequest) -> Delta | None:
        """The text of one frame, if it has any; everything else that it says is kept for the last delta."""
        if self.ended:
            return None
        if frame == DONE:
            self.ended = True
            return None
        delta = self._decoded(frame, request.decode)
        if delta is None:
            return None
        if delta is END:
            self.ended = True
            return None
        if delta.text:
            self._begun = True
        if delta.finish_reason is None and delta.usage is None and delta.model is None:
            return delta
        self._finish = delta.finish_reason or self._finish
        self._model = delta.model or self._model
        if delta.usage is not None:
            self._usage = (self._usage or Usage()).merged(delta.usage)
        return Delta(text=delta.text) if delta.text else None

    def last(self, request: StreamRequest) -> Delta:
        if not self._is_complete(request):
            raise self._truncated()
        return Delta(finish_reason=self._finish, usage=self._usage, model=self._model, warnings=list(request.warnings))

    def _is_complete(self, request: StreamRequest) -> bool:
        return self._finish is not None and (self.ended or not request.needs_end)

    def _truncated(self) -> StreamTruncated:
        where = f"{self._http.name} at {self._http.host}"
        return StreamTruncated(f"{where} broke off before the end of its answer: the stream is truncated")

    def _decoded(self, frame: bytes, decode: Callable[[Json], Delta | None]) -> Delta | None:
        try:
            event: Any = from_json(frame)
            if isinstance(event, list) and len(event) == 1:  # Gemini wraps an error so at times
                event = event[0]
            if event.get("error"):
                raise self._http.refused(read_stream_error(event))
            return decode(event)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise self._http.unreadable() from error


def _cutter(start: bytes, request: StreamRequest, http: ProviderHTTP) -> Cutter:
    """By the body's first byte: the content type is wrong in too many servers that copy these formats."""
    first = start.lstrip()[:1]
    if first == b"<":
        raise http.unreadable()  # a web page: the URL leads elsewhere
    if request.is_lines:
        return JSONLines()
    return WholeBody() if first in {b"{", b"["} else ServerSentEvents()

"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) out of the kernel's streams."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, Union

from fastapi import Response
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from spoonkernel.errors import SpoonError
from spoonkernel.types.chat import Answer, Delta
from spoonserver.envelope import ErrorBody, StreamErrorBody, error_body
from spoonserver.errors import log_unforeseen


class TextDelta(BaseModel):
    """One streamed piece of an answer."""

    text: str


def frame(event: str, data: BaseModel) -> bytes:
    """One event. JSON has no raw line ends, so the data is always one line."""
    return b"event: %b\ndata: %b\n\n" % (event.encode(), data.model_dump_json().encode())


def failure(error: Exception, *, partial: str | None = None) -> bytes:
    """The last event of a stream that failed: the error envelope, with the text so far where there is text."""
    if not isinstance(error, SpoonError):
        log_unforeseen(error)
        error = SpoonError()
    body = error_body(error)
    return frame("error", body if partial is None else StreamErrorBody(**body.model_dump(), partial=partial))


async def chat_frames(provider: str, deltas: AsyncIterator[Delta]) -> AsyncGenerator[bytes, None]:
    """What a chat streams to a client. `provider` for answers that do not say who gave them."""
    answer = Answer(provider)
    async with closing(deltas):
        try:
            async for delta in deltas:
                answer.add(delta)
                if delta.text:
                    yield frame("delta", TextDelta(text=delta.text))
            yield frame("done", answer.reply())
        except Exception as error:  # noqa: BLE001  # the answer has begun: what went wrong is its last event
            yield failure(error, partial=_arrived(error, answer))


def _arrived(error: Exception, answer: Answer) -> str:
    """The text so far. Collecting here knows all of it; an adapter may know of a piece that was never passed on."""
    told = error.partial if isinstance(error, SpoonError) else None
    return told if told is not None else "".join(answer.text)


def stream_docs(**events: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI words for a stream: the data of each event, by its name."""
    named = {**events, "error": StreamErrorBody if "delta" in events else ErrorBody}
    told = "; ".join(f"`event: {name}` with {model.__name__}" for name, model in named.items())
    return {200: {"description": f"Server-sent events: {told}", "model": Union[*named.values()]}}


@asynccontextmanager
async def closing(stream: AsyncIterator[object]) -> AsyncIterator[None]:
    """Close the stream on the way out, whatever the reason: that is what stops the provider behind it."""
    try:
        yield
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()


class Streamed(Response):
    """An answer written piece by piece, as the pieces come.

    The client's going away is watched for while nothing is written, too: a slow provider must not run on for nobody.
    Starlette's own `StreamingResponse` leaves the generator to the garbage collector in that case.
    """

    def __init__(self, pieces: AsyncGenerator[bytes, None], headers: Mapping[str, str]) -> None:
        super().__init__(headers=headers)
        del self.headers["content-length"]
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        writer = asyncio.create_task(self._write(send))
        watcher = asyncio.create_task(_client_gone(receive))
        try:
            await asyncio.wait({writer, watcher}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            writer.cancel()
            watcher.cancel()
            written, _ = await asyncio.gather(writer, watcher, return_exceptions=True)
        if isinstance(written, Exception):
            raise written

    async def _write(self, send: Send) -> None:
        async with aclosing(self._pieces) as pieces:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


class EventStream(Streamed):
    """An answer of frames."""

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncGenerator[bytes, None]) -> None:
        super().__init__(frames, {"Cache-Control": "no-store", "X-Accel-Buffering": "no"})


async def _client_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

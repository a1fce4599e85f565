"""The two baselines of the chat relay: a provider that answers at once, and the barest relay in front of it."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import httpx_aiohttp
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

WORDS = int(os.environ.get("BENCH_WORDS", "16"))
USAGE = {"prompt_tokens": 9, "completion_tokens": WORDS, "total_tokens": 9 + WORDS}


def _chunk(choices: list[dict[str, Any]], usage: dict[str, int] | None = None) -> bytes:
    chunk = {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": choices,
        "usage": usage,
    }
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


PIECES = [_chunk([{"index": 0, "delta": {"content": f"word{n} "}, "finish_reason": None}]) for n in range(WORDS)]
END = [
    _chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}]),
    _chunk([], USAGE),
    b"data: [DONE]\n\n",
]
WHOLE = json.dumps(
    {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "".join(f"word{n} " for n in range(WORDS))},
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
    }
).encode()


async def upstream(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """`/v1/chat/completions` as OpenAI answers it, whole or as a stream, with no time spent in between."""
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    stream = b'"stream":true' in body.replace(b" ", b"")
    kind = b"text/event-stream" if stream else b"application/json"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    if not stream:
        await send({"type": "http.response.body", "body": WHOLE})
        return
    for piece in (*PIECES, *END):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def _client(relay: FastAPI) -> AsyncIterator[None]:
    transport = httpx_aiohttp.AiohttpTransport(limits=httpx.Limits(max_connections=256))
    async with httpx.AsyncClient(transport=transport, timeout=30) as client:
        relay.state.client = client
        yield


relay = FastAPI(lifespan=_client)
URL = os.environ.get("BENCH_UPSTREAM", "") + "/v1/chat/completions"


@relay.get("/")
async def root() -> dict[str, bool]:
    return {"ok": True}


@relay.post("/api/chat")
async def chat(body: dict[str, Any]) -> dict[str, Any]:
    answer = await relay.state.client.post(URL, json={"model": "m", "messages": body["messages"]})
    reply = answer.json()
    text = reply["choices"][0]["message"]["content"]
    return {"success": True, "data": {"response": text, "provider": "openai", "model": "m", "usage": reply["usage"]}}


@relay.post("/api/chat/stream")
async def stream(body: dict[str, Any]) -> StreamingResponse:
    async def pieces() -> AsyncIterator[bytes]:
        request = {"model": "m", "messages": body["messages"], "stream": True}
        async with relay.state.client.stream("POST", URL, json=request) as answer:
            async for piece in answer.aiter_bytes():
                yield piece

    return StreamingResponse(pieces(), media_type="text/event-stream")

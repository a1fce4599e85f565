"""`POST /chat/stream` and `/models/:name/pull`: server-sent events that stop the provider when nobody reads them."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from openai_replies import CHAT, MODEL, STREAM, ended, said
from spoonkernel.errors import NotFound
from spoonkernel.testing.upstream import CLOSE, STALL, Upstream
from spoonkernel.types.models import PullProgress
from spoonserver.lean import PATIENCE_S

QUESTION = [{"role": "user", "content": "Why?"}]


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as opened:
        yield opened


@pytest.fixture
async def question(api: httpx.AsyncClient, upstream: Upstream) -> dict[str, Any]:
    """The body of a chat request that reaches the scripted provider."""
    profile = {"name": "Scripted", "type": "text", "provider": "openai", "apiKey": "sk-test-1234567890"}
    reply = await api.post("/api/profiles", json=profile | {"url": f"{upstream.url}/v1"})
    return {"provider": "openai", "model": MODEL, "profileId": reply.json()["data"]["id"], "messages": QUESTION}


def events(text: str) -> list[tuple[str, Any]]:
    """The events of a whole stream, after its framing was checked."""
    assert text.endswith("\n\n")
    blocks = [block.split("\n") for block in text[:-2].split("\n\n")]
    assert all(len(lines) == 2 for lines in blocks)
    return [(lines[0].removeprefix("event: "), json.loads(lines[1].removeprefix("data: "))) for lines in blocks]


async def test_a_stream_is_deltas_and_one_done_with_what_chat_answers(api, upstream, question):
    upstream.reply(CHAT, headers=STREAM, chunks=[said("Because"), said(" it\u2028is.\n\n"), ended()])
    streamed = await api.post("/api/chat/stream", json=question)
    whole = await api.post("/api/chat", json=question)
    assert streamed.headers["content-type"].startswith("text/event-stream")
    *deltas, done = events(streamed.text)
    assert deltas == [("delta", {"text": "Because"}), ("delta", {"text": " it\u2028is.\n\n"})]
    assert done == ("done", whole.json()["data"])
    assert done[1]["finish_reason"] == "stop"
    assert done[1]["response"] == "Because it\u2028is.\n\n"
    assert done[1]["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


async def test_a_delta_is_passed_on_before_the_next_one_exists(api, upstream, question):
    go_on = asyncio.Event()
    upstream.reply(CHAT, headers=STREAM, chunks=[said("One"), go_on, said("two"), ended()])
    async with asyncio.timeout(10), api.stream("POST", "/api/chat/stream", json=question) as reply:
        lines = reply.aiter_lines()
        assert [await anext(lines), await anext(lines)] == ["event: delta", 'data: {"text":"One"}']
        go_on.set()
        assert [line async for line in lines][-3] == "event: done"


async def test_a_refusal_is_the_last_event_with_the_envelope(api, upstream, question):
    upstream.reply(CHAT, status=401, json={"error": {"message": "Incorrect API key provided"}})
    [(event, body)] = events((await api.post("/api/chat/stream", json=question)).text)
    assert event == "error"
    assert (body["success"], body["code"], body["statusCode"], body["partial"]) == (False, "PROVIDER_ERROR", 400, "")
    assert "Incorrect API key" in body["error"]


async def test_a_broken_stream_keeps_what_had_arrived(api, upstream, question):
    upstream.reply(CHAT, headers=STREAM, chunks=[said("Half an "), said("answ"), CLOSE])
    *deltas, (event, body) = events((await api.post("/api/chat/stream", json=question)).text)
    assert [data["text"] for _, data in deltas] == ["Half an ", "answ"]
    assert event == "error"
    assert (body["statusCode"], body["partial"]) == (503, "Half an answ")


async def test_a_request_that_makes_no_sense_is_refused_before_the_stream(api, question):
    reply = await api.post("/api/chat/stream", json=question | {"messages": []})
    assert (reply.status_code, reply.json()["code"]) == (400, "VALIDATION_ERROR")


async def test_closing_the_connection_while_reading_stops_the_provider(api, upstream, question):
    upstream.reply(CHAT, headers=STREAM, chunks=[said("One"), STALL])
    async with api.stream("POST", "/api/chat/stream", json=question) as reply:
        await anext(reply.aiter_lines())
        assert not upstream.requests[-1].closed.is_set()
    await upstream.closed()


async def test_closing_the_connection_before_the_first_word_stops_the_provider(api, upstream, question):
    upstream.reply(CHAT, chunks=[STALL])
    asking = asyncio.create_task(api.post("/api/chat/stream", json=question))
    await upstream.received()
    asking.cancel()
    await upstream.closed()


async def test_hanging_up_on_a_whole_answer_stops_the_provider_too(api, upstream, question):
    upstream.reply(CHAT, headers=STREAM, chunks=[said("One"), STALL])
    asking = asyncio.create_task(api.post("/api/chat", json=question))
    await upstream.received()
    asking.cancel()
    await upstream.closed()


async def test_a_slow_whole_answer_arrives(api, upstream, question):
    go_on = asyncio.Event()
    upstream.reply(CHAT, headers=STREAM, chunks=[said("One"), go_on, said(" two"), ended()])
    asking = asyncio.create_task(api.post("/api/chat", json=question))
    await upstream.received()
    asyncio.get_running_loop().call_later(2 * PATIENCE_S, go_on.set)
    assert (await asking).json()["data"]["response"] == "One two"


class Weights:
    """A room that downloads, scripted: `pieces` are what it yields, an exception is raised."""

    def __init__(self, *pieces: PullProgress | Exception) -> None:
        self._pieces = pieces
        self.asked = ""

    async def pull(self, name: str) -> AsyncIterator[PullProgress]:
        self.asked = name
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece


async def test_a_download_is_progress_and_one_done(api, workbench):
    half = PullProgress(name="a/b:c", completed_bytes=5, total_bytes=10)
    workbench.models = Weights(half, half.model_copy(update={"completed_bytes": 10, "done": True}))
    told = events((await api.post("/api/models/a%2Fb:c/pull")).text)
    assert workbench.models.asked == "a/b:c"
    assert told == [
        ("progress", {"name": "a/b:c", "completedBytes": 5, "totalBytes": 10, "done": False}),
        ("done", {"name": "a/b:c", "completedBytes": 10, "totalBytes": 10, "done": True}),
    ]


async def test_a_download_that_fails_ends_with_the_envelope(api, workbench):
    workbench.models = Weights(NotFound("Model x not found"))
    told = events((await api.post("/api/models/x/pull")).text)
    body = {"success": False, "error": "Model x not found", "code": "NOT_FOUND", "statusCode": 404}
    assert told == [("error", body)]

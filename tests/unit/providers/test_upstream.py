"""The test server itself: other tests rely on what it says about its clients."""

import asyncio

import httpx
import pytest

from spoonkernel.testing.upstream import ABORT, STALL


@pytest.fixture
async def client():
    """A plain client: no part of Spoon stands between it and the test server."""
    async with httpx.AsyncClient() as opened:
        yield opened


async def test_replies_play_in_order_and_the_last_stays(client, upstream):
    upstream.reply("/a", status=503)
    upstream.reply("/a", json={"n": 1})
    answers = [await client.post(f"{upstream.url}/a?x=1", json={"q": n}) for n in range(3)]
    assert [answer.status_code for answer in answers] == [503, 200, 200]
    assert answers[2].json() == {"n": 1}
    assert [request.json for request in upstream.requests] == [{"q": 0}, {"q": 1}, {"q": 2}]
    assert (upstream.requests[0].path, upstream.requests[0].query) == ("/a", "x=1")


async def test_path_without_a_reply_is_missing(client, upstream):
    assert (await client.get(f"{upstream.url}/nope")).status_code == 404


async def test_steps_wait_for_their_event_and_the_hang_up_is_noted(client, upstream):
    go_on = asyncio.Event()
    upstream.reply("/a", chunks=[b"one", go_on, b"two", STALL])
    async with client.stream("GET", f"{upstream.url}/a") as answer:
        assert await upstream.received() is upstream.requests[0]
        pieces = answer.aiter_raw()
        assert await anext(pieces) == b"one"
        go_on.set()
        assert await anext(pieces) == b"two"
        assert not upstream.requests[0].closed.is_set()
    await upstream.closed()


async def test_abort_breaks_the_answer(client, upstream):
    upstream.reply("/a", chunks=[b"one", ABORT])
    with pytest.raises(httpx.TransportError):
        await client.get(f"{upstream.url}/a")

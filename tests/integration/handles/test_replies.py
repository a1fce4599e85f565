"""Answers as a notebook holds them: the provider is a scripted Ollama."""

import asyncio
import json

import pytest

from spoonkernel.errors import BadRequest, ProviderRefused, RunFailed
from spoonkernel.testing.upstream import STALL

CHAT = "/api/chat"


def said(text):
    return json.dumps({"model": "m", "message": {"role": "assistant", "content": text}, "done": False}).encode() + b"\n"


END = json.dumps({"model": "m", "done": True, "done_reason": "stop", "prompt_eval_count": 3, "eval_count": 2}).encode()


async def read(reply):
    return [piece async for piece in reply]


async def test_is_awaited_and_iterated_at_once_and_again(wb, upstream):
    go_on = asyncio.Event()
    upstream.reply(CHAT, chunks=[said("Owls "), go_on, said("sing."), END + b"\n"])
    reply = wb.ask("Which birds?", provider="ollama", model="m", system="Be brief.", options={"temperature": 0})
    both = [asyncio.create_task(read(reply)), asyncio.create_task(read(reply))]
    async for piece in reply:
        assert piece == "Owls "
        break
    assert (reply.status, reply.text, reply.done()) == ("running", "Owls ", False)
    go_on.set()
    assert ["".join(pieces) for pieces in await asyncio.gather(*both)] == ["Owls sing."] * 2
    answer = await reply
    assert (answer.response, answer.provider, answer.usage.total_tokens) == ("Owls sing.", "ollama", 5)
    assert await reply is answer
    assert await read(reply) == ["Owls sing."]
    assert repr(reply) == f"<Reply {reply.id}: complete, 10 characters>"
    asked = upstream.requests[-1].json
    assert [message["role"] for message in asked["messages"]] == ["system", "user"]


async def test_cancelling_hangs_up_on_the_provider_and_keeps_the_text(wb, upstream):
    upstream.reply(CHAT, chunks=[said("Half "), STALL])
    reply = wb.ask("Which birds?", provider="ollama", model="m")
    async for _ in reply:
        break
    reply.cancel()
    await upstream.closed()
    with pytest.raises(RunFailed, match="Cancelled") as stopped:
        await reply
    assert stopped.value.partial == reply.text == "Half "
    assert reply.status == "cancelled"


async def test_a_refusal_is_raised_where_it_is_awaited_and_where_it_is_read(embedded, upstream):
    upstream.reply(CHAT, status=404, body=b'{"error": "model \'m\' not found"}')
    reply = embedded.ask("Which birds?", provider="ollama", model="m")
    with pytest.raises(ProviderRefused, match="not found"):
        await reply
    with pytest.raises(ProviderRefused, match="not found"):
        await read(reply)
    assert reply.status == "failed"


async def test_without_a_provider_the_first_model_that_chats_answers(embedded, upstream):
    upstream.reply("/api/tags", json={"models": [{"name": name, "model": name, "size": 1} for name in ("one", "two")]})
    upstream.reply("/api/ps", json={"models": []})
    upstream.reply(CHAT, chunks=[said("Yes."), END + b"\n"])
    assert (await embedded.ask("Are you there?")).response == "Yes."
    assert upstream.requests[-1].json["model"] == "one"
    assert (await embedded.ask("And you?", model="two")).provider == "ollama"
    assert upstream.requests[-1].json["model"] == "two"
    with pytest.raises(BadRequest, match="No model 'three' is there"):
        await embedded.ask("And you?", model="three")


async def test_where_no_model_is_the_error_says_how_to_get_one(embedded, upstream):
    upstream.reply("/api/tags", json={"models": []})
    upstream.reply("/api/ps", json={"models": []})
    with pytest.raises(BadRequest, match="spoon models pull"):
        await embedded.ask("Are you there?")

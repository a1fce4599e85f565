import asyncio

import pytest

from openai_replies import CHAT, MODEL, STREAM, ended, said
from spoonkernel.errors import (
    NotFound,
    ProviderConnectionError,
    ProviderRefused,
    RateLimited,
    SpoonError,
    ValidationFailed,
)
from spoonkernel.testing.upstream import CLOSE, STALL
from spoonkernel.types.chat import Message

QUESTION = [{"role": "user", "content": "Why?"}]


@pytest.fixture
def ask(profile):
    return {"provider": "openai", "profile_id": profile.id, "model": MODEL, "messages": QUESTION}


async def test_send_gives_the_whole_answer_with_its_counts(workbench, upstream, ask):
    upstream.reply(CHAT, headers=STREAM, chunks=[said("Because"), said(" it is."), ended()])
    reply = await workbench.chat.send(**ask)
    assert (reply.response, reply.provider, reply.model, reply.finish_reason) == (
        "Because it is.",
        "openai",
        MODEL,
        "stop",
    )
    assert reply.usage.model_dump() == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


async def test_stream_gives_the_same_piece_by_piece(workbench, upstream, ask):
    go_on = asyncio.Event()
    upstream.reply(CHAT, headers=STREAM, chunks=[said("Be\u2028cause"), go_on, said("\nit is."), ended()])
    deltas = []
    async for delta in workbench.chat.stream(**ask):
        deltas.append(delta)
        go_on.set()  # the first piece was here before the second existed
    assert [delta.text for delta in deltas if delta.text] == ["Be\u2028cause", "\nit is."]
    assert (deltas[-1].finish_reason, deltas[-1].model) == ("stop", MODEL)
    assert deltas[-1].usage.total_tokens == 5
    assert [delta.finish_reason for delta in deltas[:-1]] == [None] * (len(deltas) - 1)


async def test_messages_options_and_pictures_reach_the_provider(workbench, upstream, ask):
    upstream.reply(CHAT, headers=STREAM, chunks=[said("Red"), ended()])
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    turns = [
        Message(role="system", content="Be brief"),
        {"role": "user", "content": [{"type": "text", "text": "What?"}, picture]},
    ]
    await workbench.chat.send(**ask | {"messages": turns, "options": {"temperature": 0.5, "seed": 7}})
    body = upstream.requests[-1].json
    assert (body["temperature"], body["seed"], body["model"]) == (0.5, 7, MODEL)
    assert body["messages"][0] == {"role": "system", "content": "Be brief"}
    assert body["messages"][1]["content"][1]["image_url"]["url"] == picture["image_url"]["url"]


async def test_the_profile_gives_its_prompt_and_its_options(workbench, upstream, profile, ask):
    await workbench.profiles.update(profile.id, prompt_template="Be brief", options={"temperature": 0.1, "top_p": 0.9})
    upstream.reply(CHAT, headers=STREAM, chunks=[said("Yes"), ended()])
    await workbench.chat.send(**ask | {"options": {"temperature": 0.8}})
    body = upstream.requests[-1].json
    assert body["messages"][0] == {"role": "system", "content": "Be brief"}
    assert (body["temperature"], body["top_p"]) == (0.8, 0.9)


@pytest.mark.parametrize("how", ["send", "stream"])
async def test_a_refusal_is_the_providers_own_sentence(workbench, upstream, ask, how):
    upstream.reply(CHAT, status=404, json={"error": {"message": "The model does not exist"}})
    with pytest.raises(ProviderRefused, match="The model does not exist"):
        await gather(workbench, how, ask)


async def test_a_rate_limit_keeps_its_waiting_time(workbench, upstream, ask):
    upstream.reply(CHAT, status=429, headers={"retry-after": "70"}, json={"error": {"message": "Slow down"}})
    with pytest.raises(RateLimited) as refused:
        await workbench.chat.send(**ask)
    assert refused.value.retry_after_s == 70


async def test_a_provider_that_is_not_there_is_a_connection_error(workbench, profile, ask):
    await workbench.profiles.update(profile.id, url="http://127.0.0.1:9/v1", api_key="sk-test-1234567890")
    with pytest.raises(ProviderConnectionError, match="Cannot connect"):
        await workbench.chat.send(**ask)


async def test_a_stream_that_breaks_off_keeps_what_had_arrived(workbench, upstream, ask):
    upstream.reply(CHAT, headers=STREAM, chunks=[said("Half an "), said("answ"), CLOSE])
    with pytest.raises(ProviderConnectionError) as broken:
        await gather(workbench, "stream", ask)
    assert broken.value.partial == "Half an answ"


async def test_closing_a_stream_stops_the_provider(workbench, upstream, ask):
    upstream.reply(CHAT, headers=STREAM, chunks=[said("One"), STALL])
    stream = workbench.chat.stream(**ask)
    assert (await anext(stream)).text == "One"
    await stream.aclose()
    await upstream.closed()


@pytest.mark.parametrize("how", ["send", "stream"])
@pytest.mark.parametrize(
    ("change", "said_field"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "king", "content": "x"}]}, "role"),
        ({"provider": "hal"}, "provider"),
    ],
)
async def test_what_makes_no_sense_is_refused_naming_the_field(workbench, ask, how, change, said_field):
    with pytest.raises(ValidationFailed, match=said_field):
        await gather(workbench, how, ask | change)


async def test_a_missing_profile_is_not_found(workbench, ask):
    with pytest.raises(NotFound, match="Profile nobody not found"):
        await workbench.chat.send(**ask | {"profile_id": "nobody"})


async def test_a_key_never_comes_back_in_an_error(workbench, upstream, ask):
    upstream.reply(CHAT, status=401, json={"error": {"message": "Incorrect API key provided: sk-test-1234567890"}})
    with pytest.raises(SpoonError) as refused:
        await workbench.chat.send(**ask)
    assert "sk-test-1234567890" not in str(refused.value)


async def gather(workbench, how, ask):
    if how == "send":
        return await workbench.chat.send(**ask)
    return [delta async for delta in workbench.chat.stream(**ask)]

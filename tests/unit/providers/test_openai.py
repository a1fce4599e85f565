import json
from datetime import UTC, datetime

import pytest

from spoonkernel.errors import BadRequest, ProviderRefused, StreamTruncated
from spoonkernel.providers.base import ChatCall, MediaCall
from spoonkernel.providers.openai import decode, decode_models, encode
from spoonkernel.testing.upstream import Reply
from spoonkernel.types.chat import Message

from .conftest import recorded, text_of

PICTURE = "data:image/png;base64,iVBORw0KGgo="


@pytest.fixture
def openai(adapter):
    return adapter("openai")


async def test_answer_ends_with_reason_counts_and_model(openai):
    last = (await openai.gets("openai/chat_stream").ask())[-1]
    assert (last.finish_reason, last.model, last.warnings) == ("stop", "gpt-6-luna-2026-07-01", [])
    assert last.usage.model_dump() == {"prompt_tokens": 14, "completion_tokens": 9, "total_tokens": 23}


async def test_end_marker_without_a_finish_reason_is_truncated(openai):
    with pytest.raises(StreamTruncated) as caught:
        await openai.gets("openai/chat_truncated").ask()
    assert caught.value.partial == "Once upon"


async def test_filtered_and_refused_answers(openai):
    openai.gets("openai/chat_filtered", "openai/chat_refusal")
    assert (await openai.ask())[-1].finish_reason == "content_filter"
    assert text_of(await openai.ask()) == "I cannot help with that."


async def test_counts_stay_unknown_where_the_server_sends_none(openai):
    body = recorded("openai/chat_stream").body.replace(b'"usage":{', b'"used":{')
    assert (await openai.gets(Reply(body=body)).ask())[-1].usage is None


async def test_server_that_does_not_stream_is_understood(openai):
    answer = {
        "model": "m",
        "choices": [{"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    }
    openai.upstream.reply(openai.path, json=answer | {"usage": {"prompt_tokens": 1, "completion_tokens": 2}})
    deltas = await openai.ask()
    assert (text_of(deltas), deltas[-1].finish_reason, deltas[-1].usage.total_tokens) == ("Hello", "stop", 3)


def test_limit_has_openais_name_at_home_and_the_old_one_elsewhere():
    call = ChatCall("m", [Message(role="user", content="hi")], {"max_tokens": 5})
    home, away = encode(call, is_home=True).body, encode(call, is_home=False).body
    assert (home.get("max_completion_tokens"), home.get("max_tokens")) == (5, None)
    assert (away.get("max_completion_tokens"), away.get("max_tokens")) == (None, 5)


def test_answers_of_other_servers_are_capped():
    call = ChatCall("m", [], {})
    assert encode(call, is_home=False).body["max_tokens"] == 4096
    assert "max_tokens" not in encode(call, is_home=False, token_cap=None).body
    assert not {"max_tokens", "max_completion_tokens"} & encode(call, is_home=True).body.keys()


async def test_refused_option_is_left_out_with_a_warning(openai):
    openai.gets("openai/error_temperature", "openai/chat_stream")
    deltas = await openai.ask(temperature=0.7, top_p=0.9)
    assert deltas[-1].warnings == ["m does not accept temperature=0.7: it was left out"]
    assert "temperature" not in openai.sent
    assert openai.sent["top_p"] == 0.9


async def test_refused_limit_is_renamed_with_a_warning(openai):
    openai.gets("openai/error_max_tokens", "openai/chat_stream")
    deltas = await openai.ask(max_tokens=50)
    assert deltas[-1].warnings == ["m takes max_completion_tokens instead of max_tokens"]
    assert openai.sent["max_completion_tokens"] == 50
    assert "max_tokens" not in openai.sent


async def test_option_is_repaired_only_once(openai):
    openai.gets("openai/error_temperature")
    with pytest.raises(ProviderRefused, match="Unsupported value: 'temperature'"):
        await openai.ask(temperature=0.7)
    assert len(openai.upstream.requests) == 2


async def test_refusal_of_what_was_not_sent_is_the_callers(openai):
    with pytest.raises(ProviderRefused):
        await openai.gets("openai/error_temperature").ask()
    assert len(openai.upstream.requests) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs"}]},
        {"error": {"message": "Unrecognized request argument supplied: stream_options"}},
    ],
)
async def test_server_that_knows_no_stream_options_still_answers(openai, refusal):
    openai.gets(Reply(422, {}, json.dumps(refusal).encode()), "openai/chat_stream")
    assert (await openai.ask())[-1].warnings == []
    assert "stream_options" not in openai.sent


async def test_pictures_are_passed_on_and_checked(openai):
    def parts(url):
        return [
            Message(
                role="user", content=[{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": url}}]
            )
        ]

    openai.gets("openai/chat_stream")
    for url in (PICTURE, "https://example.com/x.png"):
        await openai.ask(parts(url))
        assert openai.sent["messages"][0]["content"][1] == {"type": "image_url", "image_url": {"url": url}}
    with pytest.raises(BadRequest):
        await openai.ask(parts("data:image/png;base64,#"))


async def test_models_past_their_shutdown_are_left_out(openai, upstream):
    upstream.reply("/models", recorded("openai/models"))
    models = {model.id: model.capabilities for model in await openai.provider.models()}
    assert models == {
        "gpt-6-luna": ("chat", "text"),
        "gpt-5": ("chat", "text"),
        "gpt-image-2": ("image",),
        "text-embedding-3-large": ("embedding",),
    }


@pytest.mark.parametrize(("shutdown", "listed"), [("2026-11-22", False), ("2026-11-23", True), (1, False), ("?", True)])
def test_shutdown_date_counts_from_its_day_on(shutdown, listed):
    body = {"data": [{"id": "x", "shutdown_date": shutdown}]}
    assert bool(decode_models(body, datetime(2026, 11, 22, tzinfo=UTC))) is listed


async def test_refused_key(openai, upstream):
    upstream.reply("/models", recorded("openai/error_401"))
    with pytest.raises(ProviderRefused, match=r"Incorrect API key provided: \[key\]") as caught:
        await openai.provider.models()
    assert caught.value.invalid_key


async def test_picture_comes_with_its_size(openai, upstream):
    upstream.reply("/images/generations", recorded("openai/image"))
    (made,) = await openai.provider.images(MediaCall("gpt-image-2", "a fox", {"width": 1024, "height": 1536, "n": 1}))
    assert openai.sent == {"model": "gpt-image-2", "prompt": "a fox", "n": 1, "size": "1024x1536"}
    assert (made.type, made.content_type, made.content[:4]) == ("image", "image/png", b"\x89PNG")
    assert made.metadata == {"model": "gpt-image-2", "tokens": 284, "width": 3, "height": 2}


@pytest.mark.parametrize(
    ("headers", "options", "kind"),
    [
        ({"content-type": "audio/wav"}, {}, "audio/wav"),
        ({"content-type": "application/octet-stream"}, {"response_format": "opus"}, "audio/ogg"),
        ({}, {}, "audio/mpeg"),
    ],
)
async def test_speech_is_bytes_with_their_type(openai, upstream, headers, options, kind):
    upstream.reply("/audio/speech", headers=headers, body=b"ID3\x00\xff")
    (made,) = await openai.provider.speech(MediaCall("tts", "Hello", options))
    assert (made.type, made.content, made.content_type) == ("audio", b"ID3\x00\xff", kind)
    assert openai.sent == {"voice": "alloy", "model": "tts", "input": "Hello"} | options


async def test_text_too_long_to_speak_is_refused_before_sending(openai):
    with pytest.raises(BadRequest, match="at most 4096 characters at once, and the text has 4097"):
        await openai.provider.speech(MediaCall("tts", "x" * 4097))
    assert openai.upstream.requests == []


@pytest.mark.parametrize(
    ("finish", "ours"),
    [("length", "length"), ("tool_calls", "tool_calls"), ("function_call", "tool_calls"), ("eos", "stop")],
)
def test_finish_reasons_have_one_spelling(finish, ours):
    assert decode({"choices": [{"delta": {}, "finish_reason": finish}]}).finish_reason == ours

import pytest

from spoonkernel.errors import ProviderRefused, StreamTruncated
from spoonkernel.providers.claude import SAMPLING_VERSION, VERSION, decode
from spoonkernel.testing.upstream import Reply
from spoonkernel.types.chat import Message

from .conftest import KEY, recorded, text_of


@pytest.fixture
def claude(adapter):
    return adapter("claude")


async def test_answer_is_the_text_blocks_and_counts_the_cache(claude):
    deltas = await claude.gets("claude/chat_stream").ask()
    assert text_of(deltas) == "Grüß Gott 👋"
    assert (deltas[-1].finish_reason, deltas[-1].model) == ("stop", "claude-sonnet-5-5")
    assert deltas[-1].usage.model_dump() == {"prompt_tokens": 113, "completion_tokens": 15, "total_tokens": 128}


async def test_stop_reason_without_message_stop_is_truncated(claude):
    with pytest.raises(StreamTruncated) as caught:
        await claude.gets("claude/chat_truncated").ask()
    assert caught.value.partial == "Grüß Gott 👋"


async def test_request_has_key_version_and_limit(claude):
    messages = [Message(role=role, content=role[0]) for role in ("system", "user", "assistant", "system", "user")]
    await claude.gets("claude/chat_stream").ask(messages, stop="END")
    headers = claude.upstream.requests[0].headers
    assert (headers["x-api-key"], headers["anthropic-version"], headers.get("authorization")) == (KEY, VERSION, None)
    assert claude.sent == {
        "model": "m",
        "max_tokens": 4096,
        "system": "s\n\ns",
        "messages": [{"role": role, "content": role[0]} for role in ("user", "assistant", "user")],
        "stop_sequences": ["END"],
        "stream": True,
    }


async def test_sampling_goes_in_the_version_that_knows_it(claude):
    deltas = await claude.gets("claude/chat_stream").ask(temperature=0.2, max_tokens=9)
    assert claude.upstream.requests[0].headers["anthropic-version"] == SAMPLING_VERSION
    assert (claude.sent["temperature"], claude.sent["max_tokens"], deltas[-1].warnings) == (0.2, 9, [])


async def test_sampling_that_the_model_refuses_is_left_out_with_a_warning(claude):
    claude.gets("claude/error_sampling", "claude/chat_stream")
    deltas = await claude.ask(temperature=0.2, top_k=5)
    assert deltas[-1].warnings == ["Claude does not accept temperature, top_k: left out"]
    assert claude.upstream.requests[1].headers["anthropic-version"] == VERSION
    assert not {"temperature", "top_k"} & claude.sent.keys()


async def test_other_bad_requests_are_not_sent_again(claude):
    claude.gets(
        Reply(400, {}, b'{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long"}}')
    )
    with pytest.raises(ProviderRefused, match="Claude: prompt is too long"):
        await claude.ask(temperature=0.2)
    assert len(claude.upstream.requests) == 1


async def test_options_of_other_providers_are_left_out_with_a_warning(claude):
    deltas = await claude.gets("claude/chat_stream").ask(seed=1)
    assert deltas[-1].warnings == ["Claude does not accept seed: left out"]
    assert "seed" not in claude.sent


async def test_pictures_are_blocks(claude):
    urls = ("data:image/png;base64,iVBORw0KGgo=", "https://example.com/x.png")
    parts = [{"type": "text", "text": "?"}, *({"type": "image_url", "image_url": {"url": url}} for url in urls)]
    await claude.gets("claude/chat_stream").ask([Message(role="user", content=parts)])
    assert claude.sent["messages"][0]["content"] == [
        {"type": "text", "text": "?"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/x.png"}},
    ]


async def test_models_of_all_pages_without_those_that_retire(claude, upstream):
    upstream.reply("/v1/models", recorded("claude/models"))
    upstream.reply("/v1/models", recorded("claude/models_2"))
    models = await claude.provider.models()
    assert [(model.id, model.name) for model in models] == [
        ("claude-sonnet-5-5", "Claude Sonnet 5.5"),
        ("claude-opus-5-5", "Claude Opus 5.5"),
    ]
    assert "vision" in models[0].capabilities
    assert [request.query for request in upstream.requests] == ["limit=1000", "limit=1000&after_id=claude-haiku-5-5"]
    assert upstream.requests[0].headers["anthropic-version"] == VERSION


async def test_answer_at_the_limit_says_length(claude):
    assert (await claude.gets("claude/chat_length").ask())[-1].finish_reason == "length"


@pytest.mark.parametrize(
    ("reason", "ours"),
    [("stop_sequence", "stop"), ("refusal", "content_filter"), ("tool_use", "tool_calls"), ("news", "stop")],
)
def test_finish_reasons_have_one_spelling(reason, ours):
    assert decode({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {}}).finish_reason == ours

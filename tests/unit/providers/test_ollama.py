import pytest

from spoonkernel.errors import BadRequest, NotFound, ProviderConnectionError, ProviderRefused
from spoonkernel.providers.ollama import decode, full_name
from spoonkernel.testing.upstream import Reply
from spoonkernel.types.chat import Message

from .conftest import recorded, text_of

PICTURE = "data:image/png;base64,iVBORw0KGgo="
NAME = "smollm2:135m"


@pytest.fixture
def ollama(adapter):
    return adapter("ollama")


async def test_answer_ends_with_reason_counts_and_model(ollama):
    last = (await ollama.gets("ollama/chat_stream").ask())[-1]
    assert (last.finish_reason, last.model) == ("stop", NAME)
    assert last.usage.model_dump() == {"prompt_tokens": 16, "completion_tokens": 8, "total_tokens": 24}


async def test_answer_at_the_limit_says_length(ollama):
    deltas = await ollama.gets("ollama/chat_length").ask()
    assert (text_of(deltas), deltas[-1].finish_reason) == ("The Night of the", "length")


async def test_options_go_where_ollama_wants_them(ollama):
    await ollama.gets("ollama/chat_stream").ask(
        temperature=0, max_tokens=7, stop="END", think=False, keep_alive="5m", format="json"
    )
    assert ollama.sent == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "think": False,
        "keep_alive": "5m",
        "format": "json",
        "options": {"temperature": 0, "num_predict": 7, "stop": ["END"]},
    }


@pytest.mark.parametrize(("options", "cap"), [({}, 4096), ({"num_predict": -1}, -1), ({"max_tokens": 9}, 9)])
async def test_answers_are_capped_unless_said_otherwise(ollama, options, cap):
    await ollama.gets("ollama/chat_stream").ask(**options)
    assert ollama.sent["options"] == {"num_predict": cap}


async def test_pictures_go_beside_the_words_as_base64(ollama):
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": PICTURE}}]
    await ollama.gets("ollama/chat_stream").ask([Message(role="user", content=parts)])
    assert ollama.sent["messages"] == [{"role": "user", "content": "What is it?", "images": ["iVBORw0KGgo="]}]


async def test_picture_from_the_web_is_refused_before_sending(ollama):
    parts = [{"type": "image_url", "image_url": {"url": "https://example.com/x.png"}}]
    with pytest.raises(BadRequest, match="Ollama"):
        await ollama.ask([Message(role="user", content=parts)])
    assert ollama.upstream.requests == []


@pytest.mark.parametrize("name", ["chat_404", "chat_think_unsupported"])
async def test_refusal_is_in_ollamas_words(ollama, name):
    with pytest.raises(ProviderRefused, match=r"not found, try pulling it first|does not support thinking"):
        await ollama.gets(f"ollama/{name}").ask()


async def test_error_line_inside_a_stream_is_an_error(ollama):
    with pytest.raises(ProviderConnectionError, match="Ollama: pull model manifest"):
        await ollama.gets("ollama/pull_offline").ask()


def test_thinking_is_not_text():
    assert decode({"message": {"role": "assistant", "content": "", "thinking": "Hm"}, "done": False}) is None


def test_prompt_that_was_in_the_cache_has_no_count():
    usage = decode({"message": {"content": ""}, "done": True, "eval_count": 3}).usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (None, 3)


async def test_models_are_joined_with_those_in_memory(ollama, upstream):
    upstream.reply("/api/tags", recorded("ollama/tags"))
    upstream.reply("/api/ps", recorded("ollama/ps_loaded"))
    (model,) = await ollama.provider.models()
    assert (model.id, model.size_bytes, model.loaded) == (NAME, 98363007, True)
    assert model.capabilities == ("chat", "text")
    assert await ollama.provider.loaded() == {NAME}


async def test_info_has_template_parameters_and_size(ollama, upstream):
    upstream.reply("/api/show", recorded("ollama/show"))
    upstream.reply("/api/tags", recorded("ollama/tags"))
    upstream.reply("/api/ps", recorded("ollama/ps_empty"))
    model = await ollama.provider.info(NAME)
    assert (model.id, model.size_bytes, model.loaded) == (NAME, 98363007, False)
    assert model.parameters == "stop=<|im_start|>, stop=<|im_end|>"
    assert "<|im_start|>{{ .Role }}" in model.template


@pytest.mark.parametrize("ask", ["info", "load", "unload"])
async def test_unknown_model_is_not_found(ollama, upstream, ask):
    upstream.reply("/api/show", recorded("ollama/show_404"))
    upstream.reply("/api/generate", recorded("ollama/unload_404"))
    with pytest.raises(NotFound, match="Model nope not found"):
        await getattr(ollama.provider, ask)("nope")


async def test_load_and_unload_send_no_prompt(ollama, upstream):
    upstream.reply("/api/generate", recorded("ollama/load"))
    upstream.reply("/api/generate", recorded("ollama/unload"))
    await ollama.provider.load(NAME)
    await ollama.provider.unload(NAME)
    bodies = [request.json for request in upstream.requests]
    assert bodies == [{"model": NAME, "stream": False}, {"model": NAME, "keep_alive": 0, "stream": False}]


async def test_listing_fails_at_once(ollama, upstream):
    upstream.reply("/api/tags", Reply(500, {}, b'{"error":"broken"}'))
    with pytest.raises(ProviderConnectionError, match="broken"):
        await ollama.provider.models()
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("name", "full"),
    [("llama3", "llama3:latest"), (NAME, NAME), ("hf.co:443/org/m", "hf.co:443/org/m:latest"), ("a/b:Q4", "a/b:Q4")],
)
def test_name_without_a_tag_means_latest(name, full):
    assert full_name(name) == full

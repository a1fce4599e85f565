import pytest

from spoonkernel.errors import ProviderRefused
from spoonkernel.providers.base import ChatCall, MediaCall
from spoonkernel.providers.gemini import decode, encode
from spoonkernel.types.chat import Message

from .conftest import KEY, recorded, text_of


@pytest.fixture
def gemini(adapter):
    return adapter("gemini")


async def test_thoughts_are_counted_but_not_shown(gemini):
    deltas = await gemini.gets("gemini/chat_stream").ask()
    assert text_of(deltas) == "Здравей, свят"
    assert (deltas[-1].finish_reason, deltas[-1].model) == ("stop", "gemini-3.8-flash")
    assert deltas[-1].usage.model_dump() == {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}


async def test_key_is_in_the_header_only(gemini):
    await gemini.gets("gemini/chat_stream").ask()
    request = gemini.upstream.requests[0]
    assert (request.headers["x-goog-api-key"], request.query) == (KEY, "alt=sse")
    assert KEY.encode() not in request.body


async def test_request_merges_turns_of_one_speaker(gemini):
    said = [("system", "s"), ("user", "a"), ("user", "b"), ("assistant", "c"), ("system", "t"), ("user", "d")]
    messages = [Message(role=role, content=text) for role, text in said]
    await gemini.gets("gemini/chat_stream").ask(
        messages, temperature=0, max_tokens=5, top_p=0.5, top_k=3, stop="END", seed=1, safetySettings=[]
    )
    assert gemini.sent == {
        "systemInstruction": {"parts": [{"text": "s\n\nt"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]},
            {"role": "model", "parts": [{"text": "c"}]},
            {"role": "user", "parts": [{"text": "d"}]},
        ],
        "generationConfig": {
            "temperature": 0,
            "maxOutputTokens": 5,
            "topP": 0.5,
            "topK": 3,
            "stopSequences": ["END"],
            "seed": 1,
        },
        "safetySettings": [],
    }


@pytest.mark.parametrize("model", ["gemini-3.8-flash", "models/gemini-3.8-flash"])
def test_model_is_named_with_or_without_its_prefix(model):
    path = encode(ChatCall(model, [])).path
    assert path == "/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse"


def test_model_name_cannot_leave_its_place_in_the_path():
    assert encode(ChatCall("../x?key=1#", [])).path.startswith("/v1beta/models/..%2Fx%3Fkey%3D1%23:")


async def test_pictures_are_parts(gemini):
    urls = ("data:image/jpeg;base64,/9j/4A==", "https://example.com/x.png")
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    await gemini.gets("gemini/chat_stream").ask([Message(role="user", content=parts)])
    assert gemini.sent["contents"][0]["parts"] == [
        {"inlineData": {"mimeType": "image/jpeg", "data": "/9j/4A=="}},
        {"fileData": {"mimeType": "image/png", "fileUri": "https://example.com/x.png"}},
    ]


async def test_blocked_prompt_is_a_refusal_with_its_reason(gemini):
    with pytest.raises(ProviderRefused, match=r"Gemini blocked the prompt \(PROHIBITED_CONTENT\)"):
        await gemini.gets("gemini/chat_blocked_prompt").ask()


async def test_blocked_answer_keeps_its_text_and_says_so(gemini):
    deltas = await gemini.gets("gemini/chat_blocked_answer").ask()
    assert (text_of(deltas), deltas[-1].finish_reason) == ("Well", "content_filter")


async def test_bad_key_is_told_apart(gemini):
    with pytest.raises(ProviderRefused, match="Gemini: API key not valid") as caught:
        await gemini.gets("gemini/error_key").ask()
    assert caught.value.invalid_key


async def test_geminis_own_wait_is_kept(gemini):
    gemini.gets("gemini/error_429", "gemini/chat_stream")
    await gemini.ask()
    assert gemini.waits == [17]


async def test_models_of_all_pages_that_generate(gemini, upstream):
    upstream.reply("/v1beta/models", recorded("gemini/models"))
    upstream.reply("/v1beta/models", recorded("gemini/models_2"))
    models = await gemini.provider.models()
    assert [model.id for model in models] == ["gemini-3.8-flash", "gemini-3.1-flash-image"]
    assert "image" in models[1].capabilities
    assert upstream.requests[1].query == "pageSize=1000&pageToken=p2%3D"


async def test_picture_comes_with_its_size(gemini, upstream):
    upstream.reply("/v1beta/models/g:generateContent", recorded("gemini/image"))
    (made,) = await gemini.provider.images(MediaCall("g", "a fox", {"aspectRatio": "3:2", "timeout_s": 60}))
    assert gemini.sent["generationConfig"] == {
        "responseModalities": ["TEXT", "IMAGE"],
        "imageConfig": {"aspectRatio": "3:2"},
    }
    assert (made.content_type, made.metadata) == ("image/png", {"model": "g", "tokens": 1295, "width": 3, "height": 2})


async def test_words_instead_of_a_picture_are_a_refusal(gemini, upstream):
    upstream.reply("/v1beta/models/g:generateContent", recorded("gemini/image_refused"))
    with pytest.raises(ProviderRefused, match="I will not draw that"):
        await gemini.provider.images(MediaCall("g", "a fox"))


@pytest.mark.parametrize(
    ("reason", "ours"),
    [("MAX_TOKENS", "length"), ("RECITATION", "content_filter"), ("MALFORMED_FUNCTION_CALL", "error")],
)
def test_finish_reasons_have_one_spelling(reason, ours):
    assert decode({"candidates": [{"finishReason": reason}]}).finish_reason == ours

"""What every provider's stream does, whichever its format."""

import asyncio
import time

import pytest

from spoonkernel.errors import BadRequest, ProviderConnectionError, StreamTruncated
from spoonkernel.providers import stream as driver
from spoonkernel.testing.upstream import ABORT, CLOSE, STALL, Reply

from .conftest import recorded, text_of

NAMES = ("ollama", "openai", "claude", "gemini")
EXPECTED = {
    "ollama": "The capital of France is Paris.",
    "openai": "Bonjour à tous 👋",
    "claude": "Grüß Gott 👋",
    "gemini": "Здравей, свят",
}
each = pytest.mark.parametrize("name", NAMES)


def until_text(name: str) -> bytes:
    body = recorded(f"{name}/chat_stream").body
    mark = {"ollama": b" of", "openai": b"Bonjour ", "claude": "Grüß ".encode(), "gemini": "Здравей".encode()}[name]
    at = body.index(mark)
    blank = b"\n" if name == "ollama" else b"\r\n\r\n" if name == "gemini" else b"\n\n"
    return body[: body.index(blank, at) + len(blank)]


@each
@pytest.mark.parametrize("size", [1, 3, 11, 100_000])
async def test_answer_is_the_same_however_its_bytes_are_cut(adapter, name, size):
    body = recorded(f"{name}/chat_stream").body
    provider = adapter(name).gets(Reply(chunks=[body[at : at + size] for at in range(0, len(body), size)]))
    deltas = await provider.ask()
    assert text_of(deltas) == EXPECTED[name]
    assert [delta.finish_reason for delta in deltas if delta.finish_reason] == ["stop"]
    assert deltas[-1].usage.total_tokens
    assert deltas[-1].model


@each
async def test_pieces_arrive_before_the_answer_is_over(adapter, name):
    over = asyncio.Event()
    body = recorded(f"{name}/chat_stream").body
    start = until_text(name)
    provider = adapter(name).gets(Reply(chunks=[start, over, body[len(start) :]]))
    async with asyncio.timeout(5):
        deltas = []
        async for delta in provider.stream():
            deltas.append(delta)
            if EXPECTED[name].startswith(text_of(deltas)):
                over.set()
    assert text_of(deltas) == EXPECTED[name]


@each
@pytest.mark.parametrize("ending", [ABORT, CLOSE, None])
async def test_cut_stream_is_an_error_that_keeps_the_text(adapter, name, ending):
    steps = [until_text(name), *([ending] if ending else [])]
    provider = adapter(name).gets(Reply(chunks=steps))
    with pytest.raises(StreamTruncated, match="broke off") as caught:
        await provider.ask()
    if ending is not ABORT:  # a reset may overtake the bytes before it
        assert caught.value.partial
        assert EXPECTED[name].startswith(caught.value.partial)
    assert len(provider.upstream.requests) == 1


@each
async def test_silence_inside_an_answer_ends_it_and_hangs_up(adapter, name):
    provider = adapter(name, stall_s=0.05).gets(Reply(chunks=[until_text(name), STALL]))
    with pytest.raises(ProviderConnectionError, match=r"fell silent in its answer for 0.05 s") as caught:
        await provider.ask()
    assert EXPECTED[name].startswith(caught.value.partial)
    await provider.upstream.closed()
    assert len(provider.upstream.requests) == 1


async def test_model_may_think_longer_than_it_may_pause(adapter):
    ready = asyncio.Event()
    openai = adapter("openai", stall_s=0.02).gets(
        Reply(chunks=[b": hello\n\n", ready, recorded("openai/chat_stream").body])
    )
    asyncio.get_running_loop().call_later(0.1, ready.set)
    assert text_of(await openai.ask()) == EXPECTED["openai"]


async def test_answer_without_end_stops_at_the_deadline(adapter):
    ollama = adapter("ollama").gets(Reply(chunks=[until_text("ollama"), STALL]))
    with pytest.raises(ProviderConnectionError, match=r"had not finished after 0.2 s") as caught:
        await ollama.ask(timeout_s=0.2)
    assert caught.value.partial == "The capital of"


@each
async def test_closing_the_stream_hangs_up_at_once(adapter, name):
    provider = adapter(name).gets(Reply(chunks=[until_text(name), STALL]))
    stream = provider.stream()
    await anext(stream)
    started = time.monotonic()
    await stream.aclose()
    await provider.upstream.closed()
    assert time.monotonic() - started < 0.5


@pytest.mark.parametrize("begun", [True, False])
async def test_cancelling_the_reader_hangs_up_at_once(adapter, begun):
    ollama = adapter("ollama").gets(Reply(chunks=[until_text("ollama") if begun else b"\n", STALL]))
    got = asyncio.Event()

    async def read():
        async for _ in ollama.stream():
            got.set()

    task = asyncio.create_task(read())
    await (got.wait() if begun else ollama.upstream.received())
    started = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await ollama.upstream.closed()
    assert time.monotonic() - started < 0.5


@pytest.mark.parametrize("name", ["openai", "claude", "gemini"])
async def test_error_in_the_middle_keeps_the_text_and_is_not_tried_again(adapter, name):
    provider = adapter(name).gets(f"{name}/chat_error_midway")
    with pytest.raises(ProviderConnectionError) as caught:
        await provider.ask()
    assert not isinstance(caught.value, StreamTruncated)
    assert caught.value.partial
    assert len(provider.upstream.requests) == 1


@each
@pytest.mark.parametrize(
    "junk", [b'{"x":', b"[]", b"null", b"987654", b'{"choices":7,"message":7,"candidates":7,"type":[]}']
)
async def test_event_that_is_not_the_format_is_an_error_with_the_text_so_far(adapter, name, junk):
    line = junk + b"\n" if name == "ollama" else b"data: " + junk + b"\n\n"
    provider = adapter(name).gets(Reply(chunks=[until_text(name), line]))
    with pytest.raises(ProviderConnectionError) as caught:
        await provider.ask()
    assert EXPECTED[name].startswith(caught.value.partial)
    assert junk.decode() not in caught.value.message


@each
async def test_web_page_instead_of_an_answer_is_said_to_be_none(adapter, name):
    provider = adapter(name).gets(Reply(200, {"content-type": "text/html"}, b"<!doctype html><p>Welcome</p>"))
    with pytest.raises(ProviderConnectionError, match="not its format") as caught:
        await provider.ask()
    assert "Welcome" not in caught.value.message


async def test_silence_after_the_finish_reason_is_an_end(adapter, monkeypatch):
    monkeypatch.setattr(driver, "AFTER_FINISH_S", 0.05)
    body = recorded("openai/chat_stream").body.partition(b"data: [DONE]")[0]
    openai = adapter("openai").gets(Reply(chunks=[body, STALL]))
    deltas = await openai.ask()
    assert deltas[-1].finish_reason == "stop"
    assert deltas[-1].usage.total_tokens == 23


@pytest.mark.parametrize("timeout_s", [0, -1, "ten", True, float("inf")])
async def test_deadline_that_is_none_is_refused_before_anything_is_sent(adapter, timeout_s):
    ollama = adapter("ollama")
    with pytest.raises(BadRequest, match="timeout_s"):
        await ollama.ask(timeout_s=timeout_s)
    assert ollama.upstream.requests == []


async def test_options_set_to_none_are_not_sent(adapter):
    openai = adapter("openai").gets("openai/chat_stream")
    await openai.ask(temperature=None, top_p=0.5, model="other", stream=False)
    assert "temperature" not in openai.sent
    assert (openai.sent["top_p"], openai.sent["model"], openai.sent["stream"]) == (0.5, "m", True)

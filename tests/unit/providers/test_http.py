import asyncio
import gzip
import time

import pytest

from spoonkernel.errors import BadRequest, NotFound, ProviderConnectionError, ProviderRefused, RateLimited
from spoonkernel.providers import http as shell
from spoonkernel.providers.http import Pacing, ProviderHTTP
from spoonkernel.testing.upstream import ABORT, CLOSE, STALL, Reply

from .conftest import KEY, recorded, text_of

OVERLOADED = Reply(503, {}, b'{"error":"server busy, please try again"}')


async def test_overload_is_tried_again_twice_with_growing_waits(adapter):
    ollama = adapter("ollama").gets(OVERLOADED, OVERLOADED, "ollama/chat_stream")
    assert text_of(await ollama.ask()) == "The capital of France is Paris."
    assert ollama.waits == [0.5, 1.0]


async def test_third_failure_is_the_callers(adapter):
    ollama = adapter("ollama").gets(OVERLOADED)
    with pytest.raises(ProviderConnectionError, match="Ollama: server busy"):
        await ollama.ask()
    assert len(ollama.upstream.requests) == 3


@pytest.mark.parametrize("attempt", range(8))
def test_waits_are_capped_and_jitter_only_shortens_them(attempt):
    longest = min(0.5 * 2**attempt, 8)
    assert Pacing(chance=lambda: 0.0).wait_s(None, attempt) == longest
    assert Pacing(chance=lambda: 1.0).wait_s(None, attempt) == longest * 0.75


async def test_provider_says_how_long_to_wait(adapter):
    openai = adapter("openai").gets("openai/error_429_rate", "openai/chat_stream")
    await openai.ask()
    assert openai.waits == [6.5]


async def test_wait_past_the_deadline_is_not_begun(adapter):
    openai = adapter("openai").gets("openai/error_429_rate")
    with pytest.raises(RateLimited) as caught:
        await openai.ask(timeout_s=3)
    assert caught.value.retry_after_s == 6.5
    assert openai.waits == []
    assert "timeout_s" not in openai.sent


async def test_wait_of_minutes_is_told_instead(adapter):
    claude = adapter("claude").gets(Reply(429, {"retry-after": "300"}, recorded("claude/error_429").body))
    with pytest.raises(RateLimited) as caught:
        await claude.ask()
    assert (caught.value.retry_after_s, claude.waits) == (300, [])


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("openai", "openai/error_429_quota"),
        ("claude", "claude/error_429_spend"),
        ("claude", "claude/error_404"),
        ("openai", Reply(400, {"x-should-retry": "true"}, b'{"error":{"message":"no"}}')),
    ],
)
async def test_refusals_that_time_does_not_cure_are_not_tried_again(adapter, name, reply):
    provider = adapter(name).gets(reply)
    with pytest.raises(ProviderRefused):
        await provider.ask()
    assert len(provider.upstream.requests) == 1


async def test_connection_cut_before_the_answer_is_tried_again(adapter, upstream):
    """Two servers in one: the first connection dies with its request, the next one is answered."""
    ollama = adapter("ollama")
    dead = [True]

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        if dead.pop() if dead else False:
            writer.transport.abort()
            return
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + recorded("ollama/chat_stream").body)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    ollama.provider._http.base_url = f"http://127.0.0.1:{port}"
    assert text_of(await ollama.ask()) == "The capital of France is Paris."
    assert ollama.waits == []  # a kept connection that its server has closed: at once, for nothing was heard yet
    server.close()


async def test_nobody_there_is_named_with_its_host(pool, unused_tcp_port):
    http = ProviderHTTP(pool, f"http://127.0.0.1:{unused_tcp_port}", name="Ollama", pacing=Pacing(retries=0))
    with pytest.raises(ProviderConnectionError) as caught:
        await http.json("GET", "/api/tags", decode=dict)
    assert caught.value.message == f"Cannot connect to Ollama. Is it running? (127.0.0.1:{unused_tcp_port})"


@pytest.mark.parametrize("echo", ["header", "body"])
async def test_echoed_key_never_shows(adapter, echo):
    said = f'{{"error":{{"message":"bad key {KEY}","type":"x"}}}}' if echo == "body" else f"<html>{KEY}</html>"
    openai = adapter("openai").gets(Reply(401, {"x-key": KEY}, said.encode()))
    with pytest.raises(ProviderRefused) as caught:
        await openai.ask()
    assert openai.upstream.requests[0].headers["authorization"] == f"Bearer {KEY}"
    error = caught.value
    while error:
        assert KEY not in f"{error!r} {error} {vars(error)}"
        error = error.__cause__ or error.__context__


async def test_redirects_are_refused_and_the_key_stays_here(adapter, upstream):
    openai = adapter("openai").gets(Reply(307, {"location": f"{upstream.url}/elsewhere"}))
    with pytest.raises(ProviderRefused, match="HTTP 307"):
        await openai.ask()
    assert [request.path for request in upstream.requests] == [openai.path]


async def test_answer_that_never_begins_ends_at_the_deadline(adapter):
    ollama = adapter("ollama", first_s=0.05)

    async def silent(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    ollama.provider._http.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    with pytest.raises(ProviderConnectionError, match="did not answer within"):
        await ollama.ask()
    server.close()


async def test_server_of_another_protocol_is_named_and_shows_no_key(adapter):
    openai = adapter("openai")

    async def greet(reader, writer):
        writer.write(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    openai.provider._http.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    with pytest.raises(ProviderConnectionError, match="does not speak HTTP") as caught:
        await openai.ask()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    server.close()


async def test_packed_answer_is_unpacked_and_a_broken_one_is_an_error(pool, upstream):
    http = ProviderHTTP(pool, upstream.url, name="X")
    packed = {"content-encoding": "gzip"}
    upstream.reply("/x", headers=packed, body=gzip.compress(b"[1]"))
    upstream.reply("/x", headers=packed, body=b"[1]")
    assert await http.json("GET", "/x", decode=list) == [1]
    with pytest.raises(ProviderConnectionError, match="broke off"):
        await http.json("GET", "/x", decode=list)


async def test_plain_requests_end_at_their_deadline_and_hang_up(pool, upstream):
    upstream.reply("/x", chunks=[b"[", STALL])
    with pytest.raises(ProviderConnectionError, match=r"had not finished after 0.05 s"):
        await ProviderHTTP(pool, upstream.url, name="X").json("GET", "/x", decode=list, timeout_s=0.05)
    await upstream.closed()


@pytest.mark.parametrize("ending", [ABORT, CLOSE])
async def test_plain_answer_that_breaks_off_is_an_error(pool, upstream, ending):
    upstream.reply("/x", chunks=[b"[1,", ending])
    with pytest.raises(ProviderConnectionError, match="broke off"):
        await ProviderHTTP(pool, upstream.url, name="X").json("GET", "/x", decode=list)


@pytest.mark.parametrize("body", [b"<html>", b"{", b"[1]", b'{"data":[{}]}', b""])
async def test_answer_in_another_format_is_an_error_without_its_text(pool, upstream, body):
    upstream.reply("/models", body=body)
    http = ProviderHTTP(pool, upstream.url, name="OpenAI")
    with pytest.raises(ProviderConnectionError, match="not its format"):
        await http.json("GET", "/models", decode=lambda answer: [model["id"] for model in answer["data"]])


async def test_oversized_answer_is_dropped(pool, upstream, monkeypatch):
    monkeypatch.setattr(shell, "MAX_BYTES", 1000)
    upstream.reply("/x", chunks=[b"[" + b" " * 2000, STALL])
    with pytest.raises(ProviderConnectionError, match="sent more than"):
        await ProviderHTTP(pool, upstream.url, name="X").json("GET", "/x", decode=list)
    await upstream.closed()


async def test_missing_thing_is_not_found_where_the_caller_says_so(pool, upstream):
    http = ProviderHTTP(pool, upstream.url, name="X")
    with pytest.raises(NotFound, match="Model y not found"):
        await http.json("GET", "/x", decode=dict, missing="Model y not found")
    with pytest.raises(ProviderRefused):
        await http.json("GET", "/x", decode=dict)


async def test_half_a_character_is_a_bad_request(adapter):
    with pytest.raises(BadRequest, match="cannot be sent as JSON"):
        await adapter("ollama").ask(stop="\ud83d")


async def test_connection_is_used_again_after_a_stream(adapter, upstream):
    openai = adapter("openai").gets("openai/chat_stream")
    for _ in range(3):
        await openai.ask()
    assert [request.closed.is_set() for request in upstream.requests] == [False, False, False]


async def test_metadata_addresses_are_never_called(pool):
    started = time.monotonic()
    http = ProviderHTTP(pool, "http://169.254.169.254", name="X", pacing=Pacing(retries=0))
    with pytest.raises(ProviderConnectionError) as caught:
        await http.json("GET", "/latest/meta-data", decode=dict)
    assert "metadata address" in str(caught.value.__cause__)
    assert time.monotonic() - started < 2

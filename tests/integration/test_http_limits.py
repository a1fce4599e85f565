"""Bodies over the limit are refused while they arrive."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import pytest

LIMIT = 16_000_000
JSON = {"Content-Type": "application/json"}


async def test_a_body_announced_too_large_is_413(api):
    reply = await api.post("/api/profiles", content=b" " * (LIMIT + 1), headers=JSON)
    assert (reply.status_code, reply.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")


async def test_a_chunked_body_is_413_as_soon_as_it_passes_the_limit(server_url):
    """The sender never ends: an answer proves that the server did not wait for the end."""
    reader, writer = await asyncio.open_connection(*address(server_url))
    writer.write(b"POST /api/profiles HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
    writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    async with asyncio.timeout(20):
        for _ in range(LIMIT // 0x100000 + 1):
            writer.write(chunk)
            await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readuntil(b"}")
    writer.close()
    assert b" 413 " in head.splitlines()[0]
    assert b"connection: close" in head.lower()
    assert b"PAYLOAD_TOO_LARGE" in body


async def test_a_sender_that_goes_on_regardless_still_reads_the_answer(api):
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 1_000_000

    reply = await api.post("/api/profiles", content=pieces(), headers=JSON)
    assert reply.status_code == 413


async def test_a_body_just_under_the_limit_is_read(api):
    head = b'{"name": "Big", "type": "text", "provider": "openai"'
    reply = await api.post("/api/profiles", content=head + b" " * (LIMIT - len(head) - 1) + b"}", headers=JSON)
    assert reply.status_code == 201


async def test_socket_io_takes_no_large_bodies(api):
    reply = await api.post("/socket.io/?EIO=4&transport=polling&sid=x", content=b"4" * 100_000)
    assert (reply.status_code, reply.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("sent", [100, 101, 5_000_000])
async def test_a_limit_over_100_is_capped_and_not_refused(api, sent):
    page = await api.get("/api/tasks/history", params={"limit": sent})
    assert page.json()["pagination"]["limit"] == 100


async def test_a_connection_survives_what_was_refused_on_it(api):
    for _ in range(3):
        assert (await api.post("/api/profiles", content=b"{", headers=JSON)).status_code == 400
    assert (await api.get("/api/profiles")).status_code == 200


def address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


async def test_a_client_that_leaves_in_the_middle_of_its_body_harms_nobody(server_url):
    _, writer = await asyncio.open_connection(*address(server_url))
    writer.write(b"POST /api/profiles HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
    writer.write(b"Content-Length: 1000\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{server_url}/api/profiles")).status_code == 200

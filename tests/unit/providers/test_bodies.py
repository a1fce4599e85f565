"""Large bodies arrive whole, with their length, sent piece by piece."""

import httpx
import pytest

from spoonkernel.providers.bodies import LARGE, PIECE, SteadyTransport
from spoonkernel.testing.upstream import Upstream


@pytest.mark.parametrize("size", [0, 1, LARGE, LARGE + 1, 3 * LARGE + PIECE // 2])
async def test_a_body_arrives_as_it_was_given(size: int) -> None:
    content = bytes(range(251)) * (size // 251) + b"x" * (size % 251)
    async with Upstream() as upstream, httpx.AsyncClient(transport=SteadyTransport()) as client:
        upstream.reply("/there", json={"ok": True})
        reply = await client.post(f"{upstream.url}/there", content=content, headers={"x-note": "1"})
        assert reply.json() == {"ok": True}
        [request] = upstream.requests
    assert request.body == content
    assert request.headers["x-note"] == "1"
    assert "transfer-encoding" not in request.headers

"""Who may ask: nobody under a foreign name, and no page of another site."""

import aiohttp
import httpx
import pytest

from serving import served
from spoonkernel.config import Config
from spoonkernel.workbench import Workbench
from spoonserver.app import create_app

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:3001", "[::1]:3001", "LOCALHOST", "spoon.localhost", "127.9.9.9"]
)
async def test_loopback_names_are_served(shared_api, host):
    assert (await shared_api.get("/api/profiles", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "0.0.0.0"]
)
@pytest.mark.parametrize("path", ["/api/profiles", "/socket.io/?EIO=4&transport=polling", "/docs", "/storage/media/x"])
async def test_a_foreign_host_name_is_refused_everywhere(shared_api, host, path):
    reply = await shared_api.get(path, headers={"Host": host})
    assert (reply.status_code, reply.json()["code"]) == (403, "FORBIDDEN")
    assert host in reply.json()["error"]


@pytest.mark.parametrize("host", ["", "a b", "localhost:99999999", "localhost/x", "user@localhost"])
async def test_a_malformed_host_name_is_a_400(shared_api, host):
    reply = await shared_api.get("/api/profiles", headers={"Host": host})
    assert reply.status_code == 400


async def test_a_configured_host_name_is_served(tmp_path):
    workbench = Workbench(Config(data_dir=tmp_path))
    async with served(create_app(workbench, hosts=["spoon.team"])) as url, httpx.AsyncClient() as client:
        own = {"Host": "spoon.team:3001", "Origin": "http://spoon.team:3001"}
        assert (await client.get(f"{url}/api/profiles", headers=own)).status_code == 200
        other = own | {"Origin": "http://other.team:3001"}
        assert (await client.get(f"{url}/api/profiles", headers=other)).status_code == 403


@pytest.mark.parametrize(
    "origin",
    ["null", "http://evil.example", "https://localhost.evil.example", "file://", "http://localhost@evil.example"],
)
@pytest.mark.parametrize("path", ["/api/profiles", "/socket.io/?EIO=4&transport=polling"])
async def test_pages_of_other_sites_are_refused_and_may_not_read_the_refusal(shared_api, origin, path):
    reply = await shared_api.get(path, headers={"Origin": origin})
    assert reply.status_code == 403
    assert "access-control-allow-origin" not in reply.headers


@pytest.mark.parametrize("origin", ["http://localhost:8888", "http://127.0.0.1:5173", "https://[::1]"])
async def test_pages_of_this_machine_may_read_the_answer_but_not_by_a_star(shared_api, origin):
    reply = await shared_api.get("/api/profiles", headers={"Origin": origin})
    assert reply.headers["access-control-allow-origin"] == origin
    assert "Origin" in reply.headers["vary"]


async def test_a_preflight_of_this_machine_is_answered_and_of_another_site_refused(shared_api):
    asked = {"Origin": "http://localhost:8888", "Access-Control-Request-Method": "POST"}
    reply = await shared_api.options("/api/chat", headers=asked)
    assert (reply.status_code, reply.headers["access-control-allow-methods"]) == (204, "POST")
    assert (await shared_api.options("/api/chat", headers=asked | {"Origin": "http://evil.example"})).status_code == 403


@pytest.mark.parametrize("headers", [{"Origin": "null"}, {"Origin": "http://evil.example"}, {"Host": "evil.example"}])
async def test_a_websocket_handshake_is_checked_too(shared_url, headers):
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{shared_url}/socket.io/?EIO=4&transport=websocket", headers=headers)
        assert refused.value.status == 403
        own = {"Origin": shared_url}
        async with session.ws_connect(f"{shared_url}/socket.io/?EIO=4&transport=websocket", headers=own) as socket:
            assert (await socket.receive_str()).startswith("0{")


@pytest.mark.parametrize(
    "path", ["/api/profiles", "/api/nothing", "/docs", "/openapi.json", "/socket.io/?EIO=4&transport=polling"]
)
async def test_every_answer_carries_the_security_headers(shared_api, path):
    headers = (await shared_api.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers

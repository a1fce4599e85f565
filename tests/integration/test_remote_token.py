"""A token: it goes with everything that is sent to its server, and nowhere else."""

import logging
import traceback

import pytest

import spoonkernel
from live import elsewhere
from serving import served
from spoonkernel.config import Config, read_server_access
from spoonkernel.errors import BadRequest, NotFound, ProviderConnectionError, Unauthorized
from spoonkernel.portal import PortalWorkbench
from spoonkernel.remote import RemoteWorkbench
from spoonkernel.testing.upstream import Upstream
from spoonkernel.workbench import Workbench
from spoonserver.app import create_app

TOKEN = "tok-5f1c-very-secret"


class Gate:
    """The server behind a check of the token. `passed` has what came through: kind and path."""

    def __init__(self, app):
        self._app, self.passed, self.refused = app, [], []

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        seen = (scope["type"], scope["path"].rstrip("/"))
        if dict(scope["headers"]).get(b"authorization") == f"Bearer {TOKEN}".encode():
            self.passed.append(seen)
            return await self._app(scope, receive, send)
        self.refused.append(seen)
        await send({"type": "http.response.start", "status": 401, "headers": [(b"content-type", b"text/html")]})
        return await send({"type": "http.response.body", "body": b"<h1>Who are you?</h1>"})


@pytest.fixture
def gate(tmp_path):
    gate = Gate(create_app(Workbench(Config(data_dir=tmp_path, stop_deadline_s=0, ollama_url="http://127.0.0.1:9"))))
    with elsewhere(served(gate)) as gate.url:
        yield gate


@pytest.fixture(autouse=True)
def no_token_of_the_machine(monkeypatch):
    monkeypatch.delenv("SPOON_TOKEN", raising=False)
    monkeypatch.delenv("SPOON_ALLOW_PLAIN", raising=False)


async def test_it_goes_with_requests_streams_media_and_events(gate):
    with spoonkernel.open(gate.url, token=TOKEN) as wb:
        await wb.health.check()
        async with wb.events():
            pass
        with pytest.raises(NotFound):
            await wb.media.open("image_0123456789ab.png")
        with pytest.raises(spoonkernel.errors.SpoonError):
            async for _ in wb.chat.stream(provider="ollama", model="m", messages=[{"role": "user", "content": "x"}]):
                pass
    paths = {path for _, path in gate.passed}
    assert {"/storage/media/image_0123456789ab.png", "/api/chat/stream", "/socket.io"} <= paths
    assert ("websocket", "/socket.io") in gate.passed
    assert gate.refused == []


async def test_it_is_taken_from_the_environment(gate, monkeypatch):
    monkeypatch.setenv("SPOON_TOKEN", f"{TOKEN}\n")
    with spoonkernel.open(gate.url) as wb:
        await wb.health.check()
    assert (len(gate.passed), gate.refused) == (1, [])


@pytest.mark.parametrize(
    ("token", "words"),
    [(None, "wants a token: pass it as spoonkernel.open"), ("wrong-but-secret", "does not accept this token")],
)
async def test_a_refusal_says_what_to_do_on_every_way(gate, token, words):
    with spoonkernel.open(gate.url, token=token) as wb:
        for ask in (wb.health.check, lambda: wb.media.open("x.png"), wb.events().__aenter__):
            with pytest.raises(Unauthorized, match=words) as refused:
                await ask()
            assert "secret" not in "".join(traceback.format_exception(refused.value))
    assert gate.passed == []


async def test_it_is_in_no_repr_error_or_log(gate, caplog):
    caplog.set_level(logging.DEBUG)
    access = read_server_access({"SPOON_TOKEN": TOKEN})
    remote = RemoteWorkbench(gate.url, access=access)
    with PortalWorkbench(remote) as wb:
        await wb.health.check()
        async with wb.events():
            pass
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn")]  # the server's
    parts = [value for part in vars(remote).values() for value in [part, *getattr(part, "__dict__", {}).values()]]
    seen = [repr(access), repr(wb), *map(repr, parts), *ours]
    assert "[secure]" in "".join(seen)
    assert [text for text in seen if TOKEN in text] == []


@pytest.mark.parametrize("status", [302, 307])
async def test_a_redirect_is_not_followed(status):
    async with Upstream() as other, Upstream() as first:
        for path in ("/api/health", "/socket.io/"):
            first.reply(path, status=status, headers={"location": other.url + path + "?secret=1"})
        with PortalWorkbench(RemoteWorkbench(first.url, access=read_server_access({}, token=TOKEN))) as wb:
            for ask in (wb.health.check, wb.events().__aenter__):
                with pytest.raises(ProviderConnectionError, match=f"sends its callers on to {other.url}") as error:
                    await ask()
                assert "secret" not in str(error.value)
        assert other.requests == []
        assert [request.headers["authorization"] for request in first.requests] == [f"Bearer {TOKEN}"] * 2


@pytest.mark.parametrize(
    "url", ["http://team:3001", "http://192.168.1.5:3001", "http://localhost.evil.org", "http://0.0.0.0"]
)
def test_it_is_not_sent_in_plain_to_another_machine(url, monkeypatch):
    with pytest.raises(BadRequest, match="everybody on the way could read the token") as error:
        spoonkernel.open(url, token=TOKEN)
    assert TOKEN not in str(error.value)
    monkeypatch.setenv("SPOON_ALLOW_PLAIN", "1")
    spoonkernel.open(url, token=TOKEN).close()
    monkeypatch.delenv("SPOON_ALLOW_PLAIN")
    spoonkernel.open(url).close()  # there is nothing to read


@pytest.mark.parametrize(
    "url",
    ["https://team", "http://localhost:3001", "http://spoon.localhost", "http://127.8.0.1", "http://[::1]:3001/api"],
)
def test_it_is_sent_where_nobody_reads_along(url):
    spoonkernel.open(url, token=TOKEN).close()


def test_what_is_no_token_or_has_no_server_is_refused():
    for bad in ("a b", "a\r\nX-Evil: 1", "ü"):
        with pytest.raises(BadRequest, match="holds a character that no token has"):
            spoonkernel.open("https://team", token=bad)
    with pytest.raises(BadRequest, match="give its url too"):
        spoonkernel.open(token=TOKEN)
    with pytest.raises(BadRequest, match="Take the name and password out") as error:
        spoonkernel.open(f"https://me:{TOKEN}@team")
    assert TOKEN not in str(error.value)


async def test_all_listeners_share_one_connection(gate):
    with spoonkernel.open(gate.url, token=TOKEN) as wb:
        async with wb.events(), wb.events(), wb.events():
            pass
        assert gate.passed.count(("websocket", "/socket.io")) == 1
        async with wb.events():
            pass
        assert gate.passed.count(("websocket", "/socket.io")) == 2

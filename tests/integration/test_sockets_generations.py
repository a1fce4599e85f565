"""Generation events over real Socket.IO, heard by the official clients for JavaScript and for Python."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from comfy_graphs import graph
from ears import JavaScript, Python
from spoonkernel.testing.comfy_sim import SimulatedComfyUI


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedComfyUI]:
    async with SimulatedComfyUI() as opened:
        yield opened


@pytest.fixture(params=[Python, JavaScript], ids=["python", "javascript"])
def client(request: pytest.FixtureRequest) -> type[Python] | type[JavaScript]:
    return request.param


@pytest.fixture
async def session(api: httpx.AsyncClient, sim: SimulatedComfyUI) -> dict[str, Any]:
    profile = {"name": "Local ComfyUI", "type": "image", "provider": "comfyui", "url": sim.url}
    made = (await api.post("/api/profiles", json=profile)).json()["data"]
    reply = await api.post("/api/comfyui/sessions", json={"profileId": made["id"], "title": "Foxes"})
    assert reply.status_code == 201
    return reply.json()["data"]


@pytest.fixture
async def generate(api: httpx.AsyncClient, session: dict[str, Any]):
    """Submits a run, and returns its row."""
    body = {"name": "Fox", "workflowJson": graph(), "profileId": session["profile_id"]}
    workflow = (await api.post("/api/comfyui/workflows", json=body)).json()["data"]

    async def submit(session_id: str = session["id"]) -> dict[str, Any]:
        asked = {"prompt_text": "a red fox", "workflow_id": workflow["id"]}
        reply = await api.post(f"/api/comfyui/sessions/{session_id}/generate", json=asked)
        assert reply.status_code == 201
        return reply.json()["data"]

    return submit


async def test_a_subscriber_of_a_session_hears_its_generations(server_url, api, sim, session, generate, client):
    async with client.connected(server_url) as ears:
        ack = await ears.emit("subscribe:session", session["id"])
        assert (ack["success"], ack["data"]["id"], ack["data"]["title"]) == (True, session["id"], "Foxes")
        row = await generate()
        completed = await ears.until("generation:completed", row["id"])
    [created] = ears.find("generation:created")
    assert created["generation"]["id"] == row["id"]
    [started] = ears.find("generation:started")
    expected = {"generationId": row["id"], "promptId": row["prompt_id"], "sessionId": session["id"]}
    assert started == expected | {"seq": started["seq"]}
    for progress in ears.find("generation:progress"):
        assert set(progress) == {"generationId", "sessionId", "node", "progress", "seq"}
        assert 0 <= progress["progress"] <= 1
    done = (await api.get(f"/api/comfyui/generations/{row['id']}")).json()["data"]
    assert (done["status"], completed["outputs"]) == ("complete", done["outputs"])  # the event follows the commit
    numbers = [data["seq"] for kind, data in ears.heard if kind.startswith("generation:")]
    assert numbers == sorted(set(numbers))


async def test_a_failed_generation_tells_why(server_url, sim, generate, client):
    sim.break_node("KSampler", "out of memory")
    async with client.connected(server_url) as ears:
        assert (await ears.emit("subscribe:generations"))["success"] is True
        row = await generate()
        failed = await ears.until("generation:failed", row["id"])
    assert set(failed) == {"generationId", "sessionId", "error", "seq"}
    assert "out of memory" in failed["error"]


async def test_previews_are_passed_on(server_url, sim, generate):
    async with Python.connected(server_url) as ears:
        await ears.emit("subscribe:generations")
        row = await generate()
        await ears.until("generation:completed", row["id"])
    for preview in ears.find("generation:preview", row["id"]):
        assert set(preview) == {"generationId", "sessionId", "contentType", "image", "seq"}
    assert ears.find("generation:preview", row["id"])


async def test_a_session_is_heard_by_its_own_room_alone(server_url, api, session, generate):
    body = {"profileId": session["profile_id"], "title": "Other"}
    other = (await api.post("/api/comfyui/sessions", json=body)).json()["data"]
    async with Python.connected(server_url) as mine, Python.connected(server_url) as all_of_them:
        await mine.emit("subscribe:session", session["id"])
        await all_of_them.emit("subscribe:generations")
        theirs = await generate(other["id"])
        await all_of_them.until("generation:completed", theirs["id"])
        await mine.emit("unsubscribe:session", session["id"])  # answered after everything sent before
        row = await generate()
        await all_of_them.until("generation:completed", row["id"])
        await mine.emit("unsubscribe:generations")
    assert mine.kinds() == []
    assert len(all_of_them.find("generation:completed")) == 2


async def test_a_socket_in_both_rooms_hears_each_event_once(server_url, session, generate):
    async with Python.connected(server_url) as ears:
        await ears.emit("subscribe:session", session["id"])
        await ears.emit("subscribe:generations")
        row = await generate()
        await ears.until("generation:completed", row["id"])
        await ears.emit("unsubscribe:generations")
    numbers = [data["seq"] for _, data in ears.heard]
    assert len(numbers) == len(set(numbers))
    assert len(ears.find("generation:completed")) == 1


@pytest.mark.parametrize("session_id", ["", "no-uuid", "00000000-0000-4000-8000-000000000000", 7, None, {"id": "x"}])
async def test_a_subscription_to_nothing_is_acknowledged_with_an_error(server_url, client, session_id):
    async with client.connected(server_url) as ears:
        ack = await ears.emit("subscribe:session", session_id)
    assert ack["success"] is False
    assert ack["statusCode"] in {400, 404}
    assert set(ack) == {"success", "error", "code", "statusCode"}

"""What 0.38.1 answers and 0.3.64 does not."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from comfy_client import Client
from comfy_recordings import txt2img
from comfy_replay import until
from spoonkernel.testing.comfy_sim import SimulatedComfyUI

ID = "0b8f7a52-6f0e-4c62-9f0a-3a5d8f0f9d11"


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with SimulatedComfyUI(version="0.38.1") as sim, aiohttp.ClientSession(sim.url) as http:
        yield Client(sim, http)


async def test_prompt_ids_must_be_uuids(client: Client) -> None:
    for wrong in ("my run/1", ID.upper()):
        refused = await client.post("/prompt", {"prompt": txt2img(), "prompt_id": wrong}, status=400)
        assert refused["error"]["type"] == "invalid_prompt_id"
    assert await client.submit(txt2img(), prompt_id=ID) == ID


async def test_jobs_tell_what_waits_runs_and_has_run(client: Client) -> None:
    done = await client.run(txt2img())
    client.sim.freeze()
    running, waiting = await client.submit(txt2img(2)), await client.submit(txt2img(3))
    await until(lambda: client.sim.queue.running)
    listed = await client.get("/api/jobs")
    assert {job["id"]: job["status"] for job in listed["jobs"]} == {
        done["prompt"][1]: "completed",
        running: "in_progress",
        waiting: "pending",
    }
    assert listed["pagination"] == {"offset": 0, "limit": 100, "total": 3, "has_more": False}
    assert len((await client.get("/api/jobs", status="pending,completed"))["jobs"]) == 2
    detail = await client.get(f"/api/jobs/{done['prompt'][1]}")
    assert detail["outputs"] == done["outputs"]
    assert detail["preview_output"]["filename"] == "t2i_00001_.png"
    assert detail["workflow"]["prompt"] == txt2img()
    assert (await client.get("/api/jobs/nosuch")) == {"error": "Job not found"}


async def test_jobs_are_cancelled_wherever_they_are(client: Client) -> None:
    sim = client.sim
    sim.freeze()
    running, waiting, other = [await client.submit(txt2img(seed)) for seed in range(3)]
    await until(lambda: sim.queue.running)
    assert await client.post(f"/api/jobs/{waiting}/cancel", {}) == {"cancelled": True}
    assert await client.post(f"/api/jobs/{waiting}/cancel", {}) == {"cancelled": False}
    assert await client.post("/api/jobs/cancel", {"job_ids": [running, other]}) == {"cancelled": True}
    sim.thaw()
    await until(lambda: sim.queue.remaining == 0)
    assert [(job["id"], job["status"]) for job in (await client.get("/api/jobs"))["jobs"]] == [(running, "cancelled")]


async def test_model_files_have_hashes_that_change_with_their_bytes(client: Client) -> None:
    name = "sd_v1-5.safetensors"

    async def told() -> str:
        (asset,) = (await client.get("/api/assets", name_contains="sd_v1-5"))["assets"]
        assert asset["name"] == name
        return str(asset["asset_hash"])

    before = await told()
    client.sim.model_bytes[name] = b"other weights"
    assert before.startswith("blake3:")
    assert await told() != before


async def test_an_unknown_class_is_named(client: Client) -> None:
    graph = txt2img()
    graph["3"] |= {"class_type": "NoSuchNode", "_meta": {"title": "Mine"}}
    refused = await client.post("/prompt", {"prompt": graph}, status=400)
    assert refused["error"]["type"] == "missing_node_type"
    told = refused["error"]["extra_info"]
    assert told == {"node_id": "3", "class_type": "NoSuchNode", "node_title": "Mine"}


async def test_a_circle_is_named(client: Client) -> None:
    graph = txt2img()
    graph["3"]["inputs"]["latent_image"] = ["3", 0]
    refused = await client.post("/prompt", {"prompt": graph}, status=400)
    kinds = {error["type"] for node in refused["node_errors"].values() for error in node["errors"]}
    assert kinds == {"dependency_cycle"}
    assert refused["error"]["details"]


async def test_keys_of_the_user_are_not_kept(client: Client) -> None:
    entry = await client.run(txt2img(), extra_data={"api_key_comfy_org": "secret", "preview_method": "auto"})
    assert set(entry["prompt"][3]) == {"preview_method", "create_time"}

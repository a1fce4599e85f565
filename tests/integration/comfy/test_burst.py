"""400 generations at once, while everything between Spoon and ComfyUI breaks: each ends right and runs exactly once."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from commands import serving
from spoonkernel.testing.comfy_sim import SimulatedComfyUI

COUNT = 400
CALLERS = 16
CUTS = 5
TRIVIAL = {
    "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 0}},
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "burst"}},
}


class Team:
    """Callers that want `COUNT` generations, whatever happens to the server: each asks again until it is answered."""

    def __init__(self) -> None:
        self.url = ""
        self.up = asyncio.Event()
        self.ids: dict[int, str] = {}
        self.changed = asyncio.Condition()

    async def answered(self, count: int) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.ids) >= count)

    async def call(self, numbers: Any, session_id: str, workflow_id: str) -> None:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            for number in numbers:
                body = {"prompt_text": "", "workflow_id": workflow_id, "parameters": {"1.color": number}}
                self.ids[number] = await self.ask(client, session_id, body, f"burst-{number}")
                async with self.changed:
                    self.changed.notify_all()

    async def ask(self, client: httpx.AsyncClient, session_id: str, body: dict[str, Any], key: str) -> str:
        while True:
            await self.up.wait()
            try:
                answer = await client.post(
                    f"{self.url}/api/comfyui/sessions/{session_id}/generate",
                    json=body,
                    headers={"Idempotency-Key": key},
                )
            except httpx.TransportError:
                await asyncio.sleep(0.05)  # it is being restarted
                continue
            assert answer.status_code == 201, answer.text
            return str(answer.json()["data"]["id"])


async def cut_sockets(sim: SimulatedComfyUI, team: Team) -> None:
    """Five cuts, spread over the burst."""
    for number in range(CUTS):
        await team.answered((number + 1) * COUNT // (CUTS + 1))
        await sim.drop_sockets()


async def rows(url: str, session_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        while True:
            query = {"session_id": session_id, "limit": 100, "offset": len(found)}
            answer = (await client.get(f"{url}/api/comfyui/generations", params=query)).json()["data"]
            found += answer
            if len(answer) < 100:
                return found


async def until(condition: Callable[[list[dict[str, Any]]], bool], url: str, session_id: str) -> list[dict[str, Any]]:
    async with asyncio.timeout(60):
        while not condition(found := await rows(url, session_id)):
            await asyncio.sleep(0.25)
    return found


async def make(url: str, path: str, body: dict[str, Any]) -> str:
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        answer = await client.post(f"{url}/api/comfyui/{path}", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["data"]["id"])


@pytest.mark.timeout(180)
async def test_400_generations_survive_two_kills_of_spoon_and_five_cuts_of_the_socket(tmp_path):
    team = Team()
    async with SimulatedComfyUI(seconds_per_step=0) as sim:
        arguments = ("--port", "0", "--data", str(tmp_path))
        async with serving(*arguments, COMFYUI_URL=sim.url) as first:
            session_id = await make(first.url, "sessions", {"title": "burst"})
            workflow_id = await make(first.url, "workflows", {"name": "trivial", "workflow_json": TRIVIAL})
            team.url = first.url
            team.up.set()
            numbers = iter(range(COUNT))
            calls = [asyncio.create_task(team.call(numbers, session_id, workflow_id)) for _ in range(CALLERS)]
            cuts = asyncio.create_task(cut_sockets(sim, team))
            await team.answered(COUNT // 4)
            team.up.clear()
            first.process.kill()
        async with serving(*arguments, COMFYUI_URL=sim.url) as second:
            team.url = second.url
            team.up.set()
            await team.answered(COUNT * 5 // 8)
            team.up.clear()
            second.process.kill()
        async with serving(*arguments, COMFYUI_URL=sim.url) as third:
            team.url = third.url
            team.up.set()
            await asyncio.gather(*calls, cuts)
            found = await until(
                lambda all_: all(row["status"] in {"complete", "failed"} for row in all_), third.url, session_id
            )

        assert Counter(row["status"] for row in found) == {"complete": COUNT}, [row["error"] for row in found]
        assert {row["id"] for row in found} == set(team.ids.values())
        assert Counter(sim.submissions) == dict.fromkeys((row["prompt_id"] for row in found), 1)
        assert all(len(row["outputs"]) == 1 and row["outputs"][0]["content"] for row in found)
        assert len({row["outputs"][0]["pixel_sha256"] for row in found}) == COUNT

"""The simulation says what a real ComfyUI 0.3.64 has said: every recorded session is played against it."""

import aiohttp
import pytest

from comfy_recordings import transcript
from comfy_replay import Replay
from spoonkernel.testing.comfy_sim import SimulatedComfyUI

ONE_AT_A_TIME = ["01", "02", "03", "04", "05", "06", "07", "12", "17", "18", "22", "23", "24", "25", "30", "40", "41"]
IN_THE_MIDDLE = ["08", "10", "11", "13", "14", "15", "16", "19", "20", "21", "35"]


@pytest.mark.parametrize("number", ONE_AT_A_TIME)
async def test_same_frames_and_answers(number: str) -> None:
    assert await replayed(number, statuses=True) == []


@pytest.mark.parametrize("number", IN_THE_MIDDLE)
async def test_same_frames_and_answers_when_something_happens_in_the_middle(number: str) -> None:
    assert await replayed(number, statuses=False) == []


async def replayed(number: str, *, statuses: bool) -> list[str]:
    async with SimulatedComfyUI() as sim, aiohttp.ClientSession(sim.url) as http:
        return await Replay(transcript(number), sim, http).play(statuses=statuses)

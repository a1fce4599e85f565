"""A simulated ComfyUI, and a client that submits and waits."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from comfy_client import Client
from spoonkernel.testing.comfy_sim import SimulatedComfyUI


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedComfyUI]:
    async with SimulatedComfyUI() as sim:
        yield sim


@pytest.fixture
async def client(sim: SimulatedComfyUI) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(sim.url) as http:
        yield Client(sim, http)

"""Simulated ComfyUIs with a workbench in front of each: one pair for the tests of a module, or one for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

import comfy_rig
from comfy_bench import Bench, opened
from spoonkernel.testing.comfy_sim import SimulatedComfyUI


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    """For tests that leave the server as it was; they need `asyncio(loop_scope="module")`."""
    async with SimulatedComfyUI() as sim, opened(tmp_path_factory.mktemp("bench"), sim) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def own(tmp_path: Path) -> AsyncIterator[Bench]:
    """For tests that do something to the server."""
    async with SimulatedComfyUI() as sim, opened(tmp_path / "own", sim) as one:
        yield one


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedComfyUI]:
    async with SimulatedComfyUI() as one:
        yield one


@pytest.fixture
async def spoon(tmp_path: Path, sim: SimulatedComfyUI) -> AsyncIterator[comfy_rig.Bench]:
    """A workbench at `sim` with a session, which notes the events."""
    async with comfy_rig.bench(tmp_path, sim) as one:
        yield one

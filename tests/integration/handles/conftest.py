"""Workbenches as notebooks hold them, with a simulated ComfyUI and a scripted provider behind them."""

import pytest

from live import elsewhere, live
from spoonkernel.testing.comfy_sim import SimulatedComfyUI
from spoonkernel.testing.upstream import Upstream


@pytest.fixture
def sim():
    with elsewhere(SimulatedComfyUI()) as one:
        yield one


@pytest.fixture
async def upstream():
    async with Upstream() as one:
        yield one


@pytest.fixture(params=["embedded", "remote"])
def wb(request, tmp_path, sim, upstream):
    """One of each kind."""
    with live(request.param, tmp_path, comfyui_url=sim.url, ollama_url=upstream.url, ollama_named=True) as one:
        yield one


@pytest.fixture
def embedded(tmp_path, sim, upstream):
    """For what does not depend on where the workbench is."""
    with live("embedded", tmp_path, comfyui_url=sim.url, ollama_url=upstream.url, ollama_named=True) as one:
        yield one

"""Ratings as events: in the process that rates, and in another one on the same store."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import update

from comfy_graphs import graph
from spoonkernel.config import Config
from spoonkernel.store.engine import Database
from spoonkernel.store.tables import comfyui_generations
from spoonkernel.testing.comfy_sim import SimulatedComfyUI
from spoonkernel.types.base import utc_now
from spoonkernel.types.events import GenerationRated
from spoonkernel.workbench import Workbench

PATIENCE_S = 20.0


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedComfyUI]:
    async with SimulatedComfyUI() as opened:
        yield opened


async def of_generation(events, generation_id: str, until: type):
    """The events of a generation up to one of this kind."""
    heard = []
    async for event in events:
        if getattr(event, "generation_id", "") == generation_id:
            heard.append(event)
            if isinstance(event, until):
                return heard
    raise AssertionError("the events ended")


async def test_a_rating_is_heard_in_every_process_and_is_no_new_end(tmp_path, sim):
    config = Config(data_dir=tmp_path, comfyui_url=sim.url, stop_deadline_s=0)
    async with Workbench(config) as workbench:
        workflow = await workbench.workflows.create(name="w", workflow_json=graph())
        session = await workbench.sessions.create(title="t")
        row = await workbench.sessions.generate(session.id, prompt_text="a fox", workflow_id=workflow.id)
        row = await workbench.generations.get(row.id, wait_s=20)
    long_ago = update(comfyui_generations).values(completed_at=utc_now() - timedelta(days=1))
    async with Database(config.store_url) as database:
        await database.write(lambda tx: tx.connection.execute(long_ago))
    async with (
        Workbench(config) as one,
        Workbench(config) as other,
        one.events() as mine,
        other.events() as theirs,
        asyncio.timeout(PATIENCE_S),
    ):
        await one.generations.rate(row.id, rating=4, index=0)
        for events in (mine, theirs):
            [told] = await of_generation(events, row.id, GenerationRated)
            assert (told.rating, told.outputs, told.session_id) == (4, [4], session.id)
        await one.generations.rate(row.id, rating=None)
        [told] = await of_generation(theirs, row.id, GenerationRated)
        assert (told.rating, told.outputs) == (None, [None])

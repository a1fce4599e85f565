"""Two processes on one data folder: each hears the other's generations, and takes them over when the other dies."""

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import sys
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from comfy_rig import bench
from engine_rig import until
from spoonkernel.engine import generations
from spoonkernel.types.events import (
    GenerationCompleted,
    GenerationCreated,
    GenerationFailed,
    GenerationProgress,
    GenerationStarted,
)

CHILD = Path(__file__).parents[2] / "comfy_child.py"


@pytest.fixture
def soon(monkeypatch):
    """A process that died is noticed after about a second."""
    monkeypatch.setattr(generations, "LEASE", timedelta(seconds=1))
    monkeypatch.setattr(generations, "TEND_S", 0.2)


@asynccontextmanager
async def killed(sim, folder):
    """A process that submits two generations; it is killed with SIGKILL at the end of the block."""
    path = os.pathsep.join([str(CHILD.parents[1]), str(CHILD.parent)])
    environment = {**os.environ, "PYTHONPATH": path}
    child = await asyncio.create_subprocess_exec(
        sys.executable, CHILD, folder, sim.url, env=environment, stdout=subprocess.PIPE
    )
    try:
        async with asyncio.timeout(20):
            assert await child.stdout.readline() == b"ready\n"
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


async def test_what_a_killed_process_had_running_and_waiting_is_followed_to_its_end(sim, tmp_path, soon):
    sim.freeze()
    async with killed(sim, tmp_path):
        await until(lambda: _acknowledged(sim, tmp_path, 2))
    async with bench(tmp_path, sim) as spoon:
        rows = await spoon.workbench.generations.list()
        assert {row.status for row in rows} == {"running"}
        sim.thaw()
        done = [await spoon.ended(row) for row in rows]
    assert [(row.status, len(row.outputs)) for row in done] == [("complete", 1)] * 2
    assert len(sim.submissions) == len(set(sim.submissions)) == 2


async def test_a_row_that_was_never_acknowledged_is_submitted_exactly_once(sim, tmp_path, soon):
    sim.faults.answer_delay_s["/prompt"] = 60  # they do not even arrive before their process dies
    async with killed(sim, tmp_path):
        await until(lambda: _true(sim.requests["POST /prompt"] == 2))
    sim.faults.answer_delay_s.clear()
    assert sim.submissions == []
    async with bench(tmp_path, sim) as spoon:
        rows = await spoon.workbench.generations.list()
        assert {row.status for row in rows} == {"pending"}
        done = [await spoon.ended(row) for row in rows]
    assert {row.status for row in done} == {"complete"}
    assert sorted(sim.submissions) == sorted(row.prompt_id for row in rows)


async def test_a_row_whose_acknowledgement_was_lost_is_not_submitted_again(sim, tmp_path, soon):
    sim.freeze()
    async with killed(sim, tmp_path) as child:
        await until(lambda: _true(sim.queue.remaining == 2))
        child.kill()
    async with bench(tmp_path, sim) as spoon:
        sim.thaw()
        done = [await spoon.ended(row) for row in await spoon.workbench.generations.list()]
    assert {row.status for row in done} == {"complete"}
    assert len(sim.submissions) == 2


async def test_a_living_process_keeps_its_generations(sim, tmp_path, soon):
    async with bench(tmp_path, sim) as one, bench(tmp_path, sim) as other:
        sim.freeze()
        row = await one.submit()
        looks = sim.requests["GET /ws"]
        await asyncio.wait_for(other.workbench.generations.get(row.id, wait_s=2.5), 10)  # longer than the lease
        assert sim.requests["GET /ws"] == looks  # the other one has not even connected
        sim.thaw()
        assert (await one.ended(row)).status == "complete"


async def test_a_listener_hears_the_generations_of_another_process_once_each(sim, tmp_path):
    async with bench(tmp_path, sim) as one, bench(tmp_path, sim) as other:
        sim.freeze()
        row = await one.submit(parameters={"steps": 20})
        created = await other.hears(row, GenerationCreated)
        assert created.generation.prompt_id == row.prompt_id
        sim.seconds_per_step = 0.1
        sim.thaw()
        progress = await other.hears(row, GenerationProgress)
        assert 0 < progress.progress < 1
        completed = await other.hears(row, GenerationCompleted)
        assert completed.outputs == (await one.ended(row)).outputs
        assert other.of(row, GenerationStarted)[0].prompt_id == row.prompt_id
        sim.seconds_per_step = 0
        mark = await other.run()  # whatever is told twice would have been told by now
        await one.hears(mark, GenerationCompleted)
        for listener in (one, other):
            for kind in (GenerationCreated, GenerationStarted, GenerationCompleted):
                assert len(listener.of(row, kind)) == 1
                assert len(listener.of(mark, kind)) == 1


async def test_a_cancellation_by_another_process_is_heard_by_the_one_that_follows(sim, tmp_path):
    async with bench(tmp_path, sim) as one, bench(tmp_path, sim) as other:
        sim.freeze()
        row = await one.submit(parameters={"steps": 30})
        await one.running(row)
        cancelled = await other.workbench.generations.cancel(row.id)
        sim.thaw()
        assert cancelled.error == "Cancelled"
        assert (await one.hears(row, GenerationFailed)).error == "Cancelled"
        mark = await other.run()
        await one.hears(mark, GenerationCompleted)
        assert [len(listener.of(row, GenerationFailed)) for listener in (one, other)] == [1, 1]
        assert (await one.ended(row)).error == "Cancelled"


async def test_a_row_whose_creator_was_stopped_before_submitting_is_submitted(sim, tmp_path, soon, monkeypatch):
    async with bench(tmp_path, sim) as spoon:
        await spoon.run()
        publish = spoon.workbench._bus.publish
        gone = []

        async def cut(event):
            if isinstance(event, GenerationCreated) and not gone:
                gone.append(event.generation)
                raise asyncio.CancelledError
            await publish(event)

        monkeypatch.setattr(spoon.workbench._bus, "publish", cut)
        with pytest.raises(asyncio.CancelledError):
            await spoon.submit()
        done = await spoon.ended(gone[0])
        assert done.status == "complete"
        assert sim.submissions.count(done.prompt_id) == 1


async def _true(condition):
    return condition


async def _acknowledged(sim, folder, count):
    with sqlite3.connect(folder / "spoon.db") as store:
        query = "select count(*) from comfyui_generations where submitted_at is not null"
        return store.execute(query).fetchone()[0] == count

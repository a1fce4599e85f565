"""Several processes on one store: workers on Valkey and Postgres, and a data folder shared without either."""

import asyncio
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from engine_rig import peaks, read_log, rig, until, worker
from spoonkernel.config import Config
from spoonkernel.errors import NotFound
from spoonkernel.store.tables import tasks
from spoonkernel.types.base import utc_now
from spoonkernel.types.events import TaskCompleted, TaskCreated, TaskStarted


@pytest.fixture
def team(tmp_path, postgres_url, valkey_url):
    return Config(data_dir=tmp_path, database_url=postgres_url, redis_url=valkey_url)


@pytest.fixture
def folder(tmp_path):
    return Config(data_dir=tmp_path)


async def test_two_workers_complete_a_thousand_tasks_once_each_within_every_limit(team, tmp_path):
    log = tmp_path / "runs"
    with worker(team, log) as one, worker(team, log) as two:
        async with rig(team, role="submit-only") as spoon:
            three, single = await spoon.profile(concurrency=3), await spoon.profile(concurrency=1)
            profiles = [three] * 200 + [single] * 40 + [None] * 760
            for start in range(0, len(profiles), 100):
                chunk = profiles[start : start + 100]
                await asyncio.gather(*(spoon.submit(profile_id=profile, sleep_s=0.01) for profile in chunk))

            async def done():
                return await spoon.counts() == {"complete": 1_000}

            await until(done, 100)
            assert await spoon.results_per_task() == {1: 1_000}
    entries = read_log(log)
    starts = [entry for entry in entries if entry[0] == "start"]
    assert len(starts) == len({task_id for _, task_id, *_ in starts}) == 1_000
    assert {pid for *_, pid in entries} == {one.pid, two.pid}
    most = peaks(entries)
    assert (most[three], most[single]) == (3, 1)


async def test_two_workers_together_start_no_more_than_a_rate_allows(team, tmp_path):
    log = tmp_path / "runs"
    with worker(team, log), worker(team, log):
        async with rig(team, role="submit-only") as spoon:
            rated = await spoon.profile(concurrency=4, rate_per_minute=10)
            for _ in range(30):
                await spoon.submit(profile_id=rated)
                await spoon.submit(sleep_s=0.1)

            async def done():
                return await spoon.counts() == {"complete": 40, "pending": 20}

            await until(done, 40)
    assert sum(profile == rated for what, _, profile, *_ in read_log(log) if what == "start") == 10


async def test_a_task_is_cancelled_in_the_worker_that_runs_it_and_its_events_reach_the_server(team, tmp_path):
    log = tmp_path / "runs"
    with worker(team, log):
        async with rig(team, role="submit-only") as spoon:
            assert await spoon.bus.wait_connected(5)
            async with spoon.bus.subscribe() as events:
                task = await spoon.submit(sleep_s=60)
                heard = [await asyncio.wait_for(anext(events), 10) for _ in range(2)]
                assert [type(event) for event in heard] == [TaskCreated, TaskStarted]
                await spoon.until("running", task.id)
                began = time.monotonic()
                await spoon.tasks.delete(task.id)

                async def stopped():
                    return len(read_log(log)) == 2

                await until(stopped, 3)
                assert time.monotonic() - began < 2


async def test_a_dead_workers_task_is_taken_up_by_another_once_its_lease_has_run_out(team, tmp_path):
    log = tmp_path / "runs"
    async with rig(team, role="submit-only") as spoon:
        with worker(team, log) as first:
            task = await spoon.submit(sleep_s=2)
            await spoon.until("running", task.id)
            first.kill()
            first.wait()
        with worker(team, log):
            past = utc_now() - timedelta(seconds=1)  # what waiting for thirty seconds would bring about
            expire = update(tasks).where(tasks.c.id == task.id).values(lease_until=past)
            await spoon.database.write(lambda tx: tx.connection.execute(expire) and None)
            (done,) = await spoon.until("complete", task.id, timeout_s=30)
            assert done.retry_count == 0
            assert await spoon.results_per_task() == {1: 1}


async def test_without_redis_at_the_start_tasks_are_kept_and_run_when_it_is_back(tmp_path, postgres_url, own_valkey):
    own_valkey.stop()
    config = Config(data_dir=tmp_path, database_url=postgres_url, redis_url=own_valkey.url)
    async with rig(config) as spoon:
        assert spoon.engine.redis == "disconnected"
        ids = [(await spoon.submit()).id for _ in range(5)]
        assert await spoon.counts() == {"pending": 5}
        own_valkey.start()
        await spoon.until("complete", *ids, timeout_s=30)
        assert await spoon.bus.wait_connected(10)
        assert spoon.engine.redis == "connected"


async def test_redis_lost_with_everything_in_it_loses_no_task_and_runs_none_twice(tmp_path, own_valkey):
    config = Config(data_dir=tmp_path, redis_url=own_valkey.url, concurrency=2)
    async with rig(config) as spoon:
        ids = [(await spoon.submit(sleep_s=0.5)).id for _ in range(8)]
        await asyncio.wait_for(spoon.runs.started.wait(), 10)
        own_valkey.stop()
        late = await spoon.submit()
        assert late.status == "pending"
        own_valkey.start()
        await spoon.until("complete", *ids, late.id, timeout_s=40)
        assert await spoon.results_per_task() == {1: 9}
        assert set(spoon.runs.starts.values()) == {1}


async def test_a_second_process_on_a_folder_hands_work_over_hears_its_events_and_cancels(folder, tmp_path):
    log = tmp_path / "runs"
    with worker(folder, log, role="auto") as owner:
        async with rig(folder) as guest, guest.bus.subscribe() as events:
            assert not guest.engine.works
            task = await guest.submit(sleep_s=0.5)
            heard = []
            async with asyncio.timeout(15):
                while not (heard and isinstance(heard[-1], TaskCompleted)):
                    heard.append(await anext(events))
            assert [type(event) for event in heard if isinstance(event, TaskCreated | TaskStarted | TaskCompleted)] == [
                TaskCreated,
                TaskStarted,
                TaskCompleted,
            ]
            assert heard[-1].result.content == "done"
            assert {pid for *_, pid in read_log(log)} == {owner.pid}
            long = await guest.submit(sleep_s=60)
            await guest.until("running", long.id)
            await guest.tasks.delete(long.id)

            async def stopped():
                return len(read_log(log)) == 4

            await until(stopped, 3)
            with pytest.raises(NotFound):
                await guest.tasks.get(task.id[:-1] + ("0" if task.id[-1] != "0" else "1"))


async def test_the_heir_of_a_killed_owner_runs_its_tasks(folder, tmp_path):
    log = tmp_path / "runs"
    with worker(replace(folder, concurrency=2), log, role="auto") as owner:
        async with rig(folder) as heir:
            ids = [(await heir.submit(sleep_s=1)).id for _ in range(4)]
            await heir.until("running", ids[0])
            owner.kill()
            owner.wait()
            await heir.until("complete", *ids)
            assert heir.engine.works
            assert await heir.results_per_task() == {1: 4}


async def test_an_engine_closes_promptly_while_redis_is_away(tmp_path, own_valkey):
    async with rig(Config(data_dir=tmp_path, redis_url=own_valkey.url)) as spoon:
        task = await spoon.submit()
        await spoon.until("complete", task.id)
        own_valkey.stop()

        async def noticed():
            return spoon.engine.redis == "disconnected"

        await until(noticed, 5)
        began = time.monotonic()
    assert time.monotonic() - began < 5


async def test_an_emptied_queue_loses_and_repeats_nothing(folder, monkeypatch):
    monkeypatch.setattr("spoonkernel.engine.queue.RECYCLE_AFTER", 7)
    async with rig(folder) as spoon:
        narrow = await spoon.profile(concurrency=1)
        for _ in range(4):
            ids = [(await spoon.submit(profile_id=profile)).id for profile in [None] * 12 + [narrow] * 4]
            await spoon.until("complete", *ids)
        assert await spoon.results_per_task() == {1: 64}
        assert set(spoon.runs.starts.values()) == {1}

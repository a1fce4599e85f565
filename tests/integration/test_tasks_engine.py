import asyncio

import pytest

from engine_rig import rig, until
from spoonkernel.config import Config
from spoonkernel.errors import BadRequest, Conflict, NotFound
from spoonkernel.types.events import TaskCompleted, TaskCreated, TaskFailed, TaskProgress, TaskStarted


@pytest.fixture(params=["sqlite", "postgres+valkey"])
def config(request, tmp_path):
    if request.param == "sqlite":
        return Config(data_dir=tmp_path)
    urls = {"database_url": request.getfixturevalue("postgres_url"), "redis_url": request.getfixturevalue("valkey_url")}
    return Config(data_dir=tmp_path, **urls)


@pytest.fixture
async def spoon(config):
    async with rig(config) as opened:
        yield opened


async def test_a_task_runs_and_its_result_is_there_when_it_is_complete(spoon):
    task = await spoon.submit()
    assert (task.status, task.retry_count) == ("pending", 0)
    (done,) = await spoon.until("complete", task.id)
    assert (done.progress, done.error) == (1.0, None)
    assert done.created_at <= done.started_at <= done.completed_at
    (result,) = await spoon.results.list(task_id=task.id)
    assert (result.content, result.metadata["model"], result.metadata["tokens"]) == ("done", "scripted", 1)
    assert result.metadata["duration_ms"] >= 0
    assert (await spoon.results.download(result.id)).content == b"done"


async def test_events_tell_the_life_of_a_task_in_order_and_completed_follows_the_commit(spoon):
    async with spoon.bus.subscribe() as events:
        task = await spoon.submit(sleep_s=1.2)
        heard = []
        async with asyncio.timeout(10):
            async for event in events:
                heard.append(event)
                if isinstance(event, TaskCompleted):
                    assert (await spoon.tasks.get(task.id)).status == "complete"
                    break
    assert [type(heard[0]), type(heard[1])] == [TaskCreated, TaskStarted]
    steps = [event.progress for event in heard if isinstance(event, TaskProgress)]
    assert steps == sorted(set(steps))
    assert 2 <= len(steps) <= 5
    assert heard[-1].result.content == "done"
    assert [event.seq for event in heard] == list(range(heard[0].seq, heard[0].seq + len(heard)))


async def test_an_image_lies_in_the_media_folder_until_its_task_is_deleted(spoon):
    task = await spoon.submit(kind="image", image=True)
    await spoon.until("complete", task.id)
    (result,) = await spoon.results.list(type="image")
    assert (result.metadata["width"], result.metadata["height"]) == (2, 3)
    assert (await spoon.results.download(result.id)).content_type == "image/png"
    await spoon.tasks.delete(task.id)
    assert list(spoon.config.media_dir.iterdir()) == []
    with pytest.raises(NotFound, match=f"Result {result.id} not found"):
        await spoon.results.get(result.id)


async def test_a_failure_that_may_pass_is_tried_again_and_counted(spoon):
    task = await spoon.submit(fail=["away", "busy"])
    (done,) = await spoon.until("complete", task.id)
    assert done.retry_count == 2
    assert spoon.runs.starts[task.id] == 3


async def test_three_failures_that_may_pass_are_enough_and_the_last_reason_stays(spoon):
    task = await spoon.submit(fail=["busy", "busy", "away"])
    (failed,) = await spoon.until("failed", task.id)
    assert "Cannot connect to Scripted" in failed.error
    assert spoon.runs.starts[task.id] == 3


@pytest.mark.parametrize(("failure", "reason"), [("refused", "No such model"), ("bug", "Something inside Spoon")])
async def test_a_refusal_or_a_bug_fails_at_once_and_retry_runs_it_again(spoon, failure, reason):
    async with spoon.bus.subscribe() as events:
        task = await spoon.submit(fail=[failure])
        (failed,) = await spoon.until("failed", task.id)
        assert reason in failed.error
        assert "bug" not in failed.error
        told = [event async for event in _through(events, TaskFailed)][-1]
        assert told.error == failed.error
    retried = await spoon.tasks.retry(task.id)
    assert (retried.status, retried.retry_count) == ("pending", 1)
    (done,) = await spoon.until("complete", task.id)
    assert (done.error, done.retry_count) == (None, 1)
    with pytest.raises(Conflict, match="only a failed task can be retried"):
        await spoon.tasks.retry(task.id)


async def _through(events, last):
    async with asyncio.timeout(10):
        async for event in events:
            yield event
            if isinstance(event, last):
                return


async def test_cancelling_a_running_task_stops_its_provider_promptly_and_leaves_nothing(spoon):
    task = await spoon.submit(sleep_s=60)
    await spoon.until("running", task.id)
    await asyncio.wait_for(spoon.runs.started.wait(), 5)
    await spoon.tasks.delete(task.id)

    async def stopped():
        return task.id in spoon.runs.stopped

    await until(stopped, 1)
    with pytest.raises(NotFound, match=f"Task {task.id} not found"):
        await spoon.tasks.get(task.id)
    assert await spoon.results.list() == []
    other = await spoon.submit()
    await spoon.until("complete", other.id)
    assert spoon.runs.starts[task.id] == 1


async def test_a_cancelled_task_is_not_retried(spoon):
    task = await spoon.submit(fail=["busy", "busy"])

    async def failed_once():
        return (await spoon.tasks.get(task.id)).retry_count == 1

    await until(failed_once)
    await spoon.tasks.delete(task.id)
    other = await spoon.submit(sleep_s=0.6)
    await spoon.until("complete", other.id)
    assert spoon.runs.starts[task.id] == 1


async def test_a_profile_at_its_limit_runs_one_at_a_time_oldest_first_and_does_not_hold_others_up(spoon):
    narrow = await spoon.profile(concurrency=1)
    order = []
    async with spoon.bus.subscribe() as events:
        held = [(await spoon.submit(profile_id=narrow, sleep_s=0.4)).id for _ in range(5)]
        free = await spoon.submit()
        await spoon.until("complete", *held, free.id, timeout_s=30)
        async for event in events:
            if isinstance(event, TaskStarted | TaskCompleted):
                order.append((type(event).__name__, event.task_id))
            if len(order) == 12:
                break
    mine = [entry for entry in order if entry[1] in held]
    assert mine == [(kind, task_id) for task_id in held for kind in ("TaskStarted", "TaskCompleted")]
    assert order.index(("TaskCompleted", free.id)) < order.index(("TaskCompleted", held[-1]))


async def test_a_rate_limit_leaves_the_rest_pending(spoon):
    slow = await spoon.profile(rate_per_minute=3)
    for profile in [slow] * 5 + [None]:
        await spoon.submit(profile_id=profile)

    async def done():
        return await spoon.counts() == {"complete": 4, "pending": 2}

    await until(done)
    last = await spoon.submit()
    await spoon.until("complete", last.id)
    assert await spoon.counts() == {"complete": 5, "pending": 2}


async def test_a_stopping_engine_puts_its_running_tasks_back_uncounted_and_the_next_one_runs_them(config):
    from dataclasses import replace

    async with rig(replace(config, stop_deadline_s=0.1)) as first:
        task = await first.submit(sleep_s=3)
        await first.until("running", task.id)
    assert first.runs.stopped == [task.id]
    async with rig(config) as second:
        (done,) = await second.until("complete", task.id)
        assert (done.retry_count, done.error) == (0, None)


async def test_a_stopping_engine_lets_running_tasks_end_within_its_deadline(config):
    async with rig(config) as first:
        task = await first.submit(sleep_s=0.5)
        await first.until("running", task.id)
    async with rig(config, role="submit-only") as second:
        assert (await second.tasks.get(task.id)).status == "complete"


async def test_more_tasks_than_hands_all_complete_once(spoon):
    ids = [(await spoon.submit(sleep_s=0.01)).id for _ in range(60)]
    await spoon.until("complete", *ids)
    assert await spoon.results_per_task() == {1: 60}


async def test_an_impossible_type_is_refused_naming_both(spoon):
    with pytest.raises(BadRequest, match=r"claude.*audio"):
        await spoon.tasks.create(name="n", type="audio", provider="claude", prompt="p")
    with pytest.raises(BadRequest, match=r"comfyui.*text"):
        await spoon.tasks.create(name="n", type="text", provider="comfyui", prompt="p")
    assert await spoon.tasks.list() == []

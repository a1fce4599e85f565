import asyncio
import csv
import io
from datetime import UTC, date, datetime, timedelta

import pytest

from openai_replies import CHAT, MODEL, STREAM, ended, said
from spoonkernel.errors import BadRequest, Conflict, NotFound, ValidationFailed
from spoonkernel.testing.upstream import STALL
from spoonkernel.types.events import TaskCompleted, TaskCreated, TaskFailed

PATIENCE_S = 15.0
ANSWER = [said("Because"), said(" it is."), ended()]


@pytest.fixture
def ask(workbench, profile):
    """Creates a text task that the scripted provider answers."""

    async def create(**fields):
        options = {"model": MODEL, "profileId": profile.id}
        return await workbench.tasks.create(
            **{"name": "Ask", "type": "text", "provider": "openai", "prompt": "Why?", "options": options} | fields
        )

    return create


async def ended_task(events, kind, task_id):
    async with asyncio.timeout(PATIENCE_S):
        async for event in events:
            if isinstance(event, kind) and event.task_id == task_id:
                return event
    raise AssertionError("the events ended before the task did")


async def finished(workbench, create, kind=TaskCompleted, **fields):
    """A task that has come to its end."""
    async with workbench.events() as events:
        task = await create(**fields)
        await ended_task(events, kind, task.id)
    return await workbench.tasks.get(task.id)


async def test_a_task_is_pending_at_once_and_complete_in_the_end(workbench, upstream, ask):
    go_on = asyncio.Event()
    upstream.reply(CHAT, headers=STREAM, chunks=[go_on, *ANSWER])
    async with workbench.events() as events:
        task = await ask()
        assert (task.status, task.error, task.progress, task.retry_count) == ("pending", None, 0.0, 0)
        async with asyncio.timeout(PATIENCE_S):
            created = await anext(events)
        assert isinstance(created, TaskCreated)
        assert created.task == task
        go_on.set()
        completed = await ended_task(events, TaskCompleted, task.id)
    done = await workbench.tasks.get(task.id)
    assert (done.status, done.progress, done.error) == ("complete", 1.0, None)
    assert done.created_at <= done.started_at <= done.completed_at
    assert completed.result.content == "Because it is."
    assert await workbench.results.list(task_id=task.id) == completed.results


async def test_a_refused_task_fails_with_the_providers_sentence_and_can_be_retried(workbench, upstream, ask):
    upstream.reply(CHAT, status=401, json={"error": {"message": "Incorrect API key provided"}})
    task = await finished(workbench, ask, TaskFailed)
    assert task.status == "failed"
    assert "Incorrect API key" in task.error
    upstream.reply(CHAT, headers=STREAM, chunks=ANSWER)
    upstream.reply(CHAT, headers=STREAM, chunks=ANSWER)
    async with workbench.events() as events:
        again = await workbench.tasks.retry(task.id)
        assert (again.id, again.status, again.retry_count) == (task.id, "pending", 1)
        ended_with = await ended_task(events, (TaskCompleted, TaskFailed), task.id)
    assert ended_with is not None
    assert (await workbench.tasks.get(task.id)).retry_count == 1


async def test_only_a_failed_task_can_be_retried(workbench, upstream, ask):
    upstream.reply(CHAT, headers=STREAM, chunks=ANSWER)
    task = await finished(workbench, ask)
    with pytest.raises(Conflict, match=task.id):
        await workbench.tasks.retry(task.id)


async def test_deleting_a_running_task_stops_its_provider(workbench, upstream, ask):
    upstream.reply(CHAT, headers=STREAM, chunks=[said("One"), STALL])
    task = await ask()
    while not any(request.path == CHAT for request in upstream.requests):
        await upstream.received()
    await workbench.tasks.delete(task.id)
    await upstream.closed()
    with pytest.raises(NotFound, match=f"Task {task.id} not found"):
        await workbench.tasks.get(task.id)


async def test_deleting_a_finished_task_takes_its_results(workbench, upstream, ask):
    upstream.reply(CHAT, headers=STREAM, chunks=ANSWER)
    task = await finished(workbench, ask)
    [result] = await workbench.results.list(task_id=task.id)
    await workbench.tasks.delete(task.id)
    with pytest.raises(NotFound):
        await workbench.results.get(result.id)


@pytest.mark.parametrize("task_id", ["abc123", "00000000-0000-4000-8000-000000000000"])
async def test_a_missing_task_is_named(workbench, task_id):
    for ask in (workbench.tasks.get, workbench.tasks.delete, workbench.tasks.retry):
        with pytest.raises(NotFound, match=f"Task {task_id} not found"):
            await ask(task_id)


@pytest.mark.parametrize(("provider", "kind"), [("claude", "audio"), ("ollama", "image"), ("comfyui", "text")])
async def test_a_type_that_the_provider_cannot_make_is_refused_naming_both(workbench, provider, kind):
    with pytest.raises(BadRequest, match=provider) as refused:
        await workbench.tasks.create(name="x", type=kind, provider=provider, prompt="x")
    assert kind in str(refused.value)
    assert await workbench.tasks.list() == []


@pytest.mark.parametrize("change", [{"name": ""}, {"prompt": ""}, {"type": "smell"}, {"provider": "hal"}])
async def test_a_wrong_field_is_named(ask, change):
    with pytest.raises(ValidationFailed, match=next(iter(change))):
        await ask(**change)


async def test_an_idempotency_key_makes_one_task(workbench, upstream, ask):
    upstream.reply(CHAT, headers=STREAM, chunks=[STALL])
    first, second = await ask(idempotency_key="once"), await ask(idempotency_key="once")
    assert first.id == second.id
    assert len(await workbench.tasks.list()) == 1
    with pytest.raises(Conflict, match=first.id):
        await ask(idempotency_key="once", prompt="Something else")


async def test_filters_combine_and_the_newest_is_first(workbench, upstream, ask):
    upstream.reply(CHAT, headers=STREAM, chunks=ANSWER)
    tasks = [await finished(workbench, ask, name=f"Task {number}") for number in range(3)]
    newest_first = [task.id for task in reversed(tasks)]
    assert [task.id for task in await workbench.tasks.list()] == newest_first
    assert [task.id for task in await workbench.tasks.list(limit=1, offset=1)] == newest_first[1:2]
    assert [
        task.id for task in await workbench.tasks.list(status="complete", type="text", provider="openai", limit=500)
    ]
    assert await workbench.tasks.list(status="complete", provider="claude") == []
    assert await workbench.tasks.list(status="failed") == []


async def test_history_is_paged(workbench, upstream, ask):
    upstream.reply(CHAT, headers=STREAM, chunks=ANSWER)
    tasks = [await finished(workbench, ask, name=f"Task {number}") for number in range(3)]
    page = await workbench.tasks.history(page=2, limit=2)
    assert [task.id for task in page.items] == [tasks[0].id]
    assert page.pagination.model_dump(by_alias=False) == {"page": 2, "limit": 2, "total": 3, "total_pages": 2}
    assert (await workbench.tasks.history(page=9)).items == []


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("FOX", ["100% fox"]),
        ("%", ["100% fox"]),
        ("_", ["snake_case"]),
        ("100_", []),
        ("blau", ["Größe blau"]),
        ("\\", []),
    ],
)
async def test_search_is_literal_and_knows_no_case(workbench, upstream, ask, search, found):
    upstream.reply(CHAT, headers=STREAM, chunks=[STALL])
    for name in ("100% fox", "snake_case", "Größe blau"):
        await ask(name=name)
    assert [task.name for task in (await workbench.tasks.history(search=search)).items] == found


async def test_a_date_alone_at_the_end_takes_in_that_whole_day(workbench, upstream, ask):
    upstream.reply(CHAT, headers=STREAM, chunks=[STALL])
    task = await ask()
    today = task.created_at.date()
    for first, last in ((today, today), (today.isoformat(), today.isoformat()), (task.created_at, task.created_at)):
        assert len(await workbench.tasks.history(date_from=first, date_to=last)) == 1
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert len(await workbench.tasks.history(date_from=tomorrow)) == 0
    assert len(await workbench.tasks.history(date_to=date(2020, 1, 1))) == 0


@pytest.mark.parametrize("moment", ["yesterday", "2024-13-01", "0001-01-01T00:00:00+14:00"])
async def test_a_date_that_is_none_is_refused_by_name(workbench, moment):
    with pytest.raises(ValidationFailed, match="dateFrom"):
        await workbench.tasks.history(date_from=moment)


async def test_an_export_has_every_task_that_the_filters_let_through(workbench, upstream, ask):
    upstream.reply(CHAT, headers=STREAM, chunks=ANSWER)
    await finished(workbench, ask, name="First")
    second = await finished(workbench, ask, name="Second")
    export = await workbench.tasks.export()
    assert [task.name for task in export.content] == ["Second", "First"]
    assert (export.filename[:13], export.filename[-5:]) == ("tasks_export_", ".json")
    narrowed = await workbench.tasks.export(search="second")
    assert narrowed.content == [second]


async def test_a_csv_export_guards_cells_that_look_like_formulas(workbench, upstream, ask):
    upstream.reply(CHAT, headers=STREAM, chunks=ANSWER)
    names = ["=1+1", "+1", "-1", "@x", 'say "hi", you', "two\nlines", "größe"]
    tasks = [await finished(workbench, ask, name=name, prompt=name) for name in names]
    media = await workbench.tasks.export(format="csv")
    assert media.content_type == "text/csv"
    assert (media.filename[:13], media.filename[-4:]) == ("tasks_export_", ".csv")
    head, *rows = csv.reader(io.StringIO(media.content.decode(), newline=""))
    assert ",".join(head) == "id,name,type,provider,prompt,status,error,created_at,completed_at"
    guarded = [f"'{name}" if name[0] in "=+-@" else name for name in names]
    assert [row[1] for row in reversed(rows)] == [row[4] for row in reversed(rows)] == guarded
    assert rows[0][0] == tasks[-1].id
    assert rows[0][7].endswith("Z")

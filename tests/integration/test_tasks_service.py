"""The rooms of tasks and results on both stores; nothing runs here (`submit-only`)."""

import csv
import io
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import update

from engine_rig import rig
from spoonkernel.config import Config
from spoonkernel.errors import BadRequest, Conflict, NotFound, ValidationFailed
from spoonkernel.store import tables
from spoonkernel.store.tasks import new_id
from spoonkernel.types.events import TaskCreated

DAY = datetime(2024, 12, 14, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgres"])
async def spoon(request, tmp_path):
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    async with rig(Config(data_dir=tmp_path, database_url=url), role="submit-only") as opened:
        yield opened


def request(**changes):
    return {"name": "n", "type": "text", "provider": "openai", "prompt": "p"} | changes


async def make(spoon, *, created_at=None, status=None, **changes):
    task = await spoon.tasks.create(**request(**changes))
    columns = {"created_at": created_at, "status": status}
    values = {name: value for name, value in columns.items() if value is not None}
    if values:
        change = update(tables.tasks).where(tables.tasks.c.id == task.id).values(**values)
        await spoon.database.write(lambda tx: tx.connection.execute(change) and None)
    return task.id


async def test_lists_are_newest_first_even_within_a_millisecond_and_limits_are_capped(spoon):
    ids = [await make(spoon, created_at=DAY) for _ in range(105)]
    assert [task.id for task in await spoon.tasks.list(limit=1_000)] == ids[:4:-1]
    assert [task.id for task in await spoon.tasks.list(limit=2, offset=1)] == ids[-2:-4:-1]
    assert len(await spoon.tasks.list()) == 20
    for wrong in ({"limit": 0}, {"offset": -1}, {"status": "done"}):
        with pytest.raises(ValidationFailed, match=next(iter(wrong))):
            await spoon.tasks.list(**wrong)


async def test_filters_combine_and_search_takes_percent_and_underscore_literally(spoon):
    plain = await make(spoon, name="Plain words")
    percent = await make(spoon, prompt="give 100% of A_B", status="failed")
    await make(spoon, provider="claude", prompt="AxB")
    assert [task.id for task in (await spoon.tasks.history(search="100%")).items] == [percent]
    assert [task.id for task in (await spoon.tasks.history(search="a_b")).items] == [percent]
    assert [task.id for task in (await spoon.tasks.history(search="PLAIN")).items] == [plain]
    assert (await spoon.tasks.history(search="%", status="pending")).items == []
    assert [task.id for task in await spoon.tasks.list(provider="openai", status="failed")] == [percent]


async def test_a_day_alone_takes_in_the_whole_day_and_a_moment_only_itself(spoon):
    first = await make(spoon, created_at=DAY)
    last = await make(spoon, created_at=DAY + timedelta(days=1, milliseconds=-1))
    await make(spoon, created_at=DAY + timedelta(days=1))
    for day in ("2024-12-14", date(2024, 12, 14)):
        page = await spoon.tasks.history(date_from=day, date_to=day)
        assert [task.id for task in page.items] == [last, first]
    assert [task.id for task in (await spoon.tasks.history(date_to=DAY)).items] == [first]
    assert [task.id for task in (await spoon.tasks.history(date_to="2024-12-14T01:00:00+01:00")).items] == [first]
    with pytest.raises(ValidationFailed, match=r"dateFrom: '14\.12\.2024' is no ISO date"):
        await spoon.tasks.history(date_from="14.12.2024")


async def test_pages_count_from_one_and_know_the_whole(spoon):
    ids = [await make(spoon) for _ in range(5)]
    page = await spoon.tasks.history(page=2, limit=2)
    assert [task.id for task in page.items] == [ids[2], ids[1]]
    assert page.pagination.model_dump() == {"page": 2, "limit": 2, "total": 5, "totalPages": 3}
    assert (await spoon.tasks.history(page=9)).items == []
    with pytest.raises(ValidationFailed, match="page"):
        await spoon.tasks.history(page=0)


async def test_the_same_idempotency_key_returns_the_first_task_and_another_body_is_a_conflict(spoon):
    async with spoon.bus.subscribe() as events:
        first = await spoon.tasks.create(**request(), idempotency_key="k")
        assert await spoon.tasks.create(**request(), idempotency_key="k") == first
        with pytest.raises(Conflict, match=first.id):
            await spoon.tasks.create(**request(prompt="other"), idempotency_key="k")
        other = await spoon.tasks.create(**request(), idempotency_key="l")
        assert [(await anext(events)).task.id for _ in range(2)] == [first.id, other.id]
        assert isinstance(TaskCreated(task=other), TaskCreated)
    assert len(await spoon.tasks.list()) == 2


@pytest.mark.parametrize("spelling", ["profileId", "profile_id"])
async def test_a_profile_in_the_options_must_exist_and_be_the_providers(spoon, spelling):
    profile = await spoon.profile()
    task = await spoon.tasks.create(**request(), options={spelling: profile})
    assert task.options == {spelling: profile}
    with pytest.raises(BadRequest, match=r"for openai, the task for claude"):
        await spoon.tasks.create(**request(provider="claude"), options={spelling: profile})
    for unknown in (new_id(), "no-uuid"):
        with pytest.raises(NotFound, match=f"Profile {unknown} not found"):
            await spoon.tasks.create(**request(), options={spelling: unknown})


@pytest.mark.parametrize("wrong", [{"name": ""}, {"prompt": ""}, {"provider": "nobody"}, {"type": "smell"}])
async def test_a_wrong_field_is_named_and_nothing_is_stored(spoon, wrong):
    with pytest.raises(ValidationFailed, match=next(iter(wrong))):
        await spoon.tasks.create(**request(**wrong))
    assert await spoon.tasks.list() == []


async def test_csv_guards_formulas_and_keeps_quotes_and_line_ends(spoon):
    nasty = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", 'say "hi", you\r\nthere', "plain"]
    for prompt in nasty:
        await make(spoon, prompt=prompt)
    media = await spoon.tasks.export(format="csv")
    assert (media.content_type, media.filename[-4:]) == ("text/csv", ".csv")
    header, *rows = csv.reader(io.StringIO(media.content.decode(), newline=""))
    assert ",".join(header) == "id,name,type,provider,prompt,status,error,created_at,completed_at"
    prompts = [row[4] for row in reversed(rows)]
    assert prompts == [f"'{prompt}" for prompt in nasty[:6]] + nasty[6:]
    assert rows[0][7].endswith("Z")


async def test_an_export_honours_the_filters_and_is_whole(spoon, monkeypatch):
    monkeypatch.setattr("spoonkernel.store.tasks.EXPORT_CHUNK", 3)
    ids = [await make(spoon, created_at=DAY + timedelta(seconds=number // 4)) for number in range(9)]
    await make(spoon, provider="claude")
    export = await spoon.tasks.export(provider="openai")
    assert [task.id for task in export.content] == ids[::-1]
    assert export.filename.startswith("tasks_export_")


@pytest.mark.parametrize("task_id", ["", "abc123", "../x", "00000000-0000-4000-8000-000000000000"])
async def test_an_id_that_is_nobodys_is_not_found_whatever_is_asked(spoon, task_id):
    for ask in (spoon.tasks.get, spoon.tasks.delete, spoon.tasks.retry):
        with pytest.raises(NotFound, match=f"Task {task_id} not found"):
            await ask(task_id)
    for ask in (spoon.results.get, spoon.results.download, spoon.results.delete):
        with pytest.raises(NotFound, match=f"Result {task_id} not found"):
            await ask(task_id)
    assert await spoon.results.list(task_id=task_id) == []


async def test_deleting_leaves_a_tombstone(spoon):
    task_id = await make(spoon)
    await spoon.tasks.delete(task_id)
    stones = tables.tombstones.select().where(tables.tombstones.c.row_id == task_id)
    (stone,) = await spoon.database.read(lambda connection: connection.execute(stones).all())
    assert stone.table_name == "tasks"

"""The store: one order of all writes, group commit that isolates failures, the same values on both engines."""

import asyncio
import uuid
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import func, inspect, select, text

from spoonkernel.errors import StoreUnavailable
from spoonkernel.store.engine import Database, Transaction
from spoonkernel.store.migrate import _upgrade
from spoonkernel.store.migrations import HEAD
from spoonkernel.store.tables import chat_usage, comfyui_generations, comfyui_sessions, metadata, profiles, tombstones
from spoonkernel.types.base import utc_now


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request, tmp_path) -> str:
    if request.param == "postgresql":
        return request.getfixturevalue("postgres_url")
    return f"sqlite:///{tmp_path / 'spoon.db'}"


def add_usage(tx: Transaction, provider: str = "openai") -> int:
    tx.insert(
        chat_usage,
        id=str(uuid.uuid4()),
        provider=provider,
        model="m",
        duration_ms=1,
        outcome="stop",
        created_at=utc_now(),
    )
    return tx.rev


def count(connection) -> int:
    return connection.scalar(select(func.count()).select_from(chat_usage))


def schema(connection) -> tuple[list, dict, str]:
    """How the store differs from the declared tables, everything that can be read of it, and its stored revision."""
    changes = compare_metadata(MigrationContext.configure(connection), metadata)
    reader = inspect(connection)
    tables = {
        table: (
            [(column["name"], str(column["type"]), column["nullable"]) for column in reader.get_columns(table)],
            sorted((index["name"], *index["column_names"], index["unique"]) for index in reader.get_indexes(table)),
            sorted((key["referred_table"], *key["constrained_columns"]) for key in reader.get_foreign_keys(table)),
            sorted(tuple(rule["column_names"]) for rule in reader.get_unique_constraints(table)),
            reader.get_pk_constraint(table)["constrained_columns"],
        )
        for table in reader.get_table_names()
    }
    return changes, tables, connection.scalar(text("SELECT version_num FROM alembic_version"))


async def test_a_new_store_and_one_brought_up_through_the_history_are_the_declared_one(store_url) -> None:
    def from_nothing(tx: Transaction) -> None:
        metadata.drop_all(tx.connection)
        tx.connection.execute(text("DELETE FROM alembic_version"))
        _upgrade(tx.connection)

    async with Database(store_url) as database:
        changes, tables, stored = await database.read(schema)
        await database.write(from_nothing)
        assert await database.read(schema) == (changes, tables, stored)
        assert await database.write(add_usage) == 1
    names = set(tables)
    assert changes == []
    assert stored == HEAD
    assert {"profiles", "profile_models", "provider_settings", "tasks", "results"} <= names
    assert {"comfyui_workflows", "comfyui_sessions", "comfyui_generations"} <= names


def test_every_row_carries_the_revision() -> None:
    without = {name for name, table in metadata.tables.items() if "rev" not in table.c}
    assert without == {"revision"}


async def test_writes_that_wait_together_share_a_revision_and_later_ones_are_higher(store_url) -> None:
    async with Database(store_url) as database:
        together = await asyncio.gather(*(database.write(add_usage) for _ in range(50)))
        later = await database.write(add_usage)
        rows = await database.read(lambda connection: connection.scalars(select(chat_usage.c.rev)).all())
    assert len(set(together)) < 50
    assert later > max(together)
    assert sorted(rows) == sorted([*together, later])


async def test_a_failing_write_takes_nobody_else_down(store_url) -> None:
    def fail(tx: Transaction) -> None:
        add_usage(tx)
        raise ValueError("mine alone")

    async with Database(store_url) as database:
        writes = [database.write(fail if number % 5 == 0 else add_usage) for number in range(20)]
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        assert [isinstance(outcome, ValueError) for outcome in outcomes] == [number % 5 == 0 for number in range(20)]
        assert await database.read(count) == 16


async def test_a_deleted_row_leaves_a_tombstone_with_the_same_revision(store_url) -> None:
    async with Database(store_url) as database:
        await database.write(add_usage)
        (row_id,) = await database.write(lambda tx: tx.delete(chat_usage, chat_usage.c.provider == "openai"))
        stones = await database.read(lambda connection: connection.execute(select(tombstones)).all())
    assert [(stone.table_name, stone.row_id) for stone in stones] == [("chat_usage", row_id)]
    assert stones[0].rev == 2


async def test_an_update_says_how_many_rows_it_met(store_url) -> None:
    async with Database(store_url) as database:
        await database.write(add_usage)
        for expected in (1, 0):
            met = await database.write(
                lambda tx: tx.update(chat_usage, chat_usage.c.outcome == "stop", outcome="length")
            )
            assert met == expected


async def test_two_processes_order_their_writes_and_notice_each_other(store_url) -> None:
    async with Database(store_url) as one, Database(store_url) as other:
        revisions = await asyncio.gather(*(store.write(add_usage) for store in (one, other) * 20))
        await one.changed_elsewhere()
        await other.changed_elsewhere()
        await one.write(add_usage)
        assert not await one.changed_elsewhere()
        assert await other.changed_elsewhere()
        await other.write(add_usage)
        await one.write(add_usage)  # the revision of `other` lies before the own one, and must not be missed
        assert await one.changed_elsewhere()
        assert await one.read(count) == 43
    assert len(set(revisions)) >= 2


async def test_values_come_back_as_they_went_in(store_url) -> None:
    seed = 2**64 - 1
    profile, session, generation = (str(uuid.uuid4()) for _ in range(3))
    moment = datetime(2026, 2, 3, 4, 5, 6, 789_000, tzinfo=UTC)
    document = {"text": "naïve ✓", "list": [1, 2.5, None, True], "nested": {"deep": []}}

    def write(tx: Transaction) -> None:
        tx.insert(
            profiles, id=profile, name="p", type="image", provider="comfyui", options=document,
            input_modalities=["text"], output_modalities=["image"], created_at=moment, updated_at=moment,
        )  # fmt: skip
        tx.insert(
            comfyui_sessions, id=session, profile_id=profile, title="t", last_parameters={}, created_at=moment,
            updated_at=moment,
        )  # fmt: skip
        tx.insert(
            comfyui_generations, id=generation, session_id=session, prompt_id="p", prompt_text="x", parameters={},
            seed=seed, loras_used=[], workflow_json={}, status="complete", cached=False, outputs=[],
            created_at=moment,
        )  # fmt: skip

    async with Database(store_url) as database:
        await database.write(write)
        row = await database.read(lambda connection: connection.execute(select(profiles)).one())
        made = await database.read(lambda connection: connection.execute(select(comfyui_generations)).one())
    assert (row.id, row.options, row.created_at) == (profile, document, moment)
    assert (made.seed, made.cached, made.completed_at) == (seed, False, None)


async def test_an_unreachable_store_is_named_without_its_password() -> None:
    with pytest.raises(StoreUnavailable) as caught:
        async with Database("postgresql://me:s3cret@127.0.0.1:1/spoon"):
            pass
    assert "127.0.0.1:1" in str(caught.value)
    assert "s3cret" not in str(caught.value)


async def test_a_store_of_a_newer_spoon_is_left_alone(store_url) -> None:
    async with Database(store_url) as database:
        await database.write(lambda tx: tx.connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(StoreUnavailable, match="newer Spoon"):
        async with Database(store_url):
            pass


async def test_a_closed_store_says_so(store_url) -> None:
    async with Database(store_url) as database:
        pass
    with pytest.raises(StoreUnavailable, match="closed"):
        await database.read(count)


async def test_queued_writes_are_done_before_it_closes(store_url) -> None:
    async with Database(store_url) as database:
        waiting = [asyncio.ensure_future(database.write(add_usage)) for _ in range(30)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    async with Database(store_url) as database:
        assert await database.read(count) == 30

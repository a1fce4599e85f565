"""Usage rows are written a moment later and together, and nothing that was recorded is lost."""

import pytest
from sqlalchemy import func, select

from spoonkernel.store.engine import Database
from spoonkernel.store.tables import chat_usage
from spoonkernel.store.usage import UsageRepo
from spoonkernel.types.base import utc_now


def answer(model: str = "m", outcome: str = "stop") -> dict:
    known = {"provider": "ollama", "model": model, "profile_id": None, "task_id": None, "prompt_tokens": 3}
    counts = {"completion_tokens": 4, "total_tokens": 7, "first_token_ms": 5, "duration_ms": 9}
    return known | counts | {"outcome": outcome, "created_at": utc_now()}


@pytest.fixture
async def database(tmp_path):
    async with Database(f"sqlite:///{tmp_path / 'spoon.db'}") as opened:
        yield opened


async def count(database: Database) -> tuple[int, int]:
    """How many rows there are, and in how many transactions they were written."""
    query = select(func.count(), func.count(chat_usage.c.rev.distinct()))
    return tuple(await database.read(lambda connection: connection.execute(query).one()))


async def test_rows_that_come_together_are_written_together(database):
    async with UsageRepo(database) as usage:
        for _ in range(100):
            usage.record(answer())
        await usage.flush()
        assert await count(database) == (100, 1)


async def test_leaving_writes_what_is_left(database):
    async with UsageRepo(database) as usage:
        usage.record(answer())
    assert await count(database) == (1, 1)


async def test_rows_after_a_flush_are_written_too(database):
    async with UsageRepo(database) as usage:
        for expected in (1, 2, 3):
            usage.record(answer())
            await usage.flush()
            assert (await count(database))[0] == expected


async def test_the_last_use_of_a_model_is_known_at_once_and_a_failure_is_none(database):
    async with UsageRepo(database) as usage:
        assert await usage.last_used("m", ("ollama",)) is None
        used = answer()
        usage.record(used)
        usage.record(answer(outcome="error") | {"created_at": utc_now()})
        assert await usage.last_used("m", ("ollama",)) == used["created_at"]
        assert await usage.last_used("m", ("local",)) is None
        assert await usage.last_used("other", ("ollama",)) is None


async def test_a_store_that_fails_costs_the_rows_and_not_the_answers(database, caplog):
    async with UsageRepo(database) as usage:
        usage.record(answer() | {"provider": None})
        await usage.flush()
        usage.record(answer())
        await usage.flush()
        assert (await count(database))[0] == 1
    assert "1 chat answers could not be written" in caplog.text

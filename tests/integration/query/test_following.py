"""What a question sees of the store: every commit before it, exactly, and never half of one. On both engines."""

import datetime
import json
import uuid
from typing import Any

import pytest

from query_rig import conversation, stored, transfers, usage
from spoonkernel.errors import StoreUnavailable
from spoonkernel.query.catalog import REPLACED_ROWS
from spoonkernel.query.child import Limits, QueryChild
from spoonkernel.services.catalog import catalog
from spoonkernel.store import tables
from spoonkernel.store.engine import Database
from spoonkernel.store.migrations import HEAD

ID = "00000000-0000-4000-8000-000000000001"
MOMENT = datetime.datetime(2026, 2, 3, 4, 5, 6, 789_000, datetime.UTC)


async def rows(child: QueryChild, sql: str, **parameters: Any) -> list[Any]:
    return json.loads((await child.ask(sql, parameters, limit=10_000)).body)


async def generation(database: Database, **values: Any) -> None:
    """A generation's row with the profile and session that it hangs on."""
    times = {"created_at": MOMENT, "updated_at": MOMENT}
    profile = {"id": ID, "name": "p", "type": "image", "provider": "comfyui", "options": {}} | times
    session = {"id": ID, "profile_id": ID, "title": "s", "last_parameters": {}} | times
    row = {
        "id": ID,
        "session_id": ID,
        "prompt_id": ID,
        "prompt_text": "a fox",
        "parameters": {},
        "loras_used": [],
        "workflow_json": {"secret": 1},
        "status": "complete",
        "cached": False,
        "outputs": [],
        "created_at": MOMENT,
        **values,
    }

    def write(tx):
        tx.insert(tables.profiles, **profile, api_key=b"sk-canary", input_modalities=[], output_modalities=[])
        tx.insert(tables.comfyui_sessions, **session)
        tx.insert(tables.comfyui_generations, **row)

    await database.write(write)


async def test_values_arrive_exactly_as_they_are(database, child):
    text = "ünï ✓ 🦊 \u2028 'quoted' \"double\" \\ \n\t\u0001"
    parameters = {'3.a"b\\c': 2**64 - 1, "nested": {"list": [1, None, True, 1.5, "ü"]}, "none": None, "big": 2**70}
    await generation(
        database,
        seed=2**64 - 1,
        prompt_text=text,
        parameters=parameters,
        cached=True,
        cfg_scale=7.25,
        completed_at=MOMENT,
    )
    [row] = await rows(child, "select * from comfyui_generations")
    assert (row["id"], row["seed"], row["prompt_text"]) == (ID, str(2**64 - 1), text)
    assert (row["cached"], row["cfg_scale"], row["width"], row["completed_at"]) == (
        *(True, 7.25, None),
        "2026-02-03T04:05:06.789Z",
    )
    assert row["parameters"] == parameters | {'3.a"b\\c': str(2**64 - 1), "big": str(2**70)}
    assert "workflow_json" not in row
    frame = await child.ask(
        "select id, seed, created_at, parameters, cached, width from comfyui_generations", {}, limit=1
    )
    kinds = ["UUID", "UBIGINT", "TIMESTAMP WITH TIME ZONE", "JSON", "BOOLEAN", "BIGINT"]
    assert frame.head["types"] == kinds
    named = await rows(child, "select name, value, number from parameters where name like '3%'")
    assert named == [{"name": '3.a"b\\c', "value": str(2**64 - 1), "number": float(2**64 - 1)}]


async def test_every_commit_is_seen_by_the_next_question(database, child):
    assert await rows(child, "select count(*) as n from conversations") == [{"n": 0}]
    for number in range(20):
        row_id = str(uuid.UUID(int=number))
        await database.write(lambda tx, i=row_id: tx.insert(tables.conversations, **conversation(i, title="new")))
        assert await rows(child, "select title from conversations where id = $id", id=row_id) == [{"title": "new"}]
        await database.write(
            lambda tx, i=row_id: tx.update(tables.conversations, tables.conversations.c.id == i, title="changed")
        )
        assert await rows(child, "select title from conversations where id = $id", id=row_id) == [{"title": "changed"}]
        if number % 2:
            await database.write(lambda tx, i=row_id: tx.delete(tables.conversations, tables.conversations.c.id == i))
            assert await rows(child, "select title from conversations where id = $id", id=row_id) == []
    assert await rows(child, "select count(*) as n, count(distinct id) as ids from conversations") == [
        {"n": 10, "ids": 10}
    ]


async def test_what_comes_and_goes_between_two_questions_leaves_nothing(database, child):
    await rows(child, "select 1")

    def come_and_go(tx):
        tx.insert(tables.conversations, **conversation(ID))
        tx.delete(tables.conversations, tables.conversations.c.id == ID)

    await database.write(come_and_go)
    assert await rows(child, "select count(*) as n from conversations") == [{"n": 0}]
    await database.write(lambda tx: tx.delete(tables.conversations, tables.conversations.c.id == ID))
    await database.write(lambda tx: tx.insert(tables.conversations, **conversation(ID)))
    assert await rows(child, "select count(*) as n from conversations") == [{"n": 1}]


async def test_many_changes_at_once_and_the_tidying_after_them(database, child):
    ids = [str(uuid.UUID(int=number)) for number in range(3_000)]
    await database.write(lambda tx: tx.insert_all(tables.conversations, [conversation(one) for one in ids]))
    assert await rows(child, "select count(*) as n from conversations") == [{"n": 3_000}]
    rounds = REPLACED_ROWS // 3_000 + 2
    for number in range(rounds):
        await stored(database, f"update conversations set title = 'r{number}', rev = (select value from revision)")
        assert await rows(child, "select distinct title from conversations") == [{"title": f"r{number}"}]
    await database.write(lambda tx: tx.delete(tables.conversations, tables.conversations.c.id.in_(ids[:2_000])))
    assert await rows(child, "select count(*) as n from conversations") == [{"n": 1_000}]


async def test_a_question_never_sees_half_of_a_transaction(database, child):
    told = await transfers(database, child, seconds=4, per_second=500, questions=30)
    assert told.moved > 400
    assert (told.questions, told.torn, told.stale) == (30, 0, 0)


async def test_changed_tables_are_copied_anew(database, child):
    await database.write(lambda tx: tx.insert(tables.conversations, **conversation(ID, title="old")))
    await rows(child, "select 1")
    first = child.pid
    # what a migration of another version may do: other tables, and rows that changed without a revision of their own
    await stored(database, "update conversations set title = 'migrated'")
    await stored(database, "update alembic_version set version_num = '9999'")
    try:
        assert await rows(child, "select title from conversations") == [{"title": "migrated"}]
        assert child.pid != first
    finally:
        await stored(database, f"update alembic_version set version_num = '{HEAD}'")


async def test_an_older_state_that_was_put_back_is_copied_anew(database, child):
    await database.write(lambda tx: tx.insert(tables.conversations, **conversation(ID)))
    assert await rows(child, "select count(*) as n from conversations") == [{"n": 1}]
    await stored(database, "delete from conversations")
    await stored(database, "update revision set value = 0")
    assert await rows(child, "select count(*) as n from conversations") == [{"n": 0}]


async def test_replies_are_counted_once_whoever_asked(database, child):
    turn = {
        "conversation_id": ID,
        "attachments": [],
        "warnings": [],
        "usage": {"total_tokens": 7},
        "created_at": MOMENT,
    }
    question, answer = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))

    def write(tx):
        tx.insert(tables.conversations, **conversation(ID, options={"temperature": 0.5}))
        tx.insert(tables.conversation_turns, **turn, id=question, role="user", text="why?", state="complete")
        tx.insert(
            tables.conversation_turns,
            **(turn | {"id": answer, "role": "assistant", "text": "so", "state": "complete", "parent_id": question}),
        )
        links = [
            {"turn_id": answer, "task_id": None},
            {"turn_id": None, "task_id": ID},
            {"turn_id": None, "task_id": None},
        ]
        tx.insert_all(
            tables.chat_usage, [usage(str(uuid.UUID(int=10 + n)), total_tokens=5, **one) for n, one in enumerate(links)]
        )

    await database.write(write)
    told = await rows(
        child, "select prompt, text, total_tokens, temperature, status from runs order by total_tokens desc"
    )
    assert told == [
        {"prompt": "why?", "text": "so", "total_tokens": 7, "temperature": 0.5, "status": "complete"},
        {"prompt": None, "text": None, "total_tokens": 5, "temperature": None, "status": "complete"},
    ]


async def test_a_store_that_is_away_is_told_and_found_again(postgres_server):
    name = postgres_server.create_database()
    url = postgres_server.url(name)
    async with Database(url) as database, QueryChild(url, catalog(), Limits()) as child:
        await database.write(lambda tx: tx.insert(tables.conversations, **conversation(ID)))
        assert await rows(child, "select count(*) as n from conversations") == [{"n": 1}]
        first = child.pid
        postgres_server._execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        postgres_server._execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="could not be read"):
                await rows(child, "select 1")
        postgres_server._execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        assert await rows(child, "select count(*) as n from conversations") == [{"n": 1}]
        assert child.pid == first
    postgres_server.drop_database(name)

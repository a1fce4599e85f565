"""Stores to ask in SQL, and a writer that keeps a sum over two tables constant while they are asked."""

import asyncio
import random
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from spoonkernel.query.child import QueryChild
from spoonkernel.store import tables
from spoonkernel.store.engine import Database, Transaction
from spoonkernel.types.base import utc_now

ACCOUNTS, AMOUNT = 20, 1_000
SUM = """
select (select sum(total_tokens) from chat_usage) + (select sum(cast(options->>'amount' as bigint)) from conversations)
  as total
"""


def account(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


def usage(row_id: str, **values: Any) -> dict[str, Any]:
    return {
        "id": row_id,
        "provider": "openai",
        "model": "gpt",
        "duration_ms": 1,
        "outcome": "stop",
        "created_at": utc_now(),
        **values,
    }


def conversation(row_id: str, **values: Any) -> dict[str, Any]:
    now = utc_now()
    return {"id": row_id, "title": "t", "options": {}, "created_at": now, "updated_at": now, **values}


@dataclass
class Told:
    questions: int
    torn: int
    stale: int
    moved: int


async def transfers(database: Database, child: QueryChild, *, seconds: float, per_second: int, questions: int) -> Told:
    """Move amounts between two tables while asking for their sum, and count what should never be.

    An answer is stale when it lacks a row that was committed before it was asked for.
    """

    def begin(tx: Transaction) -> None:
        tx.insert_all(tables.chat_usage, [usage(account(n), total_tokens=AMOUNT) for n in range(ACCOUNTS)])
        tx.insert_all(
            tables.conversations, [conversation(account(n), options={"amount": AMOUNT}) for n in range(ACCOUNTS)]
        )

    await database.write(begin)
    told = Told(0, 0, 0, 0)
    balances = [[AMOUNT] * ACCOUNTS, [AMOUNT] * ACCOUNTS]

    async def write(until: float) -> None:
        began, begun = time.monotonic(), 0
        while (now := time.monotonic()) < until:
            due = round((now - began) * per_second / 2) - begun  # by the clock, so that a slow moment is made up for
            begun += due
            await asyncio.gather(*(move() for _ in range(due)))
            await asyncio.sleep(0.05)

    async def move() -> None:
        number, amount = random.randrange(ACCOUNTS), random.randrange(-50, 50)
        balances[0][number] -= amount
        balances[1][number] += amount
        usage_now, conversation_now = balances[0][number], balances[1][number]

        def transfer(tx: Transaction) -> None:
            tx.update(tables.chat_usage, tables.chat_usage.c.id == account(number), total_tokens=usage_now)
            tx.update(
                tables.conversations, tables.conversations.c.id == account(number), options={"amount": conversation_now}
            )

        await database.write(transfer)
        told.moved += 2

    async def ask(number: int) -> None:
        mark = f"11111111-0000-4000-8000-{number:012x}"
        await database.write(lambda tx: tx.insert(tables.conversations, **conversation(mark, title="mark")))
        frame = await child.ask(SUM, {}, limit=1)
        told.torn += frame.body != b'[{"total":%d}]' % (2 * ACCOUNTS * AMOUNT) and frame.body != (
            b'[{"total":"%d"}]' % (2 * ACCOUNTS * AMOUNT)
        )
        seen = await child.ask("select count(*) as n from conversations where id = $id", {"id": mark}, limit=1)
        told.stale += seen.body != b'[{"n":1}]'
        told.questions += 1

    until = time.monotonic() + seconds
    writing = asyncio.create_task(write(until))
    for number in range(questions):
        await ask(number)
        await asyncio.sleep(max(0.0, (until - time.monotonic()) / (questions - number)) * 0.9)
    await writing
    return told


async def stored(database: Database, sql: str) -> None:
    """Run a statement of one's own as a write transaction."""
    await database.write(lambda tx: tx.connection.execute(text(sql)))

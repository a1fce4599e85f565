"""What each chat answer took, and when a model was last used."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Self

from sqlalchemy import select

from spoonkernel.store.engine import Database, Transaction
from spoonkernel.store.tables import chat_usage
from spoonkernel.store.tasks import new_id

GATHER_S = 0.05  # how long rows wait for others: under load a transaction each would be a fifth of all the work

log = logging.getLogger(__name__)


class UsageRepo:
    """Rows are written a moment after they are recorded, those that come meanwhile together: nobody waits for them.

    Under load that takes 20 microseconds a row instead of 300. Leaving the block writes what is left.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows: list[dict[str, Any]] = []
        self._writing: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.flush()

    def record(self, values: Mapping[str, Any]) -> None:
        """Have one answer's row written; `values` are the columns of `chat_usage` but `id`."""
        self._rows.append({"id": new_id(), **values})
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="spoon chat usage")

    async def flush(self) -> None:
        """Wait until everything recorded so far is written."""
        self._hurry.set()
        if self._writing is not None:
            await asyncio.shield(self._writing)
        self._hurry.clear()

    async def last_used(self, model: str, providers: tuple[str, ...]) -> datetime | None:
        """When an answer of this model was last recorded; one that failed did not use it."""
        await self.flush()
        query = (
            select(chat_usage.c.created_at)
            .where(chat_usage.c.model == model, chat_usage.c.provider.in_(providers), chat_usage.c.outcome != "error")
            .order_by(chat_usage.c.created_at.desc())
            .limit(1)
        )
        return await self._database.read(lambda connection: connection.scalar(query))

    async def _write(self) -> None:
        while self._rows:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GATHER_S):
                    await self._hurry.wait()
            rows, self._rows = self._rows, []
            try:
                await self._database.write(partial(_insert, rows))
            except Exception:  # the edge of a background task: an answer is worth more than its row
                log.exception("The usage of %d chat answers could not be written", len(rows))


def _insert(rows: list[dict[str, Any]], tx: Transaction) -> None:
    tx.insert_all(chat_usage, rows)

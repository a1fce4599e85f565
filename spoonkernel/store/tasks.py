"""Task rows: making, reading, deleting. What workers do to them (claims, leases, outcomes) is in `claims`."""

import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select

from spoonkernel.store.columns import canonical_id
from spoonkernel.store.engine import Database, Transaction
from spoonkernel.store.tables import results, task_attempts, tasks
from spoonkernel.types.tasks import Task, TaskFilter

EXPORT_CHUNK = 1_000  # rows held at once while exporting
_RANDOM_BITS = 62

TaskRow = Row[Any]


def new_id() -> str:
    """A UUID of version 7 (RFC 9562): ids made later sort later, so rows of one millisecond keep their order."""
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = rest * 4096 // 1_000_000
    tail = uuid.uuid4().int & ((1 << _RANDOM_BITS) - 1)
    return str(uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | tail))


class TaskRepo:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert(self, values: Mapping[str, Any]) -> tuple[TaskRow, bool]:
        """Store a task and return its row and True; with an idempotency key that is taken, the older row and False."""
        key = values.get("idempotency_key")

        def write(tx: Transaction) -> tuple[TaskRow, bool]:
            if key is not None:
                older = tx.connection.execute(select(tasks).where(tasks.c.idempotency_key == key)).first()
                if older is not None:
                    return older, False
            tx.insert(tasks, **values)
            return tx.connection.execute(select(tasks).where(tasks.c.id == values["id"])).one(), True

        return await self._database.write(write)

    async def find(self, task_id: str) -> TaskRow | None:
        row_id = canonical_id(task_id)
        if row_id is None:
            return None
        return await self._database.read(lambda c: c.execute(select(tasks).where(tasks.c.id == row_id)).first())

    async def page(self, wanted: TaskFilter, *, limit: int, offset: int) -> Sequence[TaskRow]:
        """Rows newest first."""
        query = _filtered(wanted).limit(limit).offset(offset)
        return await self._database.read(lambda connection: connection.execute(query).all())

    async def count(self, wanted: TaskFilter) -> int:
        query = select(func.count()).select_from(tasks).where(*_conditions(wanted))
        return await self._database.read(lambda connection: connection.execute(query).scalar_one())

    async def chunks(self, wanted: TaskFilter) -> AsyncIterator[list[Task]]:
        """Every task that the filters let through, newest first, some at a time.

        Each chunk starts behind the last row of the one before: tasks made or deleted meanwhile shift nothing.
        """
        first = query = _filtered(wanted).limit(EXPORT_CHUNK)
        while True:
            rows = await self._database.read(partial(_rows, query))
            if rows:
                yield [as_task(row) for row in rows]
            if len(rows) < EXPORT_CHUNK:
                return
            at, row_id = rows[-1].created_at, rows[-1].id
            query = first.where(or_(tasks.c.created_at < at, and_(tasks.c.created_at == at, tasks.c.id < row_id)))

    async def delete(self, task_id: str, now: datetime) -> tuple[str, list[str]] | None:
        """Delete a task with its results; returns its id as stored and its media's paths, or None if missing.

        Attempts stay: a profile's limit per minute counts cancelled ones too.
        """
        row_id = canonical_id(task_id)

        def write(tx: Transaction) -> tuple[str, list[str]] | None:
            if row_id is None or tx.connection.scalar(select(tasks.c.id).where(tasks.c.id == row_id)) is None:
                return None
            mine = results.c.task_id == row_id
            media = list(tx.connection.scalars(select(results.c.content).where(mine, results.c.type != "text")))
            open_attempt = and_(task_attempts.c.task_id == row_id, task_attempts.c.finished_at.is_(None))
            tx.update(task_attempts, open_attempt, finished_at=now, outcome="cancelled")
            tx.delete(results, mine)
            tx.delete(tasks, tasks.c.id == row_id)
            return row_id, media

        return await self._database.write(write) if row_id else None

    async def retry(self, task_id: str) -> TaskRow | None:
        """Put a failed task back to pending, counting the retry; None when it is missing or has not failed."""
        row_id = canonical_id(task_id)

        def write(tx: Transaction) -> TaskRow | None:
            failed = and_(tasks.c.id == row_id, tasks.c.status == "failed")
            fresh = {"status": "pending", "progress": 0.0, "completed_at": None, "not_before": None}
            if not tx.update(tasks, failed, retry_count=tasks.c.retry_count + 1, **fresh):
                return None
            return tx.connection.execute(select(tasks).where(tasks.c.id == row_id)).one()

        return await self._database.write(write) if row_id else None

    async def last_rev(self) -> int:
        return await self._database.read(_newest_rev)

    async def changed_since(self, rev: int) -> Sequence[TaskRow]:
        """Rows that were written after revision `rev`, in the order of their writing."""
        query = select(tasks).where(tasks.c.rev > rev).order_by(tasks.c.rev, tasks.c.id)
        return await self._database.read(lambda connection: connection.execute(query).all())


def as_task(row: TaskRow) -> Task:
    return Task.model_validate({name: row._mapping[name] for name in Task.model_fields})


def _conditions(wanted: TaskFilter) -> Iterator[ColumnElement[bool]]:
    for column, value in (
        (tasks.c.status, wanted.status),
        (tasks.c.provider, wanted.provider),
        (tasks.c.type, wanted.type),
    ):
        if value is not None:
            yield column == value
    if wanted.date_from is not None:
        yield tasks.c.created_at >= _aware(wanted.date_from)
    if wanted.date_to is not None:
        yield tasks.c.created_at <= _aware(wanted.date_to)
    if wanted.search:
        text = wanted.search
        yield or_(tasks.c.name.icontains(text, autoescape=True), tasks.c.prompt.icontains(text, autoescape=True))


def _filtered(wanted: TaskFilter) -> Select[Any]:
    return select(tasks).where(*_conditions(wanted)).order_by(tasks.c.created_at.desc(), tasks.c.id.desc())


def _newest_rev(connection: Connection) -> int:
    newest: int | None = connection.scalar(select(func.max(tasks.c.rev)))
    return newest or 0


def _rows(query: Select[Any], connection: Connection) -> Sequence[TaskRow]:
    return connection.execute(query).all()


def _aware(moment: datetime) -> datetime:
    """A time without a zone is UTC, as all times of the contract are."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment

"""Result rows: what tasks produced. They are written with the task's end (`claims.finish`)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select

from spoonkernel.errors import NotFound
from spoonkernel.store.columns import canonical_id
from spoonkernel.store.engine import Database
from spoonkernel.store.tables import results
from spoonkernel.types.results import Result


class ResultRepo:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, *, kind: str | None, task_id: str | None, limit: int | None, offset: int = 0
    ) -> Sequence[Row[Any]]:
        """Rows newest first; the results of one task in the order they were made, the last first."""
        query = select(results).order_by(results.c.created_at.desc(), results.c.id.desc()).limit(limit).offset(offset)
        if kind is not None:
            query = query.where(results.c.type == kind)
        if task_id is not None:
            query = query.where(results.c.task_id == task_id)
        return await self._database.read(lambda connection: connection.execute(query).all())

    async def get(self, result_id: str) -> Result:
        """Raises `NotFound`."""
        row_id = canonical_id(result_id)
        query = select(results).where(results.c.id == row_id)
        row = await self._database.read(lambda c: c.execute(query).first()) if row_id else None
        if row is None:
            raise NotFound(f"Result {result_id} not found")
        return as_result(row)

    async def delete(self, result_id: str) -> None:
        await self._database.write(lambda tx: tx.delete(results, results.c.id == canonical_id(result_id)))


def as_result(row: Row[Any]) -> Result:
    columns = row._mapping
    names = {name: columns[results.c[name]] for name in ("id", "task_id", "type", "content", "created_at")}
    return Result.model_validate(names | {"metadata": columns[results.c.meta]})

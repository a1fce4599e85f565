"""What each chat answer took, and when a model was last used."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import select

from spoonkernel.store.engine import Database
from spoonkernel.store.tables import chat_usage


class UsageRepo:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, **values: Any) -> None:
        """Write one answer's row; `values` are the columns of `chat_usage` but `id`."""
        row_id = str(uuid.uuid4())
        await self._database.write(lambda tx: tx.insert(chat_usage, id=row_id, **values))

    async def last_used(self, model: str, providers: tuple[str, ...]) -> datetime | None:
        """When an answer of this model was last recorded."""
        query = (
            select(chat_usage.c.created_at)
            .where(chat_usage.c.model == model, chat_usage.c.provider.in_(providers))
            .order_by(chat_usage.c.created_at.desc())
            .limit(1)
        )
        return await self._database.read(lambda connection: connection.scalar(query))

"""Questions in SQL: who may ask, what is on record, and the words around `query.child`."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import JsonValue
from sqlalchemy.engine import make_url

from spoonkernel.config import Config
from spoonkernel.errors import Forbidden, NotFound, SpoonError
from spoonkernel.query.child import Limits, QueryChild
from spoonkernel.query.files import as_file
from spoonkernel.query.frames import Frame
from spoonkernel.services.catalog import OURS, REFERENCE, VIEW_NAMES, catalog, table_schema
from spoonkernel.services.checks import checked
from spoonkernel.services.query_log import QueryLog
from spoonkernel.services.query_rate import Rate
from spoonkernel.types.base import Media
from spoonkernel.types.database import (
    MAX_ARROW_ROWS,
    ArrowRequest,
    ColumnInfo,
    ExportRequest,
    FileFormat,
    QueryRequest,
    QueryResult,
    TableSchema,
)
from spoonkernel.types.rows import RowsInArrow

PER_MINUTE = 10
"""Statements from elsewhere, as the reference plans."""
VIEW_COLUMNS = """
select column_name as name, lower(data_type) as type, comment from duckdb_columns()
where table_name = $name order by column_index
"""
CONTENT_TYPES: dict[FileFormat, str] = {
    "csv": "text/csv",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}
OFF = (
    "Questions in SQL are switched off here (SPOON_DATABASE_QUERIES=0); whoever runs it can start it without that "
    "setting, for this machine, or with SPOON_DATABASE_QUERIES=1 for all"
)
NOT_FROM_AFAR = (
    "Questions in SQL are for this machine only; an administrator may allow them to all with SPOON_DATABASE_QUERIES=1"
)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks. `is_near`: over this machine's own loopback address, or from this very process."""

    who: str
    is_near: bool


HERE = Asker("this process", is_near=True)


class DatabaseService:
    """`DatabaseAPI` over the child process of this workbench, which starts with the first question.

    `asked_by` (ours) is what a server knows of its client.
    """

    def __init__(self, child: QueryChild, audit: QueryLog, *, allowed: bool | None = None) -> None:
        """`allowed` is an administrator's word: for nobody, for all; None for this machine."""
        self._child, self._audit, self._allowed = child, audit, allowed
        self._rate = Rate(PER_MINUTE)

    async def query(
        self,
        query: str,
        *,
        parameters: dict[str, JsonValue] | None = None,
        limit: int = 1_000,
        asked_by: Asker = HERE,
    ) -> QueryResult:
        text = await self.answer(query, parameters=parameters, limit=limit, asked_by=asked_by)
        return QueryResult.model_validate_json(text).fetching(
            partial(self.arrow, query, parameters=parameters, asked_by=asked_by)
        )

    async def answer(
        self,
        query: str,
        *,
        parameters: dict[str, JsonValue] | None = None,
        limit: int = 1_000,
        asked_by: Asker = HERE,
    ) -> bytes:
        """A `QueryResult` as its JSON text, as the child spelled it: a server need not read what it passes on."""
        asked = checked(QueryRequest, query=query, parameters=parameters or {}, limit=limit)
        async with self._recorded(asked, asked_by) as outcome:
            frame = await self._child.ask(asked.query, asked.parameters, limit=asked.limit)
            outcome["rows"] = frame.head["rows"]
        return _result(frame)

    async def arrow(
        self,
        query: str,
        *,
        parameters: dict[str, JsonValue] | None = None,
        limit: int = MAX_ARROW_ROWS,
        asked_by: Asker = HERE,
    ) -> RowsInArrow:
        asked = checked(ArrowRequest, query=query, parameters=parameters or {}, limit=limit)
        return RowsInArrow(content=(await self._all_rows(asked, asked_by)).body)

    async def export(
        self,
        query: str,
        *,
        format: FileFormat = "csv",
        parameters: dict[str, JsonValue] | None = None,
        limit: int = MAX_ARROW_ROWS,
        asked_by: Asker = HERE,
    ) -> Media:
        asked = checked(ExportRequest, query=query, format=format, parameters=parameters or {}, limit=limit)
        content = await as_file(await self._all_rows(asked, asked_by), asked.format)
        return Media(content=content, content_type=CONTENT_TYPES[asked.format], filename=f"rows.{asked.format}")

    async def tables(self, *, asked_by: Asker = HERE) -> list[str]:
        self._admit(asked_by)
        return [*REFERENCE, *OURS, *VIEW_NAMES]

    async def schema(self, name: str, *, asked_by: Asker = HERE) -> TableSchema:
        names = await self.tables(asked_by=asked_by)
        if found := table_schema(name):
            return found
        if name not in names:
            raise NotFound(f"Table {name} not found: there are {', '.join(names)}")
        frame = await self._child.ask(VIEW_COLUMNS, {"name": name}, limit=1_000)
        return TableSchema(table=name, columns=[ColumnInfo(**row) for row in json.loads(frame.body)])

    def _admit(self, asker: Asker) -> None:
        if self._allowed is False:
            raise Forbidden(OFF)
        if not asker.is_near and not self._allowed:
            raise Forbidden(NOT_FROM_AFAR)

    async def _all_rows(self, asked: ArrowRequest, asker: Asker) -> Frame:
        async with self._recorded(asked, asker) as outcome:
            frame = await self._child.ask(asked.query, asked.parameters, limit=asked.limit, op="arrow")
            outcome["rows"] = frame.head["rows"]
        return frame

    @asynccontextmanager
    async def _recorded(self, asked: QueryRequest | ArrowRequest, asker: Asker) -> AsyncIterator[dict[str, Any]]:
        """Let in who may ask, and put on record how it went, whoever was let in or not."""
        began, outcome = time.perf_counter(), dict[str, Any](outcome="stopped by its asker")
        try:
            self._admit(asker)
            if not asker.is_near:
                self._rate.take(asker.who)
            yield outcome
            outcome["outcome"] = "answered"
        except SpoonError as error:
            outcome["outcome"] = error.code
            raise
        finally:
            outcome["duration_ms"] = round((time.perf_counter() - began) * 1e3, 1)
            self._audit.record(who=asker.who, sql=asked.query, parameters=asked.parameters, **outcome)


def _result(frame: Frame) -> bytes:
    head = frame.head
    rest = {
        "rowCount": head["rows"],
        "fields": head["fields"],
        "types": head["types"],
        "truncated": head["truncated"],
        "durationMs": head["duration_ms"],
        "syncMs": head["sync_ms"],
    }
    return b'{"rows":' + frame.body + b"," + json.dumps(rest).encode()[1:]


def open_child(config: Config) -> QueryChild:
    """The child process for this workbench's store; nothing starts yet."""
    limits = Limits(timeout_s=config.query_timeout_s, memory_mb=config.query_memory_mb)
    url = make_url(config.store_url)
    store = f"sqlite:///{url.database}" if url.drivername.startswith("sqlite") else config.store_url
    return QueryChild(store, catalog(), limits)

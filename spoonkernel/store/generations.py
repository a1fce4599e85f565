"""Generation rows and their files: making, reading, deleting. What a watcher does to them is in `watching`."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Update, and_, bindparam, insert, select, update
from sqlalchemy.sql.dml import ReturningInsert

from spoonkernel.errors import NotFound
from spoonkernel.store.columns import canonical_id
from spoonkernel.store.engine import Database, Transaction
from spoonkernel.store.ratings import rate
from spoonkernel.store.tables import comfyui_files, comfyui_generations, comfyui_sessions
from spoonkernel.store.tiles import narrowed, read_tiles
from spoonkernel.types.generations import Generation, GenerationFilter, GenerationTile

GenerationRow = Row[Any]
OPEN = ("pending", "running")
_UNSEEN = ("workflow_json", "ui_workflow", "ingredients")
"""The large columns, which only `get` reads."""


class GenerationRepo:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert(self, values: Mapping[str, Any], session: Mapping[str, Any]) -> tuple[GenerationRow, bool]:
        """Store a generation, and `session`'s new values with it; returns its row and True.

        With an idempotency key that is taken nothing is stored: it returns the older row and False.
        """
        key = values.get("idempotency_key")

        def write(tx: Transaction) -> tuple[GenerationRow, bool]:
            if key is not None:
                query = _shown().where(comfyui_generations.c.idempotency_key == key)
                if (older := tx.connection.execute(query).first()) is not None:
                    return older, False
            if not tx.run_update(_session(), its_id=values["session_id"], **session):
                raise NotFound(f"Session {values['session_id']} not found")
            return tx.connection.execute(_added(), {"rev": tx.rev, **values}).one(), True

        return await self._database.write(write)

    async def find(self, generation_id: str, *, whole: bool = False) -> GenerationRow | None:
        """One row; without its large columns unless `whole`."""
        row_id = canonical_id(generation_id)
        if row_id is None:
            return None
        query = _found(whole=whole)
        return await self._database.read(lambda connection: connection.execute(query, {"found_id": row_id}).first())

    async def get(self, generation_id: str) -> GenerationRow:
        """One row whole. Raises `NotFound`."""
        row = await self.find(generation_id, whole=True)
        if row is None:
            raise NotFound(f"Generation {generation_id} not found")
        return row

    async def with_key(self, key: str) -> GenerationRow | None:
        """The generation that was made with this idempotency key."""
        query = _shown().where(comfyui_generations.c.idempotency_key == key)
        return await self._database.read(lambda connection: connection.execute(query).first())

    async def page(self, wanted: GenerationFilter, *, limit: int, offset: int = 0) -> Sequence[GenerationRow]:
        """Rows newest first, without their large columns."""
        query = narrowed(_shown(), wanted).limit(limit).offset(offset)
        return await self._database.read(lambda connection: connection.execute(query).all())

    async def tiles(self, wanted: GenerationFilter, *, limit: int, offset: int = 0) -> list[GenerationTile]:
        """Generations in brief, newest first."""
        return await self._database.read(lambda connection: read_tiles(connection, wanted, limit, offset))

    async def rate(self, generation_id: str, rating: int | None, index: int | None) -> GenerationRow | None:
        """Rate a generation or one of its outputs; returns its row, or None when it is gone."""

        def write(tx: Transaction) -> GenerationRow | None:
            rate(tx, generation_id, rating, index)
            return tx.connection.execute(_found(whole=False), {"found_id": generation_id}).first()

        return await self._database.write(write)

    async def of_task(self, task_id: str) -> GenerationRow | None:
        """The newest generation that a task made."""
        query = _shown().where(comfyui_generations.c.task_id == task_id)
        query = query.order_by(comfyui_generations.c.created_at.desc(), comfyui_generations.c.id.desc()).limit(1)
        return await self._database.read(lambda connection: connection.execute(query).first())

    async def open_of(self, *, session_id: str | None = None, profile_id: str | None = None) -> Sequence[GenerationRow]:
        """The generations of a session, or of a profile, that have not ended."""
        owner = {"session_id": session_id} if session_id is not None else {"profile_id": profile_id}
        mine = [comfyui_generations.c[name] == canonical_id(value or "") for name, value in owner.items()]
        query = _shown().where(*mine, comfyui_generations.c.status.in_(OPEN))
        return await self._database.read(lambda connection: connection.execute(query).all())

    async def delete(self, generation_id: str) -> list[str] | None:
        """Delete a generation; returns the paths of its files in the media folder, or None if it is not there."""

        def write(tx: Transaction) -> list[str] | None:
            here = comfyui_generations.c.id == canonical_id(generation_id)
            if tx.connection.scalar(select(comfyui_generations.c.id).where(here)) is None:
                return None
            return delete_generations(tx, here)

        return await self._database.write(write)

    async def replace_upload(self, values: Mapping[str, Any]) -> list[str]:
        """Record an uploaded file; returns the paths in the media folder of older copies of the same upload."""

        def write(tx: Transaction) -> list[str]:
            same = [comfyui_files.c[name] == values[name] for name in ("profile_id", "filename", "subfolder", "folder")]
            paths = delete_files(tx, and_(comfyui_files.c.generation_id.is_(None), *same))
            tx.insert(comfyui_files, **values)
            return paths

        return await self._database.write(write)

    async def find_file(
        self, filename: str, subfolder: str, folder: str, profile_id: str | None = None
    ) -> Row[Any] | None:
        """The newest recorded file of this name."""
        query = select(comfyui_files).where(
            comfyui_files.c.filename == filename,
            comfyui_files.c.subfolder == subfolder,
            comfyui_files.c.folder == folder,
        )
        if profile_id is not None:
            query = query.where(comfyui_files.c.profile_id == canonical_id(profile_id))
        query = query.order_by(comfyui_files.c.created_at.desc(), comfyui_files.c.id.desc()).limit(1)
        return await self._database.read(lambda connection: connection.execute(query).first())

    async def last_rev(self) -> int:
        query = select(comfyui_generations.c.rev).order_by(comfyui_generations.c.rev.desc()).limit(1)
        return int(await self._database.read(lambda connection: connection.scalar(query)) or 0)

    async def changed_since(self, rev: int) -> Sequence[GenerationRow]:
        """Rows that were written after this revision, in the order of their writes."""
        query = _shown().where(comfyui_generations.c.rev > rev).order_by(comfyui_generations.c.rev)
        return await self._database.read(lambda connection: connection.execute(query).all())


def delete_generations(tx: Transaction, where: ColumnElement[bool]) -> list[str]:
    """Delete generations with their files' rows; returns the paths of the files in the media folder."""
    mine = comfyui_files.c.generation_id.in_(select(comfyui_generations.c.id).where(where))
    paths = delete_files(tx, mine)
    tx.delete(comfyui_generations, where)
    return paths


def delete_files(tx: Transaction, where: ColumnElement[bool]) -> list[str]:
    """Delete rows of files; returns their paths in the media folder."""
    found = tx.connection.execute(select(comfyui_files.c.content, comfyui_files.c.thumbnail).where(where))
    paths = [path for row in found for path in row if path is not None]
    tx.delete(comfyui_files, where)
    return paths


@lru_cache(maxsize=2)
def _found(*, whole: bool) -> Select[Any]:
    """One generation: statements that are made once take a third of the time of those that are made anew."""
    return (select(comfyui_generations) if whole else _shown()).where(comfyui_generations.c.id == bindparam("found_id"))


@lru_cache(maxsize=1)
def _added() -> ReturningInsert[Any]:
    return insert(comfyui_generations).returning(*(one for one in comfyui_generations.c if one.name not in _UNSEEN))


@lru_cache(maxsize=1)
def _session() -> Update:
    return update(comfyui_sessions).where(comfyui_sessions.c.id == bindparam("its_id"))


def _shown() -> Select[Any]:
    return select(*(column for column in comfyui_generations.c if column.name not in _UNSEEN))


def as_generation(row: GenerationRow) -> Generation:
    """The wire object of a row."""
    values = row._asdict()
    values["progress"] = 1.0 if row.status == "complete" else row.progress or 0.0
    values["warnings"] = row.warnings or []
    return Generation.model_validate(values)

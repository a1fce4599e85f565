"""Session rows, with the counts of their generations."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, case, func, select

from spoonkernel.errors import NotFound
from spoonkernel.store.columns import canonical_id
from spoonkernel.store.engine import Database, Transaction
from spoonkernel.store.generations import delete_generations
from spoonkernel.store.tables import comfyui_generations, comfyui_sessions, comfyui_workflows, profiles

SessionRow = Row[Any]
KEPT = 64  # workflows whose rows are kept


class SessionRepo:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._read: dict[str, Row[Any]] = {}

    async def list(self) -> Sequence[SessionRow]:
        """All sessions, newest first, with `profile_name`, `profile_url` and the three counts."""
        query = _counted().order_by(comfyui_sessions.c.created_at.desc(), comfyui_sessions.c.id.desc())
        return await self._database.read(lambda connection: connection.execute(query).all())

    async def find(self, session_id: str) -> SessionRow | None:
        """One session with the same columns."""
        row_id = canonical_id(session_id)
        if row_id is None:
            return None
        query = _counted().where(comfyui_sessions.c.id == row_id)
        return await self._database.read(lambda connection: connection.execute(query).first())

    async def get(self, session_id: str) -> SessionRow:
        """Raises `NotFound`."""
        row = await self.find(session_id)
        if row is None:
            raise NotFound(f"Session {session_id} not found")
        return row

    async def with_workflow(self, session_id: str, workflow_id: str | None) -> tuple[SessionRow, Row[Any] | None]:
        """A session without names and counts, which cost a look at all its generations, and the workflow that is named,
        else its current one, in one read. Raises `NotFound` for the session only."""
        row_id = canonical_id(session_id)

        def read(connection: Connection) -> tuple[SessionRow | None, Row[Any] | None]:
            session = connection.execute(_bare(), {"its_id": row_id}).first()
            wanted = canonical_id(workflow_id) if workflow_id is not None else session and session.current_workflow_id
            return session, self._workflow(connection, wanted) if wanted else None

        session, workflow = await self._database.read(read) if row_id else (None, None)
        if session is None:
            raise NotFound(f"Session {session_id} not found")
        return session, workflow

    def _workflow(self, connection: Connection, workflow_id: str) -> Row[Any] | None:
        """A workflow's row; while its revision is the same, the one that was read before: graphs are large."""
        rev = connection.scalar(_revision(), {"its_id": workflow_id})
        kept = self._read.get(workflow_id)
        if rev is None or (kept is not None and kept.rev == rev):
            return None if rev is None else kept
        row = connection.execute(_workflow(), {"its_id": workflow_id}).first()
        if row is not None:
            if len(self._read) >= KEPT:
                self._read.clear()
            self._read[workflow_id] = row
        return row

    async def of_workflow(self, workflow_id: str) -> SessionRow | None:
        """The session that used this workflow last."""
        query = _counted().where(comfyui_sessions.c.current_workflow_id == workflow_id)
        query = query.order_by(comfyui_sessions.c.updated_at.desc()).limit(1)
        return await self._database.read(lambda connection: connection.execute(query).first())

    async def titled(self, profile_id: str, title: str) -> SessionRow | None:
        """The newest session of this title."""
        query = _counted().where(comfyui_sessions.c.profile_id == profile_id, comfyui_sessions.c.title == title)
        query = query.order_by(comfyui_sessions.c.created_at.desc()).limit(1)
        return await self._database.read(lambda connection: connection.execute(query).first())

    async def insert(self, values: Mapping[str, Any]) -> None:
        await self._database.write(lambda tx: tx.insert(comfyui_sessions, **values))

    async def update(self, session_id: str, values: Mapping[str, Any]) -> None:
        await self._database.write(
            lambda tx: tx.update(comfyui_sessions, comfyui_sessions.c.id == canonical_id(session_id), **values)
        )

    async def delete(self, session_id: str) -> Sequence[str]:
        """Delete a session with its generations; returns the paths of their files in the media folder."""

        def write(tx: Transaction) -> Sequence[str]:
            row_id = canonical_id(session_id)
            paths = delete_generations(tx, comfyui_generations.c.session_id == row_id)
            tx.delete(comfyui_sessions, comfyui_sessions.c.id == row_id)
            return paths

        return await self._database.write(write)


@lru_cache(maxsize=1)
def _bare() -> Select[Any]:
    return select(comfyui_sessions).where(comfyui_sessions.c.id == bindparam("its_id"))


@lru_cache(maxsize=1)
def _revision() -> Select[Any]:
    return select(comfyui_workflows.c.rev).where(comfyui_workflows.c.id == bindparam("its_id"))


@lru_cache(maxsize=1)
def _workflow() -> Select[Any]:
    return select(comfyui_workflows).where(comfyui_workflows.c.id == bindparam("its_id"))


def _counted() -> Select[Any]:
    ended = comfyui_generations.c.status
    counts = (
        select(
            comfyui_generations.c.session_id,
            func.count().label("generation_count"),
            func.sum(case((ended == "complete", 1), else_=0)).label("completed_count"),
            func.sum(case((ended == "failed", 1), else_=0)).label("failed_count"),
        )
        .group_by(comfyui_generations.c.session_id)
        .subquery()
    )
    return (
        select(
            comfyui_sessions,
            profiles.c.name.label("profile_name"),
            profiles.c.url.label("profile_url"),
            *(
                func.coalesce(counts.c[name], 0).label(name)
                for name in ("generation_count", "completed_count", "failed_count")
            ),
        )
        .join(profiles, profiles.c.id == comfyui_sessions.c.profile_id)
        .outerjoin(counts, counts.c.session_id == comfyui_sessions.c.id)
    )

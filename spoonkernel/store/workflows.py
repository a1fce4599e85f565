"""Workflow rows. One workflow of a profile at most is its default."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Row, Select, bindparam, func, select

from spoonkernel.errors import NotFound
from spoonkernel.store.columns import canonical_id
from spoonkernel.store.engine import Database, Transaction
from spoonkernel.store.tables import comfyui_generations, comfyui_sessions, comfyui_workflows, profiles, tombstones

WorkflowRow = Row[Any]
_SUMMARY = ("id", "name", "description", "profile_id", "default_parameters", "is_default", "created_at", "updated_at")


class WorkflowRepo:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, profile_id: str | None = None) -> Sequence[WorkflowRow]:
        """All workflows, newest first, without their graphs; with `profile_name` and `generation_count`."""
        query = _with_names(*(comfyui_workflows.c[name] for name in _SUMMARY))
        if profile_id is not None:
            query = query.where(comfyui_workflows.c.profile_id == canonical_id(profile_id))
        query = query.order_by(comfyui_workflows.c.created_at.desc(), comfyui_workflows.c.id.desc())
        return await self._database.read(lambda connection: connection.execute(query).all())

    async def get(self, workflow_id: str) -> WorkflowRow:
        """One workflow whole. Raises `NotFound`."""
        row_id = canonical_id(workflow_id)
        query = _with_names(comfyui_workflows).where(comfyui_workflows.c.id == row_id)
        row = await self._database.read(lambda c: c.execute(query).first()) if row_id else None
        if row is None:
            raise NotFound(f"Workflow {workflow_id} not found")
        return row

    async def bare(self, workflow_id: str) -> WorkflowRow:
        """One workflow without its profile's name and its count of generations. Raises `NotFound`."""
        row_id = canonical_id(workflow_id)
        row = await self._database.read(lambda c: c.execute(_bare(), {"its_id": row_id}).first()) if row_id else None
        if row is None:
            raise NotFound(f"Workflow {workflow_id} not found")
        return row

    async def default_of(self, profile_id: str) -> WorkflowRow | None:
        """The profile's default workflow, else its newest one; None when it has none."""
        query = (
            select(comfyui_workflows)
            .where(comfyui_workflows.c.profile_id == profile_id)
            .order_by(comfyui_workflows.c.is_default.desc(), comfyui_workflows.c.created_at.desc())
            .limit(1)
        )
        return await self._database.read(lambda connection: connection.execute(query).first())

    async def insert(self, values: Mapping[str, Any]) -> None:
        def write(tx: Transaction) -> None:
            if values.get("is_default"):
                _take_default(tx, values["profile_id"])
            tx.insert(comfyui_workflows, **values)

        await self._database.write(write)

    async def insert_missing(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert those whose id is neither there nor was ever deleted."""

        def write(tx: Transaction) -> None:
            ids = [row["id"] for row in rows]
            there = set(tx.connection.scalars(select(comfyui_workflows.c.id).where(comfyui_workflows.c.id.in_(ids))))
            gone = select(tombstones.c.row_id).where(
                tombstones.c.table_name == comfyui_workflows.name, tombstones.c.row_id.in_(ids)
            )
            there |= set(tx.connection.scalars(gone))
            if new := [row for row in rows if row["id"] not in there]:
                tx.insert_all(comfyui_workflows, new)

        await self._database.write(write)

    async def update(self, workflow_id: str, values: Mapping[str, Any]) -> None:
        def write(tx: Transaction) -> None:
            here = comfyui_workflows.c.id == canonical_id(workflow_id)
            if values.get("is_default"):
                owner = tx.connection.scalar(select(comfyui_workflows.c.profile_id).where(here))
                _take_default(tx, str(owner))
            tx.update(comfyui_workflows, here, **values)

        await self._database.write(write)

    async def delete(self, workflow_id: str) -> None:
        """Delete a workflow; sessions that had it as their current one have none then."""

        def write(tx: Transaction) -> None:
            row_id = canonical_id(workflow_id)
            tx.update(comfyui_sessions, comfyui_sessions.c.current_workflow_id == row_id, current_workflow_id=None)
            tx.delete(comfyui_workflows, comfyui_workflows.c.id == row_id)

        await self._database.write(write)


@lru_cache(maxsize=1)
def _bare() -> Select[Any]:
    return select(comfyui_workflows).where(comfyui_workflows.c.id == bindparam("its_id"))


def _take_default(tx: Transaction, profile_id: str) -> None:
    """There can only be one: whatever was the profile's default is it no longer."""
    was = (comfyui_workflows.c.profile_id == profile_id) & comfyui_workflows.c.is_default
    tx.update(comfyui_workflows, was, is_default=False)


def _with_names(*columns: Any) -> Select[Any]:
    count = (
        select(func.count())
        .where(comfyui_generations.c.workflow_id == comfyui_workflows.c.id)
        .scalar_subquery()
        .label("generation_count")
    )
    return (
        select(*columns, profiles.c.name.label("profile_name"), count)
        .select_from(comfyui_workflows)
        .join(profiles, profiles.c.id == comfyui_workflows.c.profile_id)
    )

"""What watchers do to generation rows. Every change is a compare-and-set inside one write transaction.

A process watches what it submitted. It keeps one row in `watchers` alive; once that lapses, whatever it watched is free
for another process. Two that watch the same generation for a moment do no harm: only one of them writes its end.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Update, and_, bindparam, exists, not_, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from spoonkernel.store.engine import Transaction
from spoonkernel.store.generations import OPEN, GenerationRow
from spoonkernel.store.tables import comfyui_files, comfyui_generations, watchers


def accepted(
    tx: Transaction, generation_id: str, prompt_id: str, now: datetime, more: Mapping[str, Any]
) -> GenerationRow | None:
    """ComfyUI has taken it; `more` is written with that. Returns its row without graphs, or None when the row has
    ended, or is gone, meanwhile."""
    values = {"rev": tx.rev, "status": "running", "prompt_id": prompt_id, "submitted_at": now, **more}
    return tx.connection.execute(_taken(), {"open_id": generation_id, **values}).first()


def progressed(tx: Transaction, values: Mapping[str, Mapping[str, Any]]) -> None:
    """Write `progress` and `started_at` of generations that have not ended."""
    for generation_id, fields in values.items():
        tx.run_update(_while_open(), open_id=generation_id, **fields)


def finish(
    tx: Transaction, generation_id: str, values: Mapping[str, Any], files: Sequence[Mapping[str, Any]] = ()
) -> bool:
    """Write the end of a generation and its files. False when it had ended, or is gone."""
    if not tx.run_update(_while_open(), open_id=generation_id, **values):
        return False
    if files:
        tx.insert_all(comfyui_files, [{"generation_id": generation_id, **row} for row in files])
    return True


def explain(tx: Transaction, generation_id: str, error: str) -> None:
    """Change the reason of one that has failed."""
    here = (comfyui_generations.c.id == generation_id) & (comfyui_generations.c.status == "failed")
    tx.update(comfyui_generations, here, error=error)


def keep(tx: Transaction, watcher_id: str, until: datetime) -> None:
    """Say that this process lives."""
    if not tx.update(watchers, watchers.c.id == watcher_id, lease_until=until):
        tx.insert(watchers, id=watcher_id, lease_until=until)


def leave(tx: Transaction, watcher_id: str) -> None:
    """Give everything that this process watched to whoever comes next."""
    tx.delete(watchers, watchers.c.id == watcher_id)


def has_orphans(connection: Connection, now: datetime) -> bool:
    """Whether there is an open generation that nobody watches."""
    return connection.scalar(select(comfyui_generations.c.id).where(_orphaned(now)).limit(1)) is not None


def watched_by(connection: Connection, watcher_id: str, before: datetime) -> Sequence[str]:
    """The open generations of a process that were stored before a moment."""
    mine = comfyui_generations.c.watcher_id == watcher_id
    query = select(comfyui_generations.c.id).where(
        mine, comfyui_generations.c.status.in_(OPEN), comfyui_generations.c.created_at < before
    )
    return connection.scalars(query).all()


def adopt(tx: Transaction, watcher_id: str, now: datetime, limit: int) -> Sequence[GenerationRow]:
    """Take the oldest open generations that nobody watches; returns their rows, graphs and all."""
    ids = list(
        tx.connection.scalars(
            select(comfyui_generations.c.id)
            .where(_orphaned(now))
            .order_by(comfyui_generations.c.created_at)
            .limit(limit)
        )
    )
    tx.update(comfyui_generations, comfyui_generations.c.id.in_(ids), watcher_id=watcher_id)
    tx.delete(watchers, watchers.c.lease_until < now)
    query = select(comfyui_generations).where(comfyui_generations.c.id.in_(ids))
    return tx.connection.execute(query.order_by(comfyui_generations.c.created_at, comfyui_generations.c.id)).all()


@lru_cache(maxsize=1)
def _while_open() -> Update:
    """Changes one generation that has not ended."""
    here = comfyui_generations.c.id == bindparam("open_id")
    return update(comfyui_generations).where(here, comfyui_generations.c.status.in_(OPEN))


@lru_cache(maxsize=1)
def _taken() -> ReturningUpdate[Any]:
    graphs = {"workflow_json", "ui_workflow"}
    return _while_open().returning(*(column for column in comfyui_generations.c if column.name not in graphs))


def _orphaned(now: datetime) -> ColumnElement[bool]:
    alive = exists().where(and_(watchers.c.id == comfyui_generations.c.watcher_id, watchers.c.lease_until >= now))
    return and_(comfyui_generations.c.status.in_(OPEN), not_(alive))

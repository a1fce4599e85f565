"""What workers do to task rows. Every change is a compare-and-set inside one write transaction.

Write transactions of all processes follow one another, so what is counted here (a profile's running tasks, its starts
in the last minute) is exact over all workers. `claimed_by` holds the id of the attempt rather than the worker's name:
a worker that lost a task and took it up again cannot mix up the two runs. The attempt's row names the worker.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from spoonkernel.store.engine import Transaction
from spoonkernel.store.tables import profiles, results, task_attempts, tasks
from spoonkernel.store.tasks import as_task
from spoonkernel.types.base import utc_now
from spoonkernel.types.tasks import Task

WINDOW = timedelta(minutes=1)  # what `rate_per_minute` counts in
MAX_LOST = 5  # a task whose worker died this often is taken for the cause
GIVEN_UP = f"The worker died {MAX_LOST} times while running this task: retry it once the cause is known"


Limits = tuple[int | None, int | None]
"""A profile's `concurrency` and `rate_per_minute`; None where there is no limit."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A task that is now this worker's. `tries` counts the attempts before it that failed and were retried.

    `limited` says that its profile has limits, so that others may have been refused and wait for its end.
    """

    task: Task
    profile_id: str | None
    attempt_id: str
    tries: int
    limited: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """The profile is at its limit; the row stays pending. `wake_at`: when its rate lets the next one start."""

    profile_id: str
    wake_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """Who claims: the ids to write and for how long the claim holds unless it is renewed."""

    id: str
    worker_id: str
    lease: timedelta


def claim(tx: Transaction, task_id: str, attempt: Attempt) -> Claimed | Refused | None:
    """Take a pending task whose time has come; None when there is nothing to take."""
    now = utc_now()  # read here, inside the transaction, so that starts are counted in the order they happen
    row = tx.connection.execute(select(tasks).where(tasks.c.id == task_id)).first()
    if row is None or row.status != "pending" or (row.not_before is not None and row.not_before > now):
        return None
    limits = (None, None) if row.profile_id is None else _limits(tx.connection, row.profile_id)
    if refusal := _refusal(tx.connection, row.profile_id, limits, now):
        return refusal
    tx.update(
        tasks,
        tasks.c.id == task_id,
        status="running",
        claimed_by=attempt.id,
        lease_until=now + attempt.lease,
        not_before=None,
        started_at=now,
        progress=0.0,
    )
    tries = _since_failure(tx.connection, task_id).count("retried") if row.retry_count else 0
    tx.insert(
        task_attempts,
        id=attempt.id,
        task_id=task_id,
        limit_key=row.profile_id or row.provider,
        worker_id=attempt.worker_id,
        started_at=now,
    )
    task = as_task(row).model_copy(update={"status": "running", "started_at": now, "progress": 0.0})
    return Claimed(task, row.profile_id, attempt.id, tries, limited=limits != (None, None))


def finish(tx: Transaction, task_id: str, attempt_id: str, made: Sequence[Mapping[str, Any]], now: datetime) -> bool:
    """Results and `complete` together; False when the task is no longer this attempt's, and nothing was written."""
    done = {"status": "complete", "progress": 1.0, "error": None, "completed_at": now}
    if not _release(tx, task_id, attempt_id, **done):
        return False
    for values in made:
        tx.insert(results, task_id=task_id, created_at=now, **values)
    _close(tx, attempt_id, now, "complete")
    return True


def fail(tx: Transaction, task_id: str, attempt_id: str, error: str, now: datetime) -> bool:
    """False when the task is no longer this attempt's."""
    if not _release(tx, task_id, attempt_id, status="failed", error=error, completed_at=now):
        return False
    _close(tx, attempt_id, now, "failed", error)
    return True


def retry_later(
    tx: Transaction, task_id: str, attempt_id: str, error: str, *, now: datetime, not_before: datetime
) -> bool:
    """Back to pending after a failure that may pass, counted as a retry. False when it is no longer this attempt's."""
    counted = tasks.c.retry_count + 1
    back = {"status": "pending", "error": error, "not_before": not_before, "retry_count": counted, "progress": 0.0}
    if not _release(tx, task_id, attempt_id, **back):
        return False
    _close(tx, attempt_id, now, "retried", error)
    return True


def give_back(tx: Transaction, task_id: str, attempt_id: str, now: datetime) -> bool:
    """Back to pending because the worker stops; no retry is counted."""
    if not _release(tx, task_id, attempt_id, status="pending", progress=0.0):
        return False
    _close(tx, attempt_id, now, "returned")
    return True


def renew(tx: Transaction, progress: Mapping[str, float | None], lease_until: datetime | None) -> set[str]:
    """Write the progress of running attempts and renew their leases; returns the attempts that still hold their task.

    Args:
        progress: attempt id -> progress to write, None where it has not changed.
        lease_until: None leaves the leases as they are.
    """
    if lease_until is not None:
        tx.update(tasks, tasks.c.claimed_by.in_(list(progress)), lease_until=lease_until)
    for attempt_id, value in progress.items():
        if value is not None:
            tx.update(tasks, tasks.c.claimed_by == attempt_id, progress=value)
    return held(tx.connection, progress)


def held(connection: Connection, attempt_ids: Iterable[str]) -> set[str]:
    """Which of these attempts still hold their task."""
    query = select(tasks.c.claimed_by).where(tasks.c.claimed_by.in_(list(attempt_ids)))
    return set(connection.scalars(query))


def any_lapsed(connection: Connection, before: datetime | None) -> bool:
    """Whether there is something to requeue; spares a write transaction where there is not."""
    return connection.scalar(select(tasks.c.id).where(_lapsed(before)).limit(1)) is not None


def requeue_lapsed(tx: Transaction, before: datetime | None, now: datetime) -> tuple[list[str], list[str]]:
    """Put the tasks of dead workers back to pending; returns those ids, and the ids of tasks given up.

    A task is given up once `MAX_LOST` workers have died with it.

    Args:
        before: tasks whose lease ran out before this are taken for lost; None takes every running one.
    """
    again: list[str] = []
    given_up: list[str] = []
    for row in tx.connection.execute(select(tasks.c.id, tasks.c.claimed_by).where(_lapsed(before))).all():
        _close(tx, row.claimed_by, now, "lost", "The worker died")
        hopeless = _since_failure(tx.connection, row.id).count("lost") >= MAX_LOST
        (given_up if hopeless else again).append(row.id)
    free = {"claimed_by": None, "lease_until": None}
    if again:
        tx.update(tasks, tasks.c.id.in_(again), status="pending", progress=0.0, **free)
    if given_up:
        tx.update(tasks, tasks.c.id.in_(given_up), status="failed", error=GIVEN_UP, completed_at=now, **free)
    return again, given_up


def runnable(
    connection: Connection, now: datetime, limit: int, profile_id: str | None = None
) -> list[tuple[str, datetime | None]]:
    """Pending tasks that may start, oldest first, with the time before which they may not.

    Of a profile with limits, only as many as it has room for; the others would be refused.
    """
    query = select(tasks.c.id, tasks.c.profile_id, tasks.c.not_before).where(tasks.c.status == "pending")
    if profile_id is not None:
        query = query.where(tasks.c.profile_id == profile_id)
    rows = connection.execute(query.order_by(tasks.c.created_at, tasks.c.id).limit(limit)).all()
    room = {key: _room(connection, key, now) for key in {row.profile_id for row in rows} - {None}}
    found: list[tuple[str, datetime | None]] = []
    for row in rows:
        free = room.get(row.profile_id)
        if free is not None and (row.not_before is None or row.not_before <= now):
            if free <= 0:
                continue
            room[row.profile_id] = free - 1
        found.append((row.id, row.not_before))
    return found


def _lapsed(before: datetime | None) -> ColumnElement[bool]:
    running = tasks.c.status == "running"
    if before is None:
        return running
    return and_(running, or_(tasks.c.lease_until.is_(None), tasks.c.lease_until < before))


def _release(tx: Transaction, task_id: str, attempt_id: str, **values: Any) -> int:
    mine = and_(tasks.c.id == task_id, tasks.c.status == "running", tasks.c.claimed_by == attempt_id)
    return tx.update(tasks, mine, claimed_by=None, lease_until=None, **values)


def _close(tx: Transaction, attempt_id: str | None, now: datetime, outcome: str, error: str | None = None) -> None:
    tx.update(task_attempts, task_attempts.c.id == attempt_id, finished_at=now, outcome=outcome, error=error)


def _since_failure(connection: Connection, task_id: str) -> list[str | None]:
    """Outcomes of a task's attempts since it last failed for good (after which somebody asked to retry it)."""
    query = select(task_attempts.c.outcome).where(task_attempts.c.task_id == task_id)
    newest_first = list(connection.scalars(query.order_by(task_attempts.c.id.desc())))
    return newest_first[: newest_first.index("failed")] if "failed" in newest_first else newest_first


def _limits(connection: Connection, profile_id: str) -> Limits:
    """A profile's `concurrency` and `rate_per_minute`; None where there is no limit (or no profile any more)."""
    options = connection.scalar(select(profiles.c.options).where(profiles.c.id == profile_id)) or {}
    return _whole(options.get("concurrency")), _whole(options.get("rate_per_minute"))


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _running(connection: Connection, profile_id: str) -> int:
    query = select(func.count()).select_from(tasks)
    return connection.scalar(query.where(tasks.c.status == "running", tasks.c.profile_id == profile_id)) or 0


def _starts(profile_id: str, now: datetime) -> ColumnElement[bool]:
    return and_(task_attempts.c.limit_key == profile_id, task_attempts.c.started_at > now - WINDOW)


def _refusal(connection: Connection, profile_id: str, limits: Limits, now: datetime) -> Refused | None:
    concurrency, rate = limits
    if rate is not None:
        recent = select(task_attempts.c.started_at).where(_starts(profile_id, now))
        nth = connection.scalar(recent.order_by(task_attempts.c.started_at.desc()).offset(rate - 1).limit(1))
        if nth is not None:
            return Refused(profile_id, nth + WINDOW)
    if concurrency is not None and _running(connection, profile_id) >= concurrency:
        return Refused(profile_id)
    return None


def _room(connection: Connection, profile_id: str, now: datetime) -> int | None:
    """How many more tasks a profile may start now; None when it has no limits."""
    concurrency, rate = _limits(connection, profile_id)
    free = []
    if concurrency is not None:
        free.append(concurrency - _running(connection, profile_id))
    if rate is not None:
        starts = select(func.count()).select_from(task_attempts).where(_starts(profile_id, now))
        free.append(rate - (connection.scalar(starts) or 0))
    return min(free) if free else None

"""Tasks: asynchronous requests. The row is written first; everything after it is a hint to the engine."""

import csv
import hashlib
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time
from typing import Any, Literal, Protocol, overload

from pydantic import JsonValue

from spoonkernel.bus import Bus
from spoonkernel.errors import BadRequest, Conflict, NotFound, ValidationFailed
from spoonkernel.media import MediaFolder
from spoonkernel.providers.registry import PROVIDERS
from spoonkernel.services.checks import checked
from spoonkernel.store.profiles import ProfileRepo
from spoonkernel.store.tasks import TaskRepo, as_task, new_id
from spoonkernel.types.base import Media, MediaType, Page, Pagination, ProviderName, Rows, format_time, utc_now
from spoonkernel.types.events import TaskCreated
from spoonkernel.types.tasks import Task, TaskCreate, TaskExport, TaskFilter, TaskRetry, TaskStatus

MAX_PAGE = 100
MAX_KEY = 255
CSV_COLUMNS = ("id", "name", "type", "provider", "prompt", "status", "error", "created_at", "completed_at")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets take for a formula (OWASP, "CSV Injection")


class Submits(Protocol):
    """The engine, as this room needs it."""

    def expect(self, task_id: str) -> None: ...

    async def submit(self, task_id: str, *, again: bool = False) -> None: ...

    async def cancel(self, task_id: str) -> None: ...


class TaskService:
    def __init__(self, rows: TaskRepo, profiles: ProfileRepo, media: MediaFolder, bus: Bus, engine: Submits) -> None:
        self._rows, self._profiles, self._media, self._bus, self._engine = rows, profiles, media, bus, engine

    async def list(
        self,
        *,
        status: TaskStatus | None = None,
        provider: ProviderName | None = None,
        type: MediaType | None = None,
        limit: int = 20,
        offset: int = 0,
    ) -> Rows[Task]:
        wanted = checked(TaskFilter, status=status, provider=provider, type=type)
        rows = await self._rows.page(wanted, limit=page_size(limit), offset=start_of(offset))
        return [as_task(row) for row in rows]

    async def create(
        self,
        *,
        name: str,
        type: MediaType,
        provider: ProviderName,
        prompt: str,
        options: dict[str, JsonValue] | None = None,
        idempotency_key: str | None = None,
    ) -> Task:
        body = checked(TaskCreate, name=name, type=type, provider=provider, prompt=prompt, options=options or {})
        _check_makes(body)
        if idempotency_key is not None and not 0 < len(idempotency_key) <= MAX_KEY:
            raise ValidationFailed(f"Idempotency-Key: takes 1 to {MAX_KEY} characters")
        task_id, request_hash = new_id(), _hash(body)
        values = body.model_dump() | {
            "id": task_id,
            "profile_id": await self._profile_of(body),
            "status": "pending",
            "progress": 0.0,
            "retry_count": 0,
            "idempotency_key": idempotency_key,
            "request_hash": request_hash,
            "created_at": utc_now(),
        }
        self._engine.expect(task_id)
        row, created = await self._rows.insert(values)
        task = as_task(row)
        if created:
            await self._bus.publish(TaskCreated(task=task))
            await self._engine.submit(task_id)
        elif row.request_hash != request_hash:
            raise Conflict(f"The Idempotency-Key was used for task {task.id} with another body: send a new key")
        return task

    async def history(
        self,
        *,
        date_from: date | str | None = None,
        date_to: date | str | None = None,
        provider: ProviderName | None = None,
        type: MediaType | None = None,
        status: TaskStatus | None = None,
        search: str | None = None,
        page: int = 1,
        limit: int = 20,
    ) -> Page[Task]:
        """As the room says. A date alone is a `date` or its text, `2024-12-14`."""
        wanted = _history_filter(date_from, date_to, provider=provider, type=type, status=status, search=search)
        size, number = page_size(limit), _at_least(page, 1, "page")
        total = await self._rows.count(wanted)
        rows = await self._rows.page(wanted, limit=size, offset=(number - 1) * size)
        pages = Pagination(page=number, limit=size, total=total, total_pages=-(-total // size))
        return Page[Task](items=[as_task(row) for row in rows], pagination=pages)

    @overload
    async def export(
        self,
        *,
        format: Literal["json"] = "json",
        date_from: date | str | None = None,
        date_to: date | str | None = None,
        provider: ProviderName | None = None,
        type: MediaType | None = None,
        status: TaskStatus | None = None,
        search: str | None = None,
    ) -> TaskExport: ...
    @overload
    async def export(
        self,
        *,
        format: Literal["csv"],
        date_from: date | str | None = None,
        date_to: date | str | None = None,
        provider: ProviderName | None = None,
        type: MediaType | None = None,
        status: TaskStatus | None = None,
        search: str | None = None,
    ) -> Media: ...
    async def export(
        self,
        *,
        format: Literal["json", "csv"] = "json",
        **filters: Any,
    ) -> TaskExport | Media:
        if format not in {"json", "csv"}:
            raise ValidationFailed(f"format: {format!r} is neither json nor csv")
        filename = f"tasks_export_{utc_now().date().isoformat()}.{format}"
        if format == "csv":
            content = b"".join([piece async for piece in self.csv(**filters)])
            return Media(content=content, content_type="text/csv", filename=filename)
        wanted = _history_filter(**filters)
        return TaskExport(
            filename=filename, content=[task async for chunk in self._rows.chunks(wanted) for task in chunk]
        )

    async def csv(self, **filters: Any) -> AsyncIterator[bytes]:
        """The CSV export piece by piece, UTF-8; takes the filters of `history`."""
        wanted = _history_filter(**filters)
        yield _csv_lines([CSV_COLUMNS])
        async for chunk in self._rows.chunks(wanted):
            yield _csv_lines([_csv_row(task) for task in chunk])

    async def get(self, task_id: str) -> Task:
        row = await self._rows.find(task_id)
        if row is None:
            raise _missing(task_id)
        return as_task(row)

    async def delete(self, task_id: str) -> None:
        deleted = await self._rows.delete(task_id, utc_now())
        if deleted is None:
            raise _missing(task_id)
        row_id, media = deleted
        await self._engine.cancel(row_id)
        for content in media:
            await self._media.delete(content)

    async def retry(self, task_id: str) -> TaskRetry:
        row = await self._rows.retry(task_id)
        if row is None:
            task = await self.get(task_id)
            raise Conflict(f"Task {task_id} is {task.status}: only a failed task can be retried")
        await self._engine.submit(row.id, again=True)
        return TaskRetry(id=row.id, status="pending", retry_count=row.retry_count)

    async def _profile_of(self, body: TaskCreate) -> str | None:
        """The id of the profile that the options name. Raises when there is none, or it is another provider's."""
        named = body.options.get("profileId", body.options.get("profile_id"))
        if named is None:
            return None
        row = await self._profiles.get(str(named))
        if row.provider != body.provider:
            raise BadRequest(f"Profile {named} ({row.name}) is for {row.provider}, the task for {body.provider}")
        return str(row.id)


def page_size(limit: int, most: int = MAX_PAGE) -> int:
    return min(_at_least(limit, 1, "limit"), most)


def start_of(offset: int) -> int:
    return _at_least(offset, 0, "offset")


def _at_least(value: int, least: int, name: str) -> int:
    if value < least:
        raise ValidationFailed(f"{name}: takes a whole number of at least {least}, not {value}")
    return value


def _missing(task_id: str) -> NotFound:
    return NotFound(f"Task {task_id} not found")


def _check_makes(body: TaskCreate) -> None:
    entry = PROVIDERS[body.provider]
    if body.type not in entry.makes:
        makes = ", ".join(sorted(entry.makes))
        raise BadRequest(f"{body.provider} cannot make {body.type}, only {makes}: name another provider")


def _hash(body: TaskCreate) -> str:
    return hashlib.sha256(json.dumps(body.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


def _history_filter(date_from: date | str | None = None, date_to: date | str | None = None, **rest: Any) -> TaskFilter:
    return checked(
        TaskFilter,
        date_from=_moment(date_from, "dateFrom", time.min),
        date_to=_moment(date_to, "dateTo", time.max),
        **rest,
    )


def _moment(value: date | str | None, name: str, of_day: time) -> datetime | None:
    """A date alone means its first or its last moment, in UTC; a time without a zone is UTC."""
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value) if len(value) == len("2024-12-14") else datetime.fromisoformat(value)
        except ValueError:
            raise ValidationFailed(
                f"{name}: {value!r} is no ISO date; write 2024-12-14 or 2024-12-14T10:30:00Z"
            ) from None
    if value is None:
        return None
    if not isinstance(value, datetime):
        return datetime.combine(value, of_day, UTC)
    try:
        return value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)
    except OverflowError:  # the year 1 or 9999, in a zone that leads out of it
        raise ValidationFailed(f"{name}: {value.isoformat()} lies outside the calendar in UTC") from None


def _csv_row(task: Task) -> Rows[str]:
    done = format_time(task.completed_at) if task.completed_at else ""
    cells = (task.id, task.name, task.type, task.provider, task.prompt, task.status, task.error or "")
    return [*cells, format_time(task.created_at), done]


def _csv_lines(rows: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in row] for row in rows)
    return text.getvalue().encode()

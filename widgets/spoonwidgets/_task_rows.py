"""Rows of the tasks pane: a task, or a generation that runs, as the page shows it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from spoonkernel.providers.registry import PROVIDERS
from spoonkernel.types.base import utc_now
from spoonkernel.types.generations import Generation
from spoonkernel.types.results import Result
from spoonkernel.types.tasks import Task

SHOWN_TEXT = 2_000
"""Characters of a text result that the list shows; the whole is in `workbench.results`."""
SURE = 0.05
"""Below this share of the work an estimate of the time that is left says nothing."""


class Row(Protocol):
    """What the list needs of either kind."""

    progress: float
    gone: bool

    @property
    def id(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def ended(self) -> bool: ...
    @property
    def passing(self) -> bool:
        """Whether a live list lets go of it once it has ended."""
        ...

    def row(self) -> dict[str, Any]: ...


@dataclass(slots=True)
class TaskRow:
    task: Task
    progress: float = 0.0
    results: list[Result] = field(default_factory=list)
    gone: bool = False
    where: str = ""
    """Who does it, for people."""

    @property
    def id(self) -> str:
        return self.task.id

    @property
    def created_at(self) -> datetime:
        return self.task.created_at

    @property
    def passing(self) -> bool:
        return self.gone

    @property
    def ended(self) -> bool:
        return self.gone or self.task.status in ("complete", "failed")

    def row(self) -> dict[str, Any]:
        progress = max(self.progress, self.task.progress)
        return {
            "id": self.task.id,
            "kind": "task",
            "name": self.task.name,
            "where": self.where or str(self.task.options.get("model") or PROVIDERS[self.task.provider].label),
            "status": "gone" if self.gone else self.task.status,
            "progress": progress,
            "left_s": None if self.ended else time_left(progress, self.task.started_at),
            "error": self.task.error,
            "results": [_result_row(result) for result in self.results],
        }


@dataclass(slots=True)
class GenerationRow:
    generation: Generation
    progress: float = 0.0
    gone: bool = False
    where: str = ""

    @property
    def id(self) -> str:
        return self.generation.id

    @property
    def created_at(self) -> datetime:
        return self.generation.created_at

    @property
    def passing(self) -> bool:
        """A picture that is there, or that nobody wants any more; a failure stays to be read."""
        return self.gone or self.generation.status == "complete" or self.generation.error == "Cancelled"

    @property
    def ended(self) -> bool:
        return self.gone or self.generation.status in ("complete", "failed")

    def row(self) -> dict[str, Any]:
        generation = self.generation
        progress = max(self.progress, generation.progress)
        waits = generation.status == "pending" or (generation.status == "running" and generation.started_at is None)
        status = generation.status if self.ended else "pending" if waits and progress == 0 else "running"
        return {
            "id": generation.id,
            "kind": "generation",
            "name": _images(generation),
            "where": self.where,
            "status": "gone" if self.gone or generation.error == "Cancelled" else status,
            "progress": progress,
            "left_s": None if self.ended else time_left(progress, generation.started_at),
            "error": generation.error,
            "results": [],
        }


def time_left(progress: float, started_at: datetime | None) -> int | None:
    """Seconds, from how long the work so far took; None while that says nothing."""
    if started_at is None or not SURE <= progress < 1:
        return None
    return round((utc_now() - started_at).total_seconds() * (1 - progress) / progress)


def _images(generation: Generation) -> str:
    count = generation.batch_size or 1
    name = "1 image" if count == 1 else f"{count} images"
    return name if generation.seed is None else f"{name}, seed {generation.seed}"


def _result_row(result: Result) -> dict[str, Any]:
    is_text = result.type == "text"
    return {
        "id": result.id,
        "type": result.type,
        "text": result.content[:SHOWN_TEXT] if is_text else "",
        "cut": is_text and len(result.content) > SHOWN_TEXT,
        "seed": None
        if (seed := result.metadata.get("seed")) is None
        else str(seed),  # above 2^53 in JSON it would bend
    }

"""What a gallery knows of its generations: one entry each, and how a page is told of it."""

import bisect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from spoonkernel.types.generations import Generation, GenerationTile, Output, TileOutput

About = Generation | GenerationTile
ENDED = ("complete", "failed")
SHOWN_KINDS = ("image", "video", "audio")
PROMPT_CHARS = 1_000
_PLAIN = (
    "status",
    "width",
    "height",
    "steps",
    "cfg_scale",
    "sampler_name",
    "scheduler",
    "checkpoint_name",
    "rating",
)


@dataclass(slots=True)
class Entry:
    """A generation as last read, with what events said of it since."""

    about: About
    progress: float = 0.0
    node: str = ""
    has_started: bool = False

    @property
    def ended(self) -> bool:
        return self.about.status in ENDED

    @property
    def shown(self) -> list[int]:
        """The places of the outputs that have a tile."""
        outputs: Sequence[Output | TileOutput] = self.about.outputs
        return [index for index, output in enumerate(outputs) if output.kind in SHOWN_KINDS]

    def row(self) -> dict[str, Any]:
        """For the page: what is None is left out. The seed is text, `created` milliseconds since 1970 (UTC)."""
        about = self.about
        row = {name: value for name in _PLAIN if (value := getattr(about, name)) is not None}
        row |= {"id": about.id, "created": created_ms(about), "prompt": about.prompt_text[:PROMPT_CHARS]}
        if about.seed is not None:
            row["seed"] = str(about.seed)
        if about.generation_time_seconds is not None:
            row["time"] = about.generation_time_seconds
        if isinstance(about, Generation) and about.error:
            row["error"] = about.error
        if not self.ended:
            row |= {"progress": self.progress, "node": self.node, "started": self.has_started}
        row["outputs"] = [_output_row(output) for output in about.outputs]
        return row


def _output_row(output: Output | TileOutput) -> dict[str, Any]:
    facts = {"kind": output.kind, "width": output.width, "height": output.height, "rating": output.rating}
    facts |= {"size": output.size_bytes, "thumb": bool(output.thumbnail), "file": bool(output.content)}
    return {name: value for name, value in facts.items() if value is not None}


def created_ms(about: About) -> int:
    return int(about.created_at.timestamp() * 1000)


@dataclass(slots=True)
class Catalogue:
    """Every entry, in the order of their making."""

    _entries: dict[str, Entry] = field(default_factory=dict)
    _order: list[tuple[int, str]] = field(default_factory=list)
    only: frozenset[str] | None = None
    """The generations that are shown, where not all are."""

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, id_: str) -> bool:
        return id_ in self._entries

    def find(self, id_: str) -> Entry | None:
        return self._entries.get(id_)

    def put(self, about: About) -> bool:
        """Take a generation over as it was just read. Says whether anything is different now.

        What is known to have ended stays so: a list may have been read a moment before its end.
        """
        entry = self._entries.get(about.id)
        if entry is None:
            entry = self._entries[about.id] = Entry(about)
            bisect.insort(self._order, (created_ms(about), about.id))
            _take_progress(entry)
            return True
        if entry.ended and about.status not in ENDED:
            return False
        before = entry.row()
        if (
            isinstance(about, Generation)
            or not isinstance(entry.about, Generation)
            or entry.about.status != about.status
        ):
            entry.about = about
        else:  # a list tells less than the row that was read before: only what can change in it
            ratings = [{"rating": output.rating} for output in about.outputs]
            outputs = [old.model_copy(update=new) for old, new in zip(entry.about.outputs, ratings, strict=False)]
            entry.about = entry.about.model_copy(update={"rating": about.rating, "outputs": outputs})
        _take_progress(entry)
        return entry.row() != before

    def drop(self, id_: str) -> bool:
        entry = self._entries.pop(id_, None)
        if entry is None:
            return False
        self._order.remove((created_ms(entry.about), id_))
        return True

    def every(self) -> list[Entry]:
        """All of them, shown or not, in no order."""
        return list(self._entries.values())

    def shows(self, id_: str) -> bool:
        return self.only is None or id_ in self.only

    def newest_first(self) -> Iterator[Entry]:
        """Those that are shown."""
        return (self._entries[id_] for _, id_ in reversed(self._order) if self.shows(id_))

    def older_than(self, created: int, id_: str, limit: int) -> list[Entry]:
        """Those shown that were made before that moment, the newest first. Nothing has to be there under `id_`."""
        end = bisect.bisect_left(self._order, (created, id_))
        before = (self._order[place][1] for place in range(end - 1, -1, -1))
        return [self._entries[one] for one in islice((one for one in before if self.shows(one)), limit)]

    def open_ids(self) -> list[str]:
        return [id_ for id_, entry in self._entries.items() if not entry.ended]

    def pictures(self) -> int:
        """How many outputs have a tile."""
        return sum(len(entry.shown) for entry in self._entries.values() if self.shows(entry.about.id))


def _take_progress(entry: Entry) -> None:
    if isinstance(entry.about, Generation):
        entry.progress = max(entry.progress, entry.about.progress)
        entry.has_started = entry.has_started or entry.about.started_at is not None


def records(picked: Iterable[tuple[Entry, int]]) -> list[dict[str, Any]]:
    """One flat dict for each (generation, place of an output), for a data frame."""
    return [_record(entry.about, index) for entry, index in picked]


def _record(about: About, index: int) -> dict[str, Any]:
    output = about.outputs[index] if 0 <= index < len(about.outputs) else None
    named = {name: getattr(about, name) for name in _PLAIN if name not in ("rating", "width", "height")}
    return {
        "generation_id": about.id,
        "index": index,
        "rating": about.rating if output is None else output.rating,
        "prompt_text": about.prompt_text,
        "seed": about.seed,
        **named,
        "width": about.width if output is None or output.width is None else output.width,
        "height": about.height if output is None or output.height is None else output.height,
        "generation_time_seconds": about.generation_time_seconds,
        "created_at": datetime.fromtimestamp(about.created_at.timestamp(), UTC),
        "content": output.content if output else None,
        "thumbnail": output.thumbnail if output else None,
    }

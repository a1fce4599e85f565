"""Where a gallery's generations come from: the newest at once, all of them when asked, new ones as they are made."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from spoonkernel.errors import NotFound, SpoonError
from spoonkernel.portal import OpenWorkbench
from spoonkernel.types.events import (
    AnyEvent,
    GenerationCompleted,
    GenerationCreated,
    GenerationFailed,
    GenerationPreview,
    GenerationProgress,
    GenerationStarted,
)
from spoonkernel.types.generations import GenerationStatus
from spoonwidgets._base import log
from spoonwidgets._gallery_rows import About, Catalogue

FIRST = 120
"""Generations that are read at once: more than any screen shows."""
PAGE = 5_000
LOOK_S, IDLE_LOOK_S = 2.0, 10.0
"""Events are hints and can be missed: this often the newest rows are read again, while something runs and else."""
AGAIN_S = 5.0
"""After trouble with the workbench; also how long a closed event stream is left alone."""
MOST_DOUBTFUL = 20
"""Open generations that are read one by one at each look, where no list tells of them."""
OPEN: tuple[GenerationStatus, ...] = ("running", "pending")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which generations belong to a gallery: of a session, of a workflow, these ones, or all."""

    session_id: str | None = None
    workflow_id: str | None = None
    ids: tuple[str, ...] | None = None

    def holds(self, about: About) -> bool:
        if self.ids is not None:
            return about.id in self.ids
        return self.session_id in (None, about.session_id) and self.workflow_id in (None, about.workflow_id)


class Feed:
    """Fills the catalogue. `changed` is told the id of what is different; `preview` how a picture looks so far."""

    def __init__(
        self,
        inner: OpenWorkbench,
        wanted: Wanted,
        *,
        changed: Callable[[str], None],
        preview: Callable[[str, str, bytes], None],
    ) -> None:
        self._inner, self._wanted, self._changed, self._preview = inner, wanted, changed, preview
        self.catalogue = Catalogue()
        self.complete = False
        """Whether everything has been read once."""
        self.trouble: SpoonError | None = None
        """What the workbench said when it was last asked in vain."""
        self._ready = asyncio.Event()
        self._reading = asyncio.Lock()

    async def ready(self) -> None:
        """Until the newest ones were read, or could not be."""
        await self._ready.wait()

    @property
    def is_ready(self) -> bool:
        """Whether somebody may have been told of what is here."""
        return self._ready.is_set()

    async def read_all(self) -> None:
        """Read everything, unless that was done."""
        async with self._reading:
            if self.complete:
                return
            if self._wanted.ids is not None:
                await self._read_each(self._wanted.ids)
            else:
                await self._read_pages()
            self.complete = True
        await self._read_open()

    def read_again(self) -> None:
        """Have everything read once more when it is next asked for: others may have rated or deleted."""
        self.complete = False

    async def follow(self) -> None:
        """Keep the catalogue up to date, without end."""
        while True:
            try:
                async with self._inner.events() as events:
                    await self._read_newest()
                    self.trouble = None
                    self._ready.set()
                    looking = asyncio.ensure_future(self._look())
                    try:
                        await self._listen(events)
                    finally:
                        looking.cancel()
                        await asyncio.gather(looking, return_exceptions=True)
            except SpoonError as error:
                log.warning("The gallery cannot follow its generations: %s", error)
                self.trouble = error
            self._ready.set()
            self._changed("")
            await asyncio.sleep(AGAIN_S)

    async def read(self, id_: str) -> None:
        """Read one generation again."""
        try:
            about = await self._inner.generations.get(id_)
        except NotFound:
            if self.catalogue.drop(id_):
                self._changed(id_)
            return
        self.put(about)

    def put(self, about: About) -> None:
        """Take one over that was just read; one that belongs elsewhere is left alone."""
        if self._wanted.holds(about) and self.catalogue.put(about):
            self._changed(about.id)

    async def _read_pages(self) -> None:
        wanted, seen = self._wanted, set[str]()
        while True:
            page = await self._inner.generations.index(
                session_id=wanted.session_id, workflow_id=wanted.workflow_id, limit=PAGE, offset=len(seen)
            )
            fresh = [tile for tile in page if tile.id not in seen]
            for tile in fresh:
                was_known = tile.id in self.catalogue
                if self.catalogue.put(tile) and was_known:
                    self._changed(tile.id)  # the page asks for those that it does not know
            seen.update(tile.id for tile in fresh)
            await asyncio.sleep(0)
            if len(page) < PAGE or not fresh:
                break
        for id_ in [entry.about.id for entry in self.catalogue.every() if entry.about.id not in seen]:
            await self.read(id_)  # deleted, or made while we read

    async def _read_newest(self) -> None:
        wanted = self._wanted
        if wanted.ids is not None:
            await self.read_all()
            return
        for tile in await self._inner.generations.index(
            session_id=wanted.session_id, workflow_id=wanted.workflow_id, limit=FIRST
        ):
            self.put(tile)
        await self._read_open()

    async def _read_open(self) -> None:
        """How far the open ones are, and how those ended of which nobody said so."""
        open_now = set[str]()
        for status in OPEN if self.catalogue.open_ids() and self._wanted.ids is None else ():
            for generation in await self._inner.generations.list(
                session_id=self._wanted.session_id, workflow_id=self._wanted.workflow_id, status=status, limit=100
            ):
                open_now.add(generation.id)
                self.put(generation)
        doubtful = [id_ for id_ in self.catalogue.open_ids() if id_ not in open_now]
        await self._read_each(doubtful[:MOST_DOUBTFUL])

    async def _read_each(self, ids: tuple[str, ...] | list[str]) -> None:
        for id_ in ids:
            await self.read(id_)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S if self.catalogue.open_ids() else IDLE_LOOK_S)
            try:
                await (self._read_open() if self._wanted.ids is not None else self._read_newest())
            except SpoonError as error:  # a store that is away comes back; the next look will do
                log.warning("The gallery could not look for new generations: %s", error)

    async def _listen(self, events: AsyncIterator[AnyEvent]) -> None:
        async for event in events:
            with contextlib.suppress(SpoonError):  # of a row that could not be read: the next look reads it
                await self._hear(event)

    async def _hear(self, event: AnyEvent) -> None:
        match event:
            case GenerationCreated():
                self.put(event.generation)
            case GenerationPreview():
                if event.generation_id in self.catalogue:
                    self._preview(event.generation_id, event.content_type, base64.b64decode(event.image))
            case GenerationStarted() | GenerationProgress():
                await self._moved(event)
            case GenerationCompleted() | GenerationFailed():
                if event.generation_id in self.catalogue or self._is_mine(event.session_id):
                    await self.read(event.generation_id)

    async def _moved(self, event: GenerationStarted | GenerationProgress) -> None:
        entry = self.catalogue.find(event.generation_id)
        if entry is None:
            if self._is_mine(event.session_id):
                await self.read(event.generation_id)  # its creation was missed
            return
        entry.has_started = True
        if isinstance(event, GenerationProgress):
            entry.progress, entry.node = event.progress, event.node
        self._changed(event.generation_id)

    def _is_mine(self, session_id: str) -> bool:
        return self._wanted.ids is None and self._wanted.session_id in (None, session_id)

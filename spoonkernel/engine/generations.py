"""Follows the generations of this process to their ends, and takes over those of processes that died.

Nothing here is needed to know how a generation ended: ComfyUI's history says it, and any process may read that. What a
process adds is that somebody reads it.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Self

from sqlalchemy import Connection

from spoonkernel.bus import Bus
from spoonkernel.comfy.client import ComfyClient
from spoonkernel.comfy.graph import reachable, title
from spoonkernel.comfy.object_info import ObjectInfo
from spoonkernel.comfy.progress import RunProgress
from spoonkernel.connections import Connections
from spoonkernel.engine.background import keep_going
from spoonkernel.engine.overheard import Overheard
from spoonkernel.engine.reports import GenerationReports
from spoonkernel.engine.station import Station
from spoonkernel.engine.watched import Unsent, Watched, socket_nodes
from spoonkernel.errors import SpoonError
from spoonkernel.media import MediaFolder
from spoonkernel.services.submissions import Submission, png_info
from spoonkernel.store import watching
from spoonkernel.store.engine import Database
from spoonkernel.store.generations import OPEN, GenerationRepo, GenerationRow
from spoonkernel.store.profiles import ProfileRepo, ProfileRow
from spoonkernel.types.base import utc_now

LEASE = timedelta(seconds=10)
TEND_S = 3.0  # lease and orphans: a process that died is noticed after 10 to 13 s
FLUSH_S = 0.5  # how often progress is written
IDLE_S = 60.0  # a server that nothing runs on for so long is let go
ADOPTED = 500  # taken over in one go
CANCELLED = "Cancelled"
FOREIGN_LOOK_S = 0.5  # how often the row of a generation is read that another process follows
NOT_ASKED = ObjectInfo(None)  # of a server that may not answer: what the graph itself tells has to do

log = logging.getLogger(__name__)


class GenerationWatch:
    """Opens after the store and the bus, closes before them. ComfyUI's runs go on while nobody watches."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        media: MediaFolder,
        *,
        connections: Connections,
        profiles: ProfileRepo,
    ) -> None:
        self._database, self._bus, self._connections, self._media = database, bus, connections, media
        self._profiles = profiles
        self._rows = GenerationRepo(database)
        self._id = str(uuid.uuid4())
        self.overheard = Overheard(database, bus, self._id)
        self._reports = GenerationReports(database, bus, media, connections, self.overheard)
        self._stations: dict[ComfyClient, Station] = {}
        self._opening = asyncio.Lock()
        self._lease_until = utc_now()
        self._loops: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        loops = (self._stay, self._tend, self._flush, self._shrink)
        self._loops = [
            asyncio.create_task(keep_going(loop), name=f"spoon generations {loop.__name__}") for loop in loops
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._loops:
            task.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        followed = self._followed()
        for station in self._stations.values():
            await station.stop()
        await self._reports.write_progress(followed)
        await self._database.write(lambda tx: watching.leave(tx, self._id))

    @property
    def watching(self) -> int:
        """How many generations this process follows."""
        return len(self._followed())

    async def begin(self) -> str:
        """Under which name to store a row that is about to be submitted: from then on it is this process's."""
        if self._lease_until - utc_now() < LEASE / 2:
            await self._keep()
        return self._id

    async def submit(self, submission: Submission) -> GenerationRow | None:
        """As the rooms need it; see `services.submissions.Watches`."""
        prepared = submission.prepared
        watched = Watched(
            generation_id=submission.generation_id,
            session_id=submission.session_id,
            prompt_id=submission.prompt_id,
            profile=submission.profile,
            progress=RunProgress(prepared.running),
            titles=prepared.titles,
            socket_nodes=socket_nodes(prepared.graph),
            unsent=Unsent(prepared.graph, submission.extra_pnginfo),
        )
        try:
            station = await self._station(submission.profile)
        except SpoonError as error:
            await self._reports.failed(watched, error.message)
            raise
        await station.submit(watched)
        return watched.row

    async def cancel(self, row: GenerationRow) -> bool:
        """Stop it wherever it is and end its row. False when it had ended."""
        # The row first: another process may follow it, and would take the end for an interruption by somebody else
        if not await self._reports.end(row.id, row.session_id, CANCELLED):
            return False
        try:
            station = self._following(row.id) or await self._station(await self._profiles.get(row.profile_id))
            await station.cancel(row.prompt_id)
        except SpoonError:
            await self._reports.explain(row.id, f"{CANCELLED}; ComfyUI could not be reached to say so")
        return True

    async def ended(self, generation_id: str, timeout_s: float, moved: Callable[[float], None] | None = None) -> None:
        """Wait until it has ended, or for `timeout_s`; `moved` is told how far it is."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        while (left := until - loop.time()) > 0:
            row = await self._rows.find(generation_id)
            if row is None or row.status not in OPEN:
                return
            watched = self._find(generation_id)
            if moved is not None:
                moved(watched.progress.fraction if watched else row.progress or 0.0)
            if watched is None:
                await asyncio.sleep(min(left, FOREIGN_LOOK_S))
                continue
            try:
                async with asyncio.timeout(min(left, FOREIGN_LOOK_S)):
                    await watched.done.wait()
            except TimeoutError:
                continue

    def _find(self, generation_id: str) -> Watched | None:
        return next((one for one in self._followed() if one.generation_id == generation_id), None)

    def _followed(self) -> list[Watched]:
        return [one for station in self._stations.values() for one in station.watched.values()]

    def _following(self, generation_id: str) -> Station | None:
        """The station that follows it, also where its profile has another address by now."""
        stations = self._stations.values()
        return next((s for s in stations for one in s.watched.values() if one.generation_id == generation_id), None)

    async def _station(self, profile: ProfileRow) -> Station:
        """The one of a profile's server: profiles with the same address and key share it, and its socket."""
        client = self._connections.comfy(profile)
        async with self._opening:
            station = self._stations.get(client)
            if station is None:
                station = Station(client, self._connections.comfy_socket(profile), self._reports)
                await station.start()
                self._stations[client] = station
        station.idle_since = asyncio.get_running_loop().time()
        return station

    async def _stay(self) -> None:
        """Keep the lease while there is something to watch."""
        while True:
            if self.watching:
                await self._keep()
            await asyncio.sleep(TEND_S)

    async def _tend(self) -> None:
        """Take over what nobody watches, let idle servers go."""
        while True:
            orphans, mine = await self._database.read(self._left_alone)
            if orphans:
                await self._adopt()
            for generation_id in set(mine) - {one.generation_id for one in self._followed()}:
                if (row := await self._rows.find(generation_id, whole=True)) is not None and row.status in OPEN:
                    await self._take_over(row)  # whoever stored it was stopped before it was submitted
            await self._close_idle()
            await asyncio.sleep(TEND_S)

    def _left_alone(self, connection: Connection) -> tuple[bool, Sequence[str]]:
        now = utc_now()
        return watching.has_orphans(connection, now), watching.watched_by(connection, self._id, now - LEASE)

    async def _keep(self) -> None:
        until = utc_now() + LEASE
        await self._database.write(lambda tx: watching.keep(tx, self._id, until))
        self._lease_until = until

    async def _adopt(self) -> None:
        await self._keep()
        now = utc_now()
        for row in await self._database.write(lambda tx: watching.adopt(tx, self._id, now, ADOPTED)):
            await self._take_over(row)

    async def _take_over(self, row: GenerationRow) -> None:
        if self._find(row.id) is not None:
            return
        try:
            profile = await self._profiles.get(row.profile_id)
            station = await self._station(profile)
        except SpoonError as error:  # its profile is gone, or has an address that may not be called
            await self._reports.end(row.id, row.session_id, error.message)
            return
        graph = row.workflow_json
        log.info("Generation %s is followed here from now on", row.id)
        watched = Watched(
            generation_id=row.id,
            session_id=row.session_id,
            prompt_id=row.prompt_id,
            profile=profile,
            progress=RunProgress(reachable(graph, NOT_ASKED)),
            titles={node_id: title(node) for node_id, node in graph.items()},
            socket_nodes=socket_nodes(graph),
            phase="unsent" if row.submitted_at is None else "taken",
            unsent=Unsent(graph, png_info(row, row.ui_workflow)) if row.submitted_at is None else None,
            started_at=row.started_at,
        )
        watched.progress.started = row.started_at is not None
        station.follow(watched)

    async def _close_idle(self) -> None:
        now = asyncio.get_running_loop().time()
        for client, station in list(self._stations.items()):
            if station.is_idle and now - station.idle_since > IDLE_S:
                del self._stations[client]
                await station.stop()

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            await self._reports.write_progress(self._followed())

    async def _shrink(self) -> None:
        """Make thumbnails when no files arrive."""
        while True:
            await asyncio.sleep(FLUSH_S)
            await self._media.make_thumbnails()

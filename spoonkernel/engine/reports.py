"""Writes what becomes of generations into the store, and tells the bus."""

import asyncio
import base64
from collections.abc import Iterable
from typing import Any

from spoonkernel.bus import Bus
from spoonkernel.comfy.jobs import Ran
from spoonkernel.comfy.messages import Preview
from spoonkernel.connections import Connections
from spoonkernel.engine.outputs import Copied, OutputCopier
from spoonkernel.engine.overheard import Overheard
from spoonkernel.engine.watched import Watched
from spoonkernel.media import MediaFolder
from spoonkernel.store import watching
from spoonkernel.store.engine import Database
from spoonkernel.store.generations import GenerationRepo
from spoonkernel.types.base import utc_now
from spoonkernel.types.events import (
    GenerationCompleted,
    GenerationFailed,
    GenerationPreview,
    GenerationProgress,
    GenerationStarted,
)

SHOW_S = 0.1  # between two progress events of one generation, unless another node begins
INTERRUPTED = "Interrupted in ComfyUI"
LOST = (
    "ComfyUI no longer has this prompt: it was restarted, or the entry was deleted from its queue or history. "
    "Submit it once more"
)
NOTHING = "The run made no output: its workflow saves or previews nothing"
ONLY_SOCKET = "The pictures of this workflow travel over the socket only, and it was away: save them with SaveImage"


class GenerationReports:
    """What stations report to (`station.Reports`)."""

    def __init__(
        self, database: Database, bus: Bus, media: MediaFolder, connections: Connections, overheard: Overheard
    ) -> None:
        self._database, self._bus, self._connections = database, bus, connections
        self._overheard = overheard
        self._rows, self._outputs = GenerationRepo(database), OutputCopier(media)

    async def taken(self, watched: Watched, prompt_id: str, warnings: tuple[str, ...]) -> None:
        """ComfyUI has it; `warnings` are outputs that it left out."""
        now = utc_now()
        more: dict[str, Any] = {}
        if warnings and (row := await self._rows.find(watched.generation_id)) is not None:
            more["warnings"] = [*(row.warnings or []), *warnings]
        watched.row = await self._database.write(
            lambda tx: watching.accepted(tx, watched.generation_id, prompt_id, now, more)
        )

    async def moved(self, watched: Watched) -> None:
        """It began, or is further."""
        progress = watched.progress
        if progress.started and watched.started_at is None:
            watched.started_at = utc_now()
            await self._bus.publish(
                GenerationStarted(
                    generation_id=watched.generation_id, session_id=watched.session_id, prompt_id=watched.prompt_id
                )
            )
        now = asyncio.get_running_loop().time()
        is_due = now - watched.published_s >= SHOW_S or watched.published_node != progress.node
        if progress.ended is None and progress.node is not None and is_due:
            watched.published_s, watched.published_node = now, progress.node
            await self._bus.publish(
                GenerationProgress(
                    generation_id=watched.generation_id,
                    session_id=watched.session_id,
                    node=watched.title,
                    progress=round(progress.fraction, 4),
                )
            )

    async def preview(self, watched: Watched, preview: Preview) -> None:
        await self._bus.publish(
            GenerationPreview(
                generation_id=watched.generation_id,
                session_id=watched.session_id,
                content_type=f"image/{preview.format}",
                image=base64.b64encode(preview.image).decode(),
            )
        )

    async def ended(self, watched: Watched, ran: Ran | None, *, last_try: bool) -> None:
        """It ended as the history says. None: the history has nothing of it."""
        if ran is None:
            await self.failed(watched, LOST)
        elif ran.status == "success":
            await self._succeeded(watched, ran, last_try=last_try)
        else:
            reason = INTERRUPTED if ran.status == "interrupted" else ran.error
            await self.failed(watched, reason or "ComfyUI failed and gave no reason")

    async def failed(self, watched: Watched, error: str) -> None:
        await self.end(watched.generation_id, watched.session_id, error)

    async def end(self, generation_id: str, session_id: str, error: str) -> bool:
        """End a row as `failed`. False when it had ended, or is gone."""
        values = {"status": "failed", "error": error, "completed_at": utc_now()}
        if not await self._database.write(lambda tx: watching.finish(tx, generation_id, values)):
            return False
        if self._overheard.is_news(generation_id):
            await self._bus.publish(GenerationFailed(generation_id=generation_id, session_id=session_id, error=error))
        return True

    async def explain(self, generation_id: str, error: str) -> None:
        """Say more about the end of a row that has just been ended here."""
        await self._database.write(lambda tx: watching.explain(tx, generation_id, error))

    async def write_progress(self, followed: Iterable[Watched]) -> None:
        """Write how far those are that went on since they were last written."""
        values: dict[str, dict[str, Any]] = {}
        for one in followed:
            fraction = round(one.progress.fraction, 3)
            if one.phase != "ending" and (fraction != one.written or (one.started_at and not one.is_start_written)):
                values[one.generation_id] = {"progress": fraction, "started_at": one.started_at}
                one.written, one.is_start_written = fraction, one.started_at is not None
        if values:
            await self._database.write(lambda tx: watching.progressed(tx, values))

    async def _succeeded(self, watched: Watched, ran: Ran, *, last_try: bool) -> None:
        row = watched.row or await self._rows.find(watched.generation_id, whole=True)
        if row is None:
            return
        client = self._connections.comfy(watched.profile)
        copied = await self._outputs.copy(client, row, ran.outputs, watched.sent, last_try=last_try)
        warnings = [*(row.warnings or []), *copied.warnings]
        if not copied.outputs:
            warnings.append(ONLY_SOCKET if watched.socket_nodes else NOTHING)
        values = {
            "status": "complete",
            "outputs": [one.model_dump() for one in copied.outputs],
            "warnings": warnings,
            "cached": watched.progress.is_all_of(ran.cached_nodes),
            "generation_time_seconds": ran.duration_s,
            "progress": 1.0,
            "started_at": watched.started_at or row.started_at,
            "completed_at": utc_now(),
        }
        await self._keep(watched, values, copied)

    async def _keep(self, watched: Watched, values: dict[str, Any], copied: Copied) -> None:
        writing = asyncio.ensure_future(
            self._database.write(lambda tx: watching.finish(tx, watched.generation_id, values, copied.files))
        )
        kept = False
        try:
            kept = await asyncio.shield(writing)
        except asyncio.CancelledError:
            kept = await writing  # it is written all the same, and then its files belong to it
            raise
        finally:
            if not kept:  # it is gone, or somebody else wrote its end
                await self._outputs.discard(copied)
        if kept and self._overheard.is_news(watched.generation_id):
            await self._bus.publish(
                GenerationCompleted(
                    generation_id=watched.generation_id, session_id=watched.session_id, outputs=copied.outputs
                )
            )

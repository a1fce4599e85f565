"""The runs of a params pane: what runs now, what came out last, and what was made lately."""

import asyncio
import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from spoonkernel.errors import NotFound, PayloadTooLarge, RunFailed, SpoonError
from spoonkernel.handles import GenerationRun, OpenWorkbench
from spoonkernel.types.events import GenerationPreview, GenerationProgress
from spoonkernel.types.generations import Generation, Output, exact
from spoonwidgets._base import log

LATELY = 8
SHOWN_BYTES = 9_000_000
"""A message above about 10 MB ends the kernel's websocket."""
REASON = re.compile(r"\(node ([^)]+)\)[:,] ([^\s:]+): (.+)", re.DOTALL)
"""How the kernel (`KSampler (node 3), steps: ...`) and ComfyUI's refusals (`KSampler (node 3): steps: ...`) name an
input."""
NEXT = re.compile(r"; (?=[^;(]*\(node [^)]+\)|and )")
"""Between two reasons; one may hold a semicolon itself."""


@dataclass(slots=True)
class Live:
    """One run under way."""

    run: GenerationRun
    node: str = ""
    began_at: float | None = None

    def row(self, now: float) -> dict[str, Any]:
        generation = self.run.row
        return {
            "id": self.run.id,
            "status": self.run.status,
            "progress": self.run.progress,
            "node": self.node,
            "seconds": None if self.began_at is None else now - self.began_at,
            "seed": exact(generation.seed) if generation else None,
            "images": generation.batch_size if generation else None,
        }


class Runs:
    """Follows runs on the workbench's loop. `changed` is told when something moved, `hint` gets previews."""

    def __init__(
        self,
        workbench: OpenWorkbench,
        changed: Callable[[], None],
        hint: Callable[[dict[str, Any], list[bytes]], None],
        ended: Callable[[Generation], None],
    ) -> None:
        self._workbench, self._changed, self._hint, self._ended = workbench, changed, hint, ended
        self.open: list[Live] = []
        self.last: Generation | None = None
        self.failure: str | None = None
        self.lately: list[Generation] = []
        self.thumbnail: bytes | None = None
        self._following: set[asyncio.Task[None]] = set()

    def add(self, run: GenerationRun) -> None:
        self.failure = None
        live = Live(run)
        self.open.append(live)
        task = asyncio.get_running_loop().create_task(self._follow(live))
        self._following.add(task)  # the loop itself keeps only weak references
        task.add_done_callback(self._following.discard)
        self._changed()

    def stop(self) -> None:
        for live in self.open:
            live.run.cancel()

    def rows(self) -> dict[str, Any]:
        now = asyncio.get_running_loop().time()
        return {
            "open": [live.row(now) for live in self.open],
            "last": self.last and _last_row(self.last),
            "failure": self.failure,
            "lately": [_lately_row(one) for one in self.lately],
        }

    def known(self, generation_id: str) -> Generation:
        """A generation that the pane shows. Raises `NotFound` for any other."""
        shown = [self.last, *(live.run.row for live in self.open), *self.lately]
        for one in shown:
            if one is not None and one.id == generation_id:
                return one
        raise NotFound(f"Generation {generation_id} is not of this pane")

    async def picture(self, generation_id: str, index: int, size: str) -> bytes:
        outputs = pictures_of(self.known(generation_id))
        if not 0 <= index < len(outputs):
            raise NotFound(f"Generation {generation_id} has no picture {index}")
        return await self._media(outputs[index], size)

    async def read(self, session_id: str | None) -> None:
        """What the session has made lately."""
        found = await self._workbench.generations.list(session_id=session_id, limit=40) if session_id else []
        self.lately = [one for one in found if pictures_of(one)][:LATELY]
        self.last = self.last or next(iter(self.lately), None)
        await self._keep_thumbnail()
        self._changed()

    async def _follow(self, live: Live) -> None:
        loop = asyncio.get_running_loop()
        try:
            async for event in live.run:
                if isinstance(event, GenerationPreview):
                    shown = {"preview": event.generation_id, "content_type": event.content_type}
                    self._hint(shown, [base64.b64decode(event.image)])
                    continue
                if isinstance(event, GenerationProgress):
                    live.node = event.node
                if live.run.status == "running" and live.began_at is None:
                    live.began_at = loop.time()
                self._changed()
            await self._over(await live.run)
        except RunFailed as error:
            await self._over(error.row if isinstance(error.row, Generation) else None)
        except SpoonError as error:  # it was not taken: whoever asked for it is told, too
            log.debug("A run was refused: %s", error)
        finally:
            self.open.remove(live)
            self._changed()

    async def _over(self, row: Generation | None) -> None:
        if row is None:
            return
        self.last = row
        if pictures_of(row):
            self.lately = [row, *(one for one in self.lately if one.id != row.id)][:LATELY]
        await self._keep_thumbnail()
        self._ended(row)

    async def _keep_thumbnail(self) -> None:
        """For the saved notebook, which is written at any time and from any thread."""
        pictures = pictures_of(self.last) if self.last else []
        try:
            self.thumbnail = await self._media(pictures[0], "thumbnail") if pictures else None
        except SpoonError:  # gone meanwhile: the picture is only an extra
            self.thumbnail = None

    async def _media(self, output: Output, size: str) -> bytes:
        name = output.thumbnail if size == "thumbnail" and output.thumbnail else output.content
        media = await self._workbench.media.open(str(name))
        if len(media.content) > SHOWN_BYTES and output.thumbnail:
            media = await self._workbench.media.open(output.thumbnail)
        if len(media.content) > SHOWN_BYTES:
            raise PayloadTooLarge("Too large to show here; `workbench.media.open` fetches it")
        return media.content


def pictures_of(generation: Generation) -> list[Output]:
    return [one for one in generation.outputs if one.kind == "image" and one.content]


def reasons(message: str, addresses: dict[str, str]) -> tuple[dict[str, str], str]:
    """What a refusal says of single fields, by their keys, and what is left of it.

    Args:
        message: of a `ValidationFailed` or `ProviderRefused`; several reasons are separated by `; `.
        addresses: the key of each `node.field`.
    """
    found: dict[str, str] = {}
    left = []
    for part in NEXT.split(message):
        named = REASON.search(part)
        key = addresses.get(f"{named[1]}.{named[2]}") if named else None
        if named and key:
            found.setdefault(key, named[3])
        else:
            left.append(part)
    return found, "; ".join(left)


def _last_row(row: Generation) -> dict[str, Any]:
    return {
        "id": row.id,
        "status": row.status,
        "seed": exact(row.seed),
        "error": row.error,
        "warnings": row.warnings,
        "cached": row.cached,
        "seconds": row.generation_time_seconds,
        "pictures": len(pictures_of(row)),
    }


def _lately_row(row: Generation) -> dict[str, Any]:
    names = ("steps", "width", "height", "batch_size", "workflow_id")
    facts = {name: getattr(row, name) for name in names}
    seconds = None if row.cached else row.generation_time_seconds
    return {"id": row.id, "seed": exact(row.seed), "prompt": row.prompt_text[:200], "seconds": seconds, **facts}

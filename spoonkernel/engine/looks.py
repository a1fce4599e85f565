"""Looking up at one ComfyUI server what its socket did not tell: after each connection, on a suspicion, and slowly in
any case."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from spoonkernel.comfy.client import ComfyClient
from spoonkernel.comfy.jobs import JobState
from spoonkernel.engine.watched import Watched
from spoonkernel.errors import ProviderConnectionError

FAST_S, SLOW_S = 1.0, 15.0  # between looks while nobody tells us, and while the socket does
POLITE = 20  # a look at a long queue is dear for the server: it rests this many times as long as the look took
SUSPECT_S = 0.5  # how long a run that seems to be missing may take to say its end
GIVE_UP_S = 600.0  # a server that is away for so long has lost the run

log = logging.getLogger(__name__)


class Looks:
    """One server's. Nothing is asked while nothing is watched.

    Args:
        watched: by prompt id, as the station keeps it.
        hears: whether the socket that is open now tells of one.
        found: is given what the server says of each.
        given_up: is told of each when the server was away for too long, with the reason.
    """

    def __init__(
        self,
        client: ComfyClient,
        watched: Mapping[str, Watched],
        *,
        hears: Callable[[Watched], bool],
        found: Callable[[Watched, JobState], Awaitable[None]],
        given_up: Callable[[Watched, str], Awaitable[None]],
    ) -> None:
        self._client, self._watched = client, watched
        self._hears, self._found, self._given_up = hears, found, given_up
        self._now = asyncio.Event()
        self._is_due = False
        self._remaining = self._dropped = 0
        self._away_since: float | None = None

    def soon(self) -> None:
        """Look in a moment."""
        self._is_due = True
        self._now.set()

    def told(self, remaining: int) -> None:
        """The server said how many prompts it holds, of all clients."""
        self._dropped += max(0, self._remaining - remaining)
        self._remaining = remaining
        if self._watched and self._is_suspicious():
            self._now.set()

    def heard_end(self) -> None:
        """One of ours said its end: it is one of those that the server holds no longer."""
        self._dropped -= 1

    async def run(self) -> None:
        """Look, until cancelled."""
        loop = asyncio.get_running_loop()
        pause_s = 0.0
        while True:
            if not await self._next(pause_s) and not self._is_suspicious():
                continue  # what seemed to be missing has said its end meanwhile
            began, self._dropped = loop.time(), 0
            try:
                await self._look()
                self._away_since = None
            except ProviderConnectionError as error:
                await self._is_away(error)
            except Exception:  # a background loop's edge
                log.exception("A look at %s failed", self._client.label)
            pause_s = min(SLOW_S, (loop.time() - began) * POLITE)

    async def _next(self, pause_s: float) -> bool:
        """Wait for the time of the next look. False when only a suspicion brought it."""
        are_heard = all(self._hears(one) for one in self._watched.values())
        try:
            async with asyncio.timeout(SLOW_S if are_heard else max(FAST_S, pause_s)):
                await self._now.wait()
        except TimeoutError:
            return True
        self._now.clear()
        await asyncio.sleep(max(SUSPECT_S if self._away_since is None else FAST_S, min(pause_s, FAST_S)))
        is_due, self._is_due = self._is_due, False
        return is_due

    def _is_suspicious(self) -> bool:
        """Whether one of ours may have ended unheard, or was deleted: the server let go of more prompts than told us
        their end (another client's is one of them), or holds fewer than we have there."""
        mine = sum(one.phase == "taken" and not one.progress.ended for one in self._watched.values())
        return self._dropped > 0 or self._remaining < mine

    async def _look(self) -> None:
        wanted = [one.prompt_id for one in self._watched.values() if one.phase in {"taken", "unsent"}]
        for prompt_id, state in (await self._client.states(wanted)).items():
            if (watched := self._watched.get(prompt_id)) is not None and watched.phase in {"taken", "unsent"}:
                await self._found(watched, state)

    async def _is_away(self, error: ProviderConnectionError) -> None:
        now = asyncio.get_running_loop().time()
        self._away_since = now if self._away_since is None else self._away_since
        if now - self._away_since >= GIVE_UP_S:
            for watched in [one for one in self._watched.values() if one.phase in {"taken", "unsent"}]:
                await self._given_up(watched, f"{error.message} (given up after {GIVE_UP_S / 60:.0f} minutes)")

"""Answers of conversations while they are written: each has a row from its first moment to its end.

What reads the provider is a task of its own, so that the row is kept up to date however slowly, or whether at all, the
pieces are read; and it alone writes how the answer ended.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Any, Self

from spoonkernel.errors import Conflict, SpoonError
from spoonkernel.store.conversations import ConversationRepo
from spoonkernel.types.base import utc_now
from spoonkernel.types.chat import Answer, Delta, Usage
from spoonkernel.types.conversations import Trouble

BEAT_S = 2.0
"""How often what has arrived is kept; a row that was not touched for `store.turns.STALE` is nobody's any more."""

Tell = Callable[[str, str | None], Awaitable[None]]
"""Tells that a turn of a conversation has changed."""

Prices = tuple[float, float]
"""What a million tokens cost in US dollars, going in and coming out."""

log = logging.getLogger(__name__)


class Answers:
    """The answers that this process writes. Leaving the block stops them and keeps what had arrived."""

    def __init__(
        self,
        rows: ConversationRepo,
        tell: Tell,
        *,
        beat_s: float = BEAT_S,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`clock` counts seconds, for durations only."""
        self._rows, self._tell, self._beat_s, self._clock = rows, tell, beat_s, clock
        self._live: dict[str, _Writing] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop(list(self._live), "the workbench was closed")

    async def write(
        self, conversation_id: str, turn_id: str, deltas: AsyncGenerator[Delta, None], prices: Prices | None
    ) -> AsyncGenerator[Delta, None]:
        """The pieces of an answer whose row is there, as they come; its end is in the row before the last piece is out.

        Closing the generator stops the provider. Raises what the provider raised.
        """
        writing = self._live[turn_id] = _Writing(
            self._rows,
            self._tell,
            conversation_id=conversation_id,
            turn_id=turn_id,
            prices=prices,
            clock=self._clock,
        )
        writing.task = asyncio.create_task(writing.run(deltas, self._beat_s), name=f"spoon answer {turn_id}")
        try:
            while (piece := await writing.pieces.get()) is not None:
                yield piece
            if writing.error is not None:
                raise writing.error
        finally:
            try:
                await writing.stop()
            finally:
                self._live.pop(turn_id, None)

    async def stop(self, turn_ids: Iterable[str], reason: str) -> None:
        """Stop those of these answers that this process writes; whoever reads them gets a `Conflict`."""
        mine = [self._live[turn_id] for turn_id in turn_ids if turn_id in self._live]
        await asyncio.gather(*(one.stop(reason) for one in mine))


class _Writing:
    """One answer: from the first piece to the row that says how it ended."""

    task: "asyncio.Task[None]"

    def __init__(
        self,
        rows: ConversationRepo,
        tell: Tell,
        *,
        conversation_id: str,
        turn_id: str,
        prices: Prices | None,
        clock: Callable[[], float],
    ) -> None:
        self._rows, self._tell, self._prices = rows, tell, prices
        self._conversation_id, self._turn_id = conversation_id, turn_id
        self._clock, self._started = clock, clock()
        self._first_token_ms: float | None = None
        self._answer = Answer("")
        self._stopping = False
        self.pieces: asyncio.Queue[Delta | None] = asyncio.Queue()  # bounded by the answer, which is kept whole anyway
        self.error: Exception | None = None

    async def run(self, deltas: AsyncGenerator[Delta, None], beat_s: float) -> None:
        beating = asyncio.create_task(self._beat(beat_s), name=f"spoon answer {self._turn_id} beats")
        try:
            async with aclosing(deltas):
                await self._read(deltas)
        except asyncio.CancelledError:
            await self._end("stopped")
            raise
        except Exception as error:  # noqa: BLE001  # kept in the row, and raised again where the pieces are read
            self.error = error
            await self._end("failed", _trouble(error), _partial(error))
        finally:
            beating.cancel()
            self.pieces.put_nowait(None)

    async def stop(self, reason: str | None = None) -> None:
        """Have it end and wait until it has. It is cancelled once: a second time would cancel its last write."""
        if reason is not None and self.error is None and not self.task.done():
            self.error = Conflict(f"The answer {self._turn_id} was stopped: {reason}")
        if not self._stopping:
            self._stopping = True
            self.task.cancel()
        await asyncio.wait({self.task})

    async def _read(self, deltas: AsyncGenerator[Delta, None]) -> None:
        """Pass the pieces on; the last one not before the row says that the answer is complete."""
        last: Delta | None = None
        async for delta in deltas:
            if delta.text and self._first_token_ms is None:
                self._first_token_ms = self._elapsed_ms()
            self._answer.add(delta)
            if delta.finish_reason is None:
                self.pieces.put_nowait(delta)
            else:
                last = delta
        await self._finish("complete")
        if last is not None:
            self.pieces.put_nowait(last)

    async def _beat(self, beat_s: float) -> None:
        """Keep what has arrived. Whoever deletes the row in another process stops the answer by that."""
        while True:
            await asyncio.sleep(beat_s)
            try:
                is_there = await self._rows.write_on(self._turn_id, _plain("".join(self._answer.text)), utc_now())
            except SpoonError:
                log.exception("What has arrived of answer %s could not be kept", self._turn_id)
                continue
            if not is_there:
                await self.stop("it was deleted")
                return
            await self._tell(self._conversation_id, self._turn_id)

    async def _end(self, state: str, error: Trouble | None = None, partial: str | None = None) -> None:
        """Write an end that is no success. A store that is away must not hide why it came to that."""
        try:
            await self._finish(state, error, partial)
        except SpoonError:
            log.exception("The end of answer %s could not be written", self._turn_id)

    async def _finish(self, state: str, error: Trouble | None = None, partial: str | None = None) -> None:
        reply = self._answer.reply()
        values: dict[str, Any] = {
            "text": _plain(reply.response if partial is None else partial),
            "state": state,
            "error": error.model_dump() if error else None,
            "warnings": reply.warnings,
            "finish_reason": reply.finish_reason,
            "usage": reply.usage.model_dump(),
            "first_token_ms": self._first_token_ms,
            "duration_ms": self._elapsed_ms(),
            "cost_usd": cost_usd(reply.usage, self._prices),
        }
        if reply.model:
            values["model"] = reply.model
        await self._rows.finish(self._conversation_id, self._turn_id, values)
        await self._tell(self._conversation_id, self._turn_id)

    def _elapsed_ms(self) -> float:
        return round((self._clock() - self._started) * 1000, 1)


def cost_usd(usage: Usage, prices: Prices | None) -> float | None:
    """What an answer cost; None where the prices or the counts are not known."""
    if prices is None or usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    return (usage.prompt_tokens * prices[0] + usage.completion_tokens * prices[1]) / 1_000_000


def _trouble(error: Exception) -> Trouble:
    known = error if isinstance(error, SpoonError) else SpoonError()
    return Trouble(code=known.code, message=_plain(known.message), retry_after_s=known.retry_after_s)


def _partial(error: Exception) -> str | None:
    """An adapter may know of text that it never passed on."""
    return error.partial if isinstance(error, SpoonError) else None


def _plain(text: str) -> str:
    """A provider's text without what databases do not keep: NUL characters, halves of surrogate pairs."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()

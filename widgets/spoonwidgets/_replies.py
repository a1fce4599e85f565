"""Answers while they are written: one task each, so that each has its own end."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from spoonkernel.errors import SpoonError
from spoonkernel.handles.opened import OpenWorkbench
from spoonkernel.types.base import ChatProviderName, utc_now
from spoonkernel.types.chat import Delta
from spoonkernel.types.conversations import Trouble, Turn
from spoonwidgets._base import log
from spoonwidgets._choices import Choice
from spoonwidgets._conversation import KeptConversation


@dataclass(slots=True)
class _Writing:
    turn: Turn
    began_s: float = field(default_factory=time.monotonic)
    task: "asyncio.Task[None] | None" = None


class Replies:
    """Runs on the workbench's loop. `mark` tells the views of a turn's news, `ended` is told of every end."""

    def __init__(
        self,
        inner: OpenWorkbench,
        kept: KeptConversation,
        mark: Callable[[str], None],
        ended: Callable[[Turn], None],
    ) -> None:
        self._inner, self._kept, self._mark, self._ended = inner, kept, mark, ended
        self._writing: dict[str, _Writing] = {}
        self._failures: dict[str, SpoonError] = {}

    @property
    def writing(self) -> bool:
        return bool(self._kept.ours)

    def start(self, question: Turn, choice: Choice, *, activate: bool = True) -> Turn:
        """Have a question answered; the answer is a turn at once, without a word yet."""
        answer = Turn(
            id=str(uuid.uuid4()),
            conversation_id=question.conversation_id,
            parent_id=question.id,
            role="assistant",
            state="writing",
            provider=choice.provider,
            model=choice.name,
            profile_id=choice.profile_id,
            created_at=utc_now(),
        )
        self._kept.ours.add(answer.id)
        self._kept.tree.add(answer, show=activate)
        writing = self._writing[answer.id] = _Writing(answer)
        writing.task = asyncio.create_task(self._write(answer, choice, activate))
        self._mark(answer.id)
        self._mark("about")
        return answer

    async def end(self, answer: Turn) -> Turn:
        """Wait for an answer and return it as it is kept. Raises what made it fail."""
        writing = self._writing.get(answer.id)
        try:
            if writing and writing.task:
                await asyncio.shield(writing.task)
        except asyncio.CancelledError:
            self.stop(answer.id)
            raise
        if failure := self._failures.pop(answer.id, None):
            raise failure
        return self._kept.tree.turns.get(answer.id, answer)

    def stop(self, answer_id: str | None = None) -> None:
        """Stop one answer, or all; what arrived stays. The views see it before the provider does."""
        for id_, writing in self._writing.items():
            if answer_id in (None, id_) and writing.turn.state == "writing" and writing.task:
                writing.turn.state = "stopped"
                self._mark(id_)
                writing.task.cancel()

    async def settle(self) -> None:
        """Until the answers that have ended are kept, and those that were stopped have let go of their provider."""
        ending = [known.task for known in self._writing.values() if known.task and known.turn.state != "writing"]
        if ending:
            await asyncio.wait(ending)

    def elapsed_ms(self, turn: Turn) -> float | None:
        """How long an answer has been in the writing here."""
        known = self._writing.get(turn.id)
        return (time.monotonic() - known.began_s) * 1000 if known and turn.state == "writing" else None

    async def _write(self, answer: Turn, choice: Choice, activate: bool) -> None:
        try:
            async with contextlib.aclosing(self._stream(answer, choice, activate)) as deltas:
                async for delta in deltas:
                    self._take(answer, delta)
            answer.state = "complete"
        except asyncio.CancelledError:
            answer.state = "stopped"  # the task's own end: whoever waits gets the partial text
        except SpoonError as error:
            self._fail(answer, error)
        except Exception as error:  # noqa: BLE001 - the turn must end in words, whatever went wrong below
            log.exception("The chat failed")
            self._fail(answer, SpoonError(f"Spoon failed inside ({type(error).__name__}); the kernel's log has more"))
        self._mark(answer.id)
        try:
            self._kept.ours.discard(answer.id)
            with contextlib.suppress(SpoonError):  # the cost and the counts are the store's; without it ours stand
                await self._kept.refresh()
        finally:
            del self._writing[answer.id]
            self._ended(self._kept.tree.turns.get(answer.id, answer))

    def _stream(self, answer: Turn, choice: Choice, activate: bool) -> Any:
        return self._inner.conversations.reply(
            answer.conversation_id,
            answer.parent_id or "",
            id=answer.id,
            provider=cast(ChatProviderName, choice.provider),
            model=choice.model,
            profile_id=choice.profile_id,
            activate=activate,
        )

    def _take(self, answer: Turn, delta: Delta) -> None:
        since = (time.monotonic() - self._writing[answer.id].began_s) * 1000
        if delta.text:
            if answer.first_token_ms is None:
                answer.first_token_ms = since
            answer.duration_ms = since
            answer.text += delta.text
        answer.model = delta.model or answer.model
        answer.warnings = [*answer.warnings, *delta.warnings]
        answer.finish_reason = delta.finish_reason or answer.finish_reason
        if delta.usage:
            answer.usage = answer.usage.merged(delta.usage)
        self._mark(answer.id)

    def _fail(self, answer: Turn, error: SpoonError) -> None:
        if error.partial and len(error.partial) > len(answer.text):
            answer.text = error.partial
        answer.state, self._failures[answer.id] = "failed", error
        answer.error = Trouble(code=error.code, message=error.message, retry_after_s=error.retry_after_s)

"""The turns of a chat, and what is known about each answer."""

import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Literal

from spoonkernel.types.chat import Delta, Usage

TurnState = Literal["waiting", "writing", "done", "stopped", "failed"]


@dataclass(slots=True)
class Turn:
    """One turn. An answer goes `waiting` -> `writing` -> `done`, `stopped` or `failed`; a question is always `done`."""

    role: Literal["user", "assistant"]
    text: str = ""
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    state: TurnState = "done"
    model: str = ""
    where: str = ""
    error: dict[str, Any] | None = None
    warnings: list[str] = field(default_factory=list)
    finish_reason: str | None = None
    usage: Usage = field(default_factory=Usage)
    sent: int = 0
    """How many characters the views already have."""
    started_s: float = 0.0
    first_s: float | None = None
    last_s: float | None = None

    @property
    def live(self) -> bool:
        return self.state in ("waiting", "writing")

    def begin(self) -> None:
        """The request goes out now; whatever an earlier try left is gone."""
        self.text, self.state, self.error, self.warnings = "", "waiting", None, []
        self.finish_reason, self.usage, self.sent = None, Usage(), 0
        self.started_s, self.first_s, self.last_s = time.monotonic(), None, None

    def take(self, delta: Delta) -> None:
        """One piece of the answer."""
        if delta.text:
            self.last_s = time.monotonic()
            self.first_s = self.first_s or self.last_s
            self.text += delta.text
            self.state = "writing"
        self.model = delta.model or self.model
        self.warnings += delta.warnings
        self.finish_reason = delta.finish_reason or self.finish_reason
        if delta.usage:
            self.usage = self.usage.merged(delta.usage)

    def counts(self) -> dict[str, Any]:
        """What the right margin shows; None where it is not known. Times in seconds, `speed` in tokens a second."""
        first = None if self.first_s is None else self.first_s - self.started_s
        tokens = self.usage.completion_tokens
        span = self.last_s - self.first_s if self.first_s is not None and self.last_s is not None else 0.0
        return {
            "first_token_s": first,
            "prompt_tokens": self.usage.prompt_tokens,
            "tokens": tokens,
            "speed": (tokens - 1) / span if tokens and tokens > 1 and span > 0 else None,
        }

    def row(self, *, whole: bool) -> dict[str, Any]:
        """The turn for a page: all of its text, or what came since the last event, with the offset where it belongs."""
        at = 0 if whole else self.sent
        return {
            "id": self.id,
            "role": self.role,
            "at": at,
            "text": self.text[at:],
            "state": self.state,
            "model": self.model,
            "where": self.where,
            "error": self.error,
            "warnings": self.warnings,
            "finish_reason": self.finish_reason,
            "counts": self.counts(),
        }

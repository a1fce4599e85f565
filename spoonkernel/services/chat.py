"""Chat with any provider. `send` is `stream` collected: one path for both."""

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any

from pydantic import JsonValue

from spoonkernel.connections import Connection, Connections
from spoonkernel.errors import BadRequest, SpoonError
from spoonkernel.providers.base import ChatCall
from spoonkernel.services.checks import checked
from spoonkernel.store.profiles import ProfileRepo
from spoonkernel.store.usage import UsageRepo
from spoonkernel.types.base import ChatProviderName, utc_now
from spoonkernel.types.chat import Answer, ChatReply, ChatRequest, Delta, Message, Usage


class ChatService:
    def __init__(
        self,
        connections: Connections,
        profiles: ProfileRepo,
        usage: UsageRepo,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`clock` counts seconds, for durations only."""
        self._connections, self._profiles, self._usage, self._clock = connections, profiles, usage, clock

    async def send(
        self,
        *,
        provider: ChatProviderName,
        messages: Sequence[Message | dict[str, Any]],
        model: str | None = None,
        profile_id: str | None = None,
        options: dict[str, JsonValue] | None = None,
    ) -> ChatReply:
        answer = Answer(provider)
        deltas = self.stream(provider=provider, messages=messages, model=model, profile_id=profile_id, options=options)
        async with aclosing(deltas):
            async for delta in deltas:
                answer.add(delta)
        return answer.reply()

    async def stream(
        self,
        *,
        provider: ChatProviderName,
        messages: Sequence[Message | dict[str, Any]],
        model: str | None = None,
        profile_id: str | None = None,
        options: dict[str, JsonValue] | None = None,
        task_id: str | None = None,
        turn_id: str | None = None,
    ) -> AsyncGenerator[Delta, None]:
        """`task_id`, `turn_id` (ours): the task or the turn that this answer is for, noted in the usage row."""
        request = checked(
            ChatRequest,
            provider=provider,
            messages=messages,
            model=model,
            profile_id=profile_id,
            options=options or {},
        )
        connection = await self._connections.resolve(request.provider, request.profile_id)
        call = ChatCall(
            model=request.model or await self._default_model(connection),
            messages=_with_system_prompt(request.messages, connection.system_prompt),
            options={**connection.options, **request.options},
        )
        record = _Record(self._clock, connection, call.model, task_id=task_id, turn_id=turn_id)
        try:
            async with aclosing(connection.adapter.stream(call)) as deltas:
                async for delta in deltas:
                    record.note(delta)
                    if delta.finish_reason is None:
                        yield delta
                    else:
                        self._finish(record)
                        known = {"provider": connection.provider, "model": delta.model or call.model}
                        yield delta.model_copy(update={"usage": record.usage, **known})
        except SpoonError as error:
            record.outcome = "error"
            if record.text and error.partial is None:
                error.with_partial("".join(record.text))
            raise
        finally:
            self._finish(record)

    def _finish(self, record: "_Record") -> None:
        """Write the usage row once: before the last delta goes out, else when the stream ends in another way."""
        if not record.written:
            record.written = True
            self._usage.record(record.columns())

    async def _default_model(self, connection: Connection) -> str:
        if connection.default_model:
            return connection.default_model
        if connection.profile_id and (rows := await self._profiles.models(connection.profile_id)):
            return str(rows[-1].model_id)
        models = [model.id for model in await connection.adapter.models() if "chat" in model.capabilities]
        if not models:
            raise BadRequest(f"{connection.label} lists no model that chats: name one in `model`")
        return models[0]


class _Record:
    """What one answer took, gathered while it streams."""

    def __init__(self, clock: Callable[[], float], connection: Connection, model: str, **asked_for: str | None) -> None:
        self._clock, self._started = clock, clock()
        self._fixed = {
            "provider": connection.provider,
            "model": model,
            "profile_id": connection.profile_id,
            **asked_for,
        }
        self._first_token_ms: int | None = None
        self.text: list[str] = []
        self.usage = Usage()
        self.outcome = "stopped"  # until a finish reason or an error says otherwise
        self.written = False

    def note(self, delta: Delta) -> None:
        if delta.text:
            self.text.append(delta.text)
            if self._first_token_ms is None:
                self._first_token_ms = self._elapsed_ms()
        if delta.usage is not None:
            self.usage = self.usage.merged(delta.usage)
        if delta.finish_reason is not None:
            self.outcome = delta.finish_reason

    def columns(self) -> dict[str, Any]:
        return self._fixed | {
            "first_token_ms": self._first_token_ms,
            "duration_ms": self._elapsed_ms(),
            "prompt_tokens": self.usage.prompt_tokens,
            "completion_tokens": self.usage.completion_tokens,
            "total_tokens": self.usage.total_tokens,
            "outcome": self.outcome,
            "created_at": utc_now(),
        }

    def _elapsed_ms(self) -> int:
        return round((self._clock() - self._started) * 1000)


def _with_system_prompt(messages: list[Message], prompt: str | None) -> list[Message]:
    """The profile's prompt first, unless the conversation brings its own system message."""
    if not prompt or any(message.role == "system" for message in messages):
        return messages
    return [Message(role="system", content=prompt), *messages]

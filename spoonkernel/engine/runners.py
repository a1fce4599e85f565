"""Makes what tasks ask for: text is a chat answer collected, images and speech come from the provider's own calls."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Protocol

from pydantic import JsonValue

from spoonkernel.connections import Connection
from spoonkernel.engine.runs import Report, Runs
from spoonkernel.errors import BadRequest, ProviderConnectionError, ProviderRefused
from spoonkernel.providers.base import ImageProvider, Made, MediaCall, SpeechProvider
from spoonkernel.types.base import ChatProviderName
from spoonkernel.types.chat import Delta, Message, Usage
from spoonkernel.types.tasks import Task

OURS = frozenset({"model", "profileId", "profile_id"})
USUAL_TOKENS = 1_000  # the length of an answer that progress is measured against when the task sets no limit
MEDIA_TIMEOUT_S = 600.0  # unless the task's `timeout_s` says otherwise; a large picture takes a minute or two


class Chats(Protocol):
    """The chat room, as far as tasks need it."""

    def stream(
        self,
        *,
        provider: ChatProviderName,
        messages: list[Message],
        model: str | None,
        profile_id: str | None,
        options: dict[str, JsonValue],
        task_id: str | None,
    ) -> AsyncGenerator[Delta, None]: ...


class Resolves(Protocol):
    async def resolve(self, provider: str, profile_id: str | None = None) -> Connection: ...


class ProviderRuns:
    """Runs tasks on the connected providers."""

    def __init__(self, chat: Chats, connections: Resolves, comfyui: Runs) -> None:
        self._chat, self._connections, self._comfyui = chat, connections, comfyui

    async def run(self, task: Task, profile_id: str | None, report: Report) -> list[Made]:
        if task.provider == "comfyui":
            return await self._comfyui.run(task, profile_id, report)
        if task.type == "text":
            return [await self._text(task, profile_id, report)]
        return await self._media(task, profile_id)

    async def _text(self, task: Task, profile_id: str | None, report: Report) -> Made:
        if task.provider == "comfyui":
            raise BadRequest("ComfyUI makes no text: name another provider")
        options = _options(task)
        expected = options.get("max_tokens")
        tokens = expected if isinstance(expected, int) and expected > 0 else USUAL_TOKENS
        deltas = self._chat.stream(
            provider=task.provider,
            messages=[Message(role="user", content=task.prompt)],
            model=_model(task),
            profile_id=profile_id,
            options=options,
            task_id=task.id,
        )
        text: list[str] = []
        last = Delta()
        async with aclosing(deltas):
            async for delta in deltas:
                text.append(delta.text)
                report(min(len(text) / tokens, 0.99))  # a delta is about a token; the end is the only certain thing
                last = delta
        if last.finish_reason == "content_filter" and not any(text):
            raise ProviderRefused(f"{task.provider} answered nothing: its content filter stopped the answer")
        return Made("text", "".join(text).encode(), "text/plain", _text_metadata(task, last))

    async def _media(self, task: Task, profile_id: str | None) -> list[Made]:
        connection = await self._connections.resolve(task.provider, profile_id)
        model = _model(task) or connection.default_model
        if model is None:
            raise BadRequest(f"Name a model of {connection.label} that makes {task.type}, in the task's options.model")
        options = connection.options | _options(task)
        timeout_s = _timeout_s(options)
        call = MediaCall(model, task.prompt, options)
        adapter = connection.adapter
        if task.type == "image" and isinstance(adapter, ImageProvider):
            making = adapter.images(call)
        elif task.type == "audio" and isinstance(adapter, SpeechProvider):
            making = adapter.speech(call)
        else:
            raise BadRequest(f"{connection.label} cannot make {task.type}: name another provider")
        try:
            async with asyncio.timeout(timeout_s):
                made = await making
        except TimeoutError as error:
            raise ProviderConnectionError(f"{connection.label} made no {task.type} in {timeout_s:.0f} s") from error
        if not made:
            raise ProviderRefused(f"{connection.label} answered without any {task.type}")
        seed = {"seed": call.options["seed"]} if call.options.get("seed") is not None else {}
        return [
            Made(piece.type, piece.content, piece.content_type, {"model": model, **seed, **piece.metadata})
            for piece in made
        ]


def _options(task: Task) -> dict[str, JsonValue]:
    """What is left for the provider."""
    return {name: value for name, value in task.options.items() if name not in OURS}


def _model(task: Task) -> str | None:
    model = task.options.get("model")
    return str(model) if model else None


def _timeout_s(options: dict[str, JsonValue]) -> float:
    value = options.pop("timeout_s", None)
    return float(value) if isinstance(value, int | float) and value > 0 else MEDIA_TIMEOUT_S


def _text_metadata(task: Task, last: Delta) -> dict[str, Any]:
    usage = last.usage or Usage()
    known = {
        "model": last.model or _model(task),
        "tokens": usage.total_tokens,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "finish_reason": last.finish_reason,
        "seed": task.options.get("seed"),
        "warnings": last.warnings,
    }
    return {name: value for name, value in known.items() if value not in (None, [])}

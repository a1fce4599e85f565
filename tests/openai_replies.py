"""What an OpenAI-compatible server streams, for `Upstream`: https://platform.openai.com/docs/api-reference/chat-streaming."""

import json
from typing import Any

CHAT = "/v1/chat/completions"
MODELS = "/v1/models"
MODEL = "scripted-1"
STREAM = {"content-type": "text/event-stream"}


def said(text: str) -> bytes:
    """One piece of an answer."""
    return _event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]})


def ended(*, prompt_tokens: int = 3, completion_tokens: int = 2) -> bytes:
    """The end of an answer: its finish reason, its token counts, and the end marker."""
    usage = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }
    finish = _event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return finish + _event({"choices": [], "usage": usage}) + b"data: [DONE]\n\n"


def listed(*names: str) -> dict[str, Any]:
    """The answer of `GET /v1/models`."""
    return {"object": "list", "data": [{"id": name, "object": "model"} for name in names]}


def _event(part: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps({"id": "chat-1", "model": MODEL, **part}).encode() + b"\n\n"

"""OpenAI and every server that copies it: https://platform.openai.com/docs/api-reference (chat completions)."""

import binascii
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from spoonkernel.errors import BadRequest
from spoonkernel.providers.base import ChatCall, Json, Made, MediaCall, ProviderModel
from spoonkernel.providers.http import ProviderHTTP
from spoonkernel.providers.pictures import is_web, made_picture, picture_of
from spoonkernel.providers.refusal import Refusal
from spoonkernel.providers.stream import StreamRequest, deltas, split_options
from spoonkernel.types.chat import Delta, FinishReason, ImagePart, Message, TextPart, Usage

HOME = "api.openai.com"
TOKEN_CAP = 4096  # for other servers: some never stop by themselves. OpenAI's own models know their limit
LISTING_S = 15.0
MAX_SPEECH = 4096  # characters in one request, says the API reference
DEFAULT_VOICE = "alloy"
REFUSED_OPTION = frozenset({"unsupported_parameter", "unsupported_value", "unknown_parameter"})
FIXED = frozenset({"model", "messages", "stream"})
_FINISH: dict[str, FinishReason] = {
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "error": "error",
    "insufficient_system_resource": "error",  # DeepSeek
}
_SPEECH_TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
_NOT_CHAT = {  # the list says nothing about what a model can do, its name does
    "image": ("image",),
    "dall-e": ("image",),
    "embedding": ("embedding",),
    "tts": ("audio",),
    "whisper": ("audio",),
    "transcribe": ("audio",),
    "realtime": ("audio",),
    "audio": ("audio",),
    "sora": (),
    "moderation": (),
}


class OpenAI:
    """Chat, pictures and speech. `token_cap` limits an answer of a server that is not OpenAI's own."""

    def __init__(self, http: ProviderHTTP, *, token_cap: int | None = TOKEN_CAP) -> None:
        self._http = http
        self._is_home = http.hostname == HOME
        self._token_cap = token_cap

    def stream(self, call: ChatCall) -> AsyncGenerator[Delta, None]:
        """See `Provider`."""
        return deltas(self._http, lambda: encode(call, is_home=self._is_home, token_cap=self._token_cap))

    async def models(self) -> list[ProviderModel]:
        return await self._http.json("GET", "/models", decode=decode_models, timeout_s=LISTING_S, retries=0)

    async def images(self, call: MediaCall) -> list[Made]:
        """`width` and `height` together are OpenAI's `size`; a `seed` has no counterpart and is refused by name."""
        options, timeout_s = split_options(ChatCall(call.model, [], call.options))
        width, height = options.pop("width", None), options.pop("height", None)
        if width and height:
            options.setdefault("size", f"{width}x{height}")
        body = options | {"model": call.model, "prompt": call.prompt}
        return await self._http.json(
            "POST", "/images/generations", body, decode=lambda answer: decode_images(answer, call), timeout_s=timeout_s
        )

    async def speech(self, call: MediaCall) -> list[Made]:
        if len(call.prompt) > MAX_SPEECH:
            raise BadRequest(
                f"{self._http.name} speaks at most {MAX_SPEECH} characters at once, and the text has "
                f"{len(call.prompt)}: split it"
            )
        options, timeout_s = split_options(ChatCall(call.model, [], call.options))
        body = {"voice": DEFAULT_VOICE} | options | {"model": call.model, "input": call.prompt}
        content, content_type = await self._http.content("POST", "/audio/speech", body, timeout_s=timeout_s)
        if not content_type.startswith("audio/"):
            content_type = _SPEECH_TYPES.get(str(options.get("response_format", "mp3")), "audio/mpeg")
        return [Made("audio", content, content_type, {"model": call.model, "voice": body["voice"]})]


def encode(call: ChatCall, *, is_home: bool, token_cap: int | None = TOKEN_CAP) -> StreamRequest:
    """`max_completion_tokens` is OpenAI's own name for the limit now; the copies know `max_tokens`."""
    options, timeout_s = split_options(call)
    if is_home:
        if "max_tokens" in options:
            options.setdefault("max_completion_tokens", options.pop("max_tokens"))
            options.pop("max_tokens", None)
    elif token_cap is not None and "max_completion_tokens" not in options:
        options.setdefault("max_tokens", token_cap)
    messages = [_turn(message) for message in call.messages]
    usage: Json = {"stream_options": {"include_usage": True}}
    body = usage | options | {"model": call.model, "messages": messages, "stream": True}
    return StreamRequest("/chat/completions", body, decode, timeout_s=timeout_s, repair=repair)


def _turn(message: Message) -> Json:
    if isinstance(message.content, str):
        return {"role": message.role, "content": message.content}
    return {"role": message.role, "content": [_part(part) for part in message.content]}


def _part(part: TextPart | ImagePart) -> Json:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    if not is_web(part.image_url.url):
        picture_of(part.image_url.url)  # checked here: OpenAI's own sentence about it does not name the picture
    return {"type": "image_url", "image_url": {"url": part.image_url.url}}


def decode(event: Json) -> Delta | None:
    """One chunk. The token counts come in a chunk of their own with `choices: []`, or with the last one."""
    counts = event.get("usage")
    usage = decode_usage(counts) if counts else None
    choices = event.get("choices")
    if not choices:
        return Delta(usage=usage) if usage else None
    choice = choices[0]
    piece = choice.get("delta") or choice.get("message") or {}  # a server that does not stream sends `message`
    text = piece.get("content") or piece.get("refusal") or ""
    if finish := choice.get("finish_reason"):
        return Delta(
            text=text, finish_reason=_FINISH.get(finish, "stop"), usage=usage, model=event.get("model") or None
        )
    if usage:
        return Delta(text=text, usage=usage)
    return Delta(text=text) if text else None


def decode_usage(counts: Json) -> Usage:
    return Usage(
        prompt_tokens=counts.get("prompt_tokens"),
        completion_tokens=counts.get("completion_tokens"),
        total_tokens=counts.get("total_tokens"),
    )


def repair(request: StreamRequest, refusal: Refusal) -> StreamRequest | None:
    """The request without, or with another name for, the one option that was refused."""
    if refusal.status not in {400, 422}:
        return None
    if "stream_options" in request.body and b"stream_options" in refusal.raw:
        body = {name: value for name, value in request.body.items() if name != "stream_options"}
        return replace(request, body=body)  # no warning: it was ours, and costs only the token counts
    option = refusal.param
    if not option or option in FIXED or option not in request.body or not refusal.words & REFUSED_OPTION:
        return None
    model = request.body["model"]
    if option == "max_tokens" and "max_completion_tokens" not in request.body:
        renamed = request.without(option, f"{model} takes max_completion_tokens instead of max_tokens")
        return replace(renamed, body=renamed.body | {"max_completion_tokens": request.body[option]})
    return request.without(option, f"{model} does not accept {option}={request.body[option]!r}: it was left out")


def decode_models(body: Json, now: datetime | None = None) -> list[ProviderModel]:
    """`/models`, without those past their `shutdown_date`."""
    today = now or datetime.now(UTC)
    return [
        ProviderModel(model["id"], capabilities=capabilities(model["id"]))
        for model in body.get("data") or []
        if not _is_over(model.get("shutdown_date"), today)
    ]


def _is_over(shutdown: Any, now: datetime) -> bool:
    """An ISO date, or seconds since 1970 as `created` has them; anything else is not a date and says nothing."""
    if isinstance(shutdown, int | float):
        return shutdown <= now.timestamp()
    try:
        return date.fromisoformat(str(shutdown)[:10]) <= now.date()
    except ValueError:
        return False


def capabilities(model: str) -> tuple[str, ...]:
    """What a model can do, by its name: the list of models does not say it."""
    name = model.lower()
    return next((makes for word, makes in _NOT_CHAT.items() if word in name), ("chat", "text"))


def decode_images(body: Json, call: MediaCall) -> list[Made]:
    """`{"data": [{"b64_json"}], "usage"}`."""
    tokens = (body.get("usage") or {}).get("total_tokens")
    return [made_picture(binascii.a2b_base64(image["b64_json"]), call.model, tokens) for image in body["data"]]

"""Claude over the Anthropic Messages API: https://platform.claude.com/docs/en/api/messages (version 2026-10-21)."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote

from pydantic import JsonValue

from spoonkernel.providers.base import ChatCall, Json, ProviderModel
from spoonkernel.providers.http import ProviderHTTP
from spoonkernel.providers.pictures import is_web, picture_of
from spoonkernel.providers.refusal import Refusal
from spoonkernel.providers.stream import END, StreamRequest, deltas, split_options
from spoonkernel.types.chat import Delta, FinishReason, Message, TextPart, Usage

VERSION = "2026-10-21"
SAMPLING_VERSION = "2023-06-01"  # the last one that knows SAMPLING, and only for models up to 4.6
SAMPLING = ("temperature", "top_p", "top_k")
UNKNOWN = ("seed", "presence_penalty", "frequency_penalty")  # options of other providers, on no version
MAX_TOKENS = 4096  # the API refuses a request without a limit; thinking counts too
LISTING_S = 15.0
MAX_PAGES = 10
_FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class Claude:
    """Chat with Anthropic's models."""

    def __init__(self, http: ProviderHTTP) -> None:
        self._http = http

    def stream(self, call: ChatCall) -> AsyncGenerator[Delta, None]:
        """See `Provider`."""
        return deltas(self._http, lambda: encode(call))

    async def models(self) -> list[ProviderModel]:
        found: list[ProviderModel] = []
        after = ""
        for _ in range(MAX_PAGES):
            path = "/v1/models?limit=1000" + (f"&after_id={quote(after, safe='')}" if after else "")
            models, after = await self._http.json(
                "GET",
                path,
                decode=decode_models,
                timeout_s=LISTING_S,
                retries=0,
                headers={"anthropic-version": VERSION},
            )
            found += models
            if not after:
                break
        return found


def encode(call: ChatCall) -> StreamRequest:
    """System text goes beside the messages, not among them. Which version depends on the options: see `SAMPLING`."""
    options, timeout_s = split_options(call)
    dropped = [name for name in UNKNOWN if options.pop(name, None) is not None]
    stop = options.pop("stop", None)
    if stop is not None:
        options["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    system = "\n\n".join(message.text for message in call.messages if message.role == "system")
    turns = [_turn(message) for message in call.messages if message.role != "system"]
    beside: Json = {"system": system} if system else {}
    body = {"max_tokens": MAX_TOKENS} | beside | options | {"model": call.model, "messages": turns, "stream": True}
    samples = any(name in body for name in SAMPLING)
    return StreamRequest(
        "/v1/messages",
        body,
        decode,
        timeout_s=timeout_s,
        headers={"anthropic-version": SAMPLING_VERSION if samples else VERSION},
        repair=repair,
        needs_end=True,
        warnings=(_left_out(dropped),) if dropped else (),
    )


def repair(request: StreamRequest, refusal: Refusal) -> StreamRequest | None:
    """The request without sampling, in the new version, when it was the sampling that a newer model refused."""
    set_here = [name for name in SAMPLING if name in request.body]
    sentence = refusal.sentence.lower()
    if refusal.status != 400 or not any(word in sentence for word in (*SAMPLING, "sampling")) or not set_here:
        return None
    body = {name: value for name, value in request.body.items() if name not in SAMPLING}
    warnings = (*request.warnings, _left_out(set_here))
    return replace(request, body=body, headers={"anthropic-version": VERSION}, warnings=warnings)


def _left_out(names: list[str]) -> str:
    return f"Claude does not accept {', '.join(names)}: left out"


def _turn(message: Message) -> Json:
    if isinstance(message.content, str):
        return {"role": message.role, "content": message.content}
    content: list[JsonValue] = []
    for part in message.content:
        if isinstance(part, TextPart):
            content.append({"type": "text", "text": part.text})
        else:
            content.append({"type": "image", "source": _source(part.image_url.url)})
    return {"role": message.role, "content": content}


def _source(url: str) -> Json:
    if is_web(url):
        return {"type": "url", "url": url}
    picture = picture_of(url)
    return {"type": "base64", "media_type": picture.content_type, "data": picture.base64}


def decode(event: Json) -> Delta | None:
    """One event. Thinking, signatures, pings and whatever comes new say nothing; only text blocks are text."""
    match event.get("type"):
        case "content_block_delta":
            delta = event["delta"]
            return Delta(text=delta["text"]) if delta["type"] == "text_delta" and delta["text"] else None
        case "message_start":
            message = event["message"]
            return Delta(usage=decode_usage(message.get("usage") or {}), model=message.get("model"))
        case "content_block_start":
            block = event["content_block"]
            return Delta(text=block["text"]) if block["type"] == "text" and block.get("text") else None
        case "message_delta":
            reason = event["delta"].get("stop_reason")
            finish = _FINISH.get(reason, "stop") if reason else None
            return Delta(finish_reason=finish, usage=decode_usage(event.get("usage") or {}))
        case "message_stop":
            return END
    return None


def decode_usage(counts: Json) -> Usage:
    """`input_tokens` leaves out what the cache read or wrote; `output_tokens` is cumulative: the last one counts."""
    prompt = counts.get("input_tokens")
    if prompt is not None:
        prompt += (counts.get("cache_creation_input_tokens") or 0) + (counts.get("cache_read_input_tokens") or 0)
    return Usage(prompt_tokens=prompt, completion_tokens=counts.get("output_tokens"))


def decode_models(body: Json, now: datetime | None = None) -> tuple[list[ProviderModel], str]:
    """One page, without retired and retiring models, and the id after which the next page starts (empty: none)."""
    moment = now or datetime.now(UTC)
    models = [
        ProviderModel(
            model["id"],
            name=model.get("display_name") or "",
            capabilities=("chat", "text", "vision") if _sees(model) else ("chat", "text"),
        )
        for model in body.get("data") or []
        if model.get("lifecycle", "active") == "active" and not _is_over(model.get("retires_at"), moment)
    ]
    return models, str(body.get("last_id") or "") if body.get("has_more") else ""


def _sees(model: Json) -> bool:
    return bool(((model.get("capabilities") or {}).get("image_input") or {}).get("supported"))


def _is_over(retires_at: str | None, now: datetime) -> bool:
    if not retires_at:
        return False
    moment = datetime.fromisoformat(retires_at)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) <= now

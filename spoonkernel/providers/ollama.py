"""Ollama's own API: https://github.com/ollama/ollama/blob/main/docs/api.md (seen on 0.9.3, and source of 2026-08)."""

from collections.abc import AsyncGenerator
from dataclasses import replace

from spoonkernel.providers.base import ChatCall, Json, ProviderModel
from spoonkernel.providers.http import ProviderHTTP
from spoonkernel.providers.pictures import read_picture
from spoonkernel.providers.stream import StreamRequest, deltas, split_options
from spoonkernel.types.chat import Delta, FinishReason, Message, Usage

TOKEN_CAP = 4096  # without one Ollama may talk for ever (9 minutes once); `max_tokens` overrules it, -1 lifts it
TOP_LEVEL = ("keep_alive", "think", "format", "tools", "logprobs", "top_logprobs")
LISTING_S = 15.0
_FINISH: dict[str, FinishReason] = {"stop": "stop", "length": "length", "load": "stop", "unload": "stop"}
_CAPABILITIES = {
    "completion": ("chat", "text"),
    "vision": ("vision",),
    "embedding": ("embedding",),
    "image": ("image",),
    "audio": ("audio",),
}


class Ollama:
    """Chat with models on an Ollama server, and what it holds in memory."""

    def __init__(self, http: ProviderHTTP) -> None:
        self._http = http

    def stream(self, call: ChatCall) -> AsyncGenerator[Delta, None]:
        """See `Provider`."""
        return deltas(self._http, lambda: encode(call))

    async def models(self) -> list[ProviderModel]:
        found, loaded = await self._list("/api/tags"), await self.loaded()
        return [replace(model, loaded=model.id in loaded) for model in found]

    async def loaded(self) -> set[str]:
        return {model.id for model in await self._list("/api/ps")}

    async def info(self, name: str) -> ProviderModel:
        shown = await self._http.json(
            "POST",
            "/api/show",
            {"model": name},
            decode=lambda body: decode_show(full_name(name), body),
            timeout_s=LISTING_S,
            missing=f"Model {name} not found",
        )
        listed = await self.models()  # the size is only there
        here = next((model for model in listed if model.id == shown.id), shown)
        return replace(shown, size_bytes=here.size_bytes, loaded=here.loaded)

    async def load(self, name: str) -> None:
        await self._generate({"model": name}, name)

    async def unload(self, name: str) -> None:
        await self._generate({"model": name, "keep_alive": 0}, name)

    async def _generate(self, body: Json, name: str) -> None:
        """A request without a prompt only loads or unloads."""
        missing = f"Model {name} not found"
        await self._http.json("POST", "/api/generate", body | {"stream": False}, decode=dict, missing=missing)

    async def _list(self, path: str) -> list[ProviderModel]:
        return await self._http.json("GET", path, decode=decode_models, timeout_s=LISTING_S, retries=0)


def full_name(name: str) -> str:
    """The name with its tag, as the lists have it: `llama3` is `llama3:latest`."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def encode(call: ChatCall) -> StreamRequest:
    options, timeout_s = split_options(call)
    top = {name: options.pop(name) for name in TOP_LEVEL if name in options}
    cap = options.pop("max_tokens", TOKEN_CAP)
    if isinstance(stop := options.get("stop"), str):
        options["stop"] = [stop]
    fixed: Json = {"model": call.model, "messages": [_turn(message) for message in call.messages], "stream": True}
    body = top | {"options": {"num_predict": cap} | options} | fixed
    return StreamRequest("/api/chat", body, decode, timeout_s=timeout_s, is_lines=True)


def _turn(message: Message) -> Json:
    turn: Json = {"role": message.role, "content": message.text}
    if images := message.images:
        turn["images"] = [read_picture(url, "Ollama").base64 for url in images]
    return turn


def decode(event: Json) -> Delta | None:
    """One line: `{"message": {"content"}, "done": false}`, the last one with `done_reason` and counts."""
    message = event.get("message")
    text = (message.get("content") or "") if message else ""
    if not event.get("done"):
        return Delta(text=text) if text else None
    return Delta(
        text=text,
        finish_reason=_FINISH.get(event.get("done_reason") or "stop", "error"),
        # Go leaves zeros out: no words written is a count, but a prompt that was in the cache was not counted
        usage=Usage(prompt_tokens=event.get("prompt_eval_count"), completion_tokens=event.get("eval_count", 0)),
        model=event.get("model"),
    )


def decode_models(body: Json) -> list[ProviderModel]:
    """`/api/tags`, and `/api/ps` in the same shape."""
    return [
        ProviderModel(
            model["name"],
            size_bytes=model.get("size"),
            capabilities=_capabilities(model.get("capabilities")),
            description=_description(model.get("details")),
        )
        for model in body.get("models") or []
    ]


def decode_show(name: str, body: Json) -> ProviderModel:
    """`/api/show`; `parameters` are lines such as `stop      "<|im_end|>"`."""
    lines = (line.split(None, 1) for line in (body.get("parameters") or "").splitlines())
    return ProviderModel(
        name,
        capabilities=_capabilities(body.get("capabilities")),
        parameters=", ".join("=".join(part.strip().strip('"') for part in line) for line in lines if line),
        template=body.get("template") or "",
        description=_description(body.get("details")),
    )


def _capabilities(words: list[str] | None) -> tuple[str, ...]:
    known = [ours for word in words or ["completion"] for ours in _CAPABILITIES.get(word, ())]
    return tuple(dict.fromkeys(known))


def _description(details: Json | None) -> str:
    """`llama 134.52M Q4_1`."""
    words = [(details or {}).get(field) for field in ("family", "parameter_size", "quantization_level")]
    return " ".join(word for word in words if word)

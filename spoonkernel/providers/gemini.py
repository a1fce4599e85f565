"""Gemini over the Generative Language API: https://ai.google.dev/api/generate-content (v1beta: it has every model)."""

import binascii
from collections.abc import AsyncGenerator
from urllib.parse import quote

from pydantic import JsonValue

from spoonkernel.errors import ProviderRefused
from spoonkernel.providers.base import ChatCall, Json, Made, MediaCall, ProviderModel
from spoonkernel.providers.http import ProviderHTTP
from spoonkernel.providers.pictures import guess_web, is_web, made_picture, picture_of
from spoonkernel.providers.stream import StreamRequest, deltas, split_options
from spoonkernel.types.chat import Delta, FinishReason, Message, TextPart, Usage

LISTING_S = 15.0
MAX_PAGES = 10
TOP_LEVEL = ("safetySettings", "tools", "toolConfig", "cachedContent")
_NAMES = {
    "max_tokens": "maxOutputTokens",
    "top_p": "topP",
    "top_k": "topK",
    "stop": "stopSequences",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
"""The contract's options under Gemini's names; every other option goes into `generationConfig` as it is."""
_FINISH: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
}
"""Any other one (MALFORMED_FUNCTION_CALL, OTHER, NO_IMAGE, ...) is an `error`."""


class Gemini:
    """Chat and pictures of Google's models. The key goes in a header, never in the URL."""

    def __init__(self, http: ProviderHTTP) -> None:
        self._http = http

    def stream(self, call: ChatCall) -> AsyncGenerator[Delta, None]:
        """See `Provider`."""
        return deltas(self._http, lambda: encode(call))

    async def models(self) -> list[ProviderModel]:
        found: list[ProviderModel] = []
        token = ""
        for _ in range(MAX_PAGES):
            path = "/v1beta/models?pageSize=1000" + (f"&pageToken={quote(token, safe='')}" if token else "")
            models, token = await self._http.json("GET", path, decode=decode_models, timeout_s=LISTING_S, retries=0)
            found += models
            if not token:
                break
        return found

    async def images(self, call: MediaCall) -> list[Made]:
        """One picture a call, mostly. `aspectRatio` and `imageSize` are Gemini's words for its shape."""
        options, timeout_s = split_options(ChatCall(call.model, [], call.options))
        shape = {name: options.pop(name) for name in ("aspectRatio", "imageSize") if name in options}
        config = _config(options) | {"responseModalities": ["TEXT", "IMAGE"]}
        if shape:
            config["imageConfig"] = shape
        body = {"contents": [{"role": "user", "parts": [{"text": call.prompt}]}], "generationConfig": config}
        return await self._http.json(
            "POST",
            f"{_path(call.model)}:generateContent",
            body,
            decode=lambda answer: decode_images(answer, call.model),
            timeout_s=timeout_s,
        )


def encode(call: ChatCall) -> StreamRequest:
    """System text goes beside the turns, and turns of one speaker in a row are one turn."""
    options, timeout_s = split_options(call)
    top = {name: options.pop(name) for name in TOP_LEVEL if name in options}
    contents: list[Json] = []
    for message in call.messages:
        if message.role == "system":
            continue
        role = "model" if message.role == "assistant" else "user"
        if contents and contents[-1]["role"] == role:
            contents[-1]["parts"] += _parts(message)
        else:
            contents.append({"role": role, "parts": _parts(message)})
    body: Json = top | {"contents": contents}
    if system := "\n\n".join(message.text for message in call.messages if message.role == "system"):
        body["systemInstruction"] = {"parts": [{"text": system}]}
    if config := _config(options):
        body["generationConfig"] = config
    return StreamRequest(f"{_path(call.model)}:streamGenerateContent?alt=sse", body, decode, timeout_s=timeout_s)


def _path(model: str) -> str:
    return f"/v1beta/models/{quote(model.removeprefix('models/'), safe='')}"


def _config(options: dict[str, JsonValue]) -> Json:
    config: Json = {_NAMES.get(name, name): value for name, value in options.items()}
    if isinstance(stop := config.get("stopSequences"), str):
        config["stopSequences"] = [stop]
    return config


def _parts(message: Message) -> list[Json]:
    if isinstance(message.content, str):
        return [{"text": message.content}]
    return [
        {"text": part.text} if isinstance(part, TextPart) else _picture(part.image_url.url) for part in message.content
    ]


def _picture(url: str) -> Json:
    if is_web(url):
        return {"fileData": {"mimeType": guess_web(url), "fileUri": url}}
    picture = picture_of(url)
    return {"inlineData": {"mimeType": picture.content_type, "data": picture.base64}}


def decode(event: Json) -> Delta | None:
    """One `GenerateContentResponse`. No end event: the chunk with `finishReason` is the last but for counts."""
    candidates = event.get("candidates")
    counts = event.get("usageMetadata")
    usage = decode_usage(counts) if counts else None
    if not candidates:
        _check_blocked(event)
        return Delta(usage=usage) if usage else None
    candidate = candidates[0]
    parts = (candidate.get("content") or {}).get("parts") or ()
    text = "".join(part.get("text") or "" for part in parts if not part.get("thought"))
    reason = candidate.get("finishReason")
    finish = _FINISH.get(reason, "error") if reason else None
    return Delta(text=text, finish_reason=finish, usage=usage, model=event.get("modelVersion") if finish else None)


def _check_blocked(event: Json) -> None:
    feedback = event.get("promptFeedback") or {}
    if reason := feedback.get("blockReason"):
        explained = feedback.get("blockReasonMessage") or "change the prompt, or the safetySettings option"
        raise ProviderRefused(f"Gemini blocked the prompt ({reason}): {explained}")


def decode_usage(counts: Json) -> Usage:
    """Thoughts are paid for as written tokens; a chunk before the first one written has no count of them."""
    written, thought = counts.get("candidatesTokenCount"), counts.get("thoughtsTokenCount")
    return Usage(
        prompt_tokens=counts.get("promptTokenCount"),
        completion_tokens=None if written is None and thought is None else (written or 0) + (thought or 0),
        total_tokens=counts.get("totalTokenCount"),
    )


def decode_models(body: Json) -> tuple[list[ProviderModel], str]:
    """One page of the models that answer `generateContent`, and the next page's token (empty: none)."""
    models = []
    for model in body.get("models") or []:
        if "generateContent" not in (model.get("supportedGenerationMethods") or ()):
            continue
        name = model["name"].removeprefix("models/")
        models.append(
            ProviderModel(
                name,
                name=model.get("displayName") or "",
                capabilities=_capabilities(name),
                description=model.get("description") or "",
            )
        )
    return models, str(body.get("nextPageToken") or "")


def _capabilities(name: str) -> tuple[str, ...]:
    """The list does not say it, the name does."""
    if "-tts" in name:
        return ("audio",)
    return ("chat", "text", "vision", "image") if "-image" in name else ("chat", "text", "vision")


def decode_images(body: Json, model: str) -> list[Made]:
    """The pictures among the parts; an answer in words instead is a refusal in those words."""
    _check_blocked(body)
    candidates = body.get("candidates") or [{}]
    parts = [part for one in candidates for part in (one.get("content") or {}).get("parts") or ()]
    tokens = (body.get("usageMetadata") or {}).get("totalTokenCount")
    made = [
        made_picture(binascii.a2b_base64(data["data"]), model, tokens, data.get("mimeType") or "image/png")
        for part in parts
        if (data := part.get("inlineData")) and not part.get("thought")
    ]
    if not made:
        words = "".join(part.get("text") or "" for part in parts if not part.get("thought")).strip()
        raise ProviderRefused(
            f"Gemini made no picture: {words or candidates[0].get('finishReason') or 'no reason given'}"
        )
    return made

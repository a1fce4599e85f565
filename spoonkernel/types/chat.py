"""Chat: messages in, deltas or one reply out. Content parts are in OpenAI's shape, as `spec/decisions` settled."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, model_validator

from spoonkernel.types.base import ChatProviderName, Wire

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "error"]
MAX_MESSAGES = 2_000
MAX_TEXT = 4_000_000  # characters in one message; the body limit of 16 MB is reached first with images

SAMPLING_OPTIONS = frozenset(
    {"temperature", "max_tokens", "top_p", "top_k", "seed", "stop", "presence_penalty", "frequency_penalty"}
)
"""Names that may also ride beside `messages`, as OpenAI's clients send them."""


class TextPart(Wire):
    type: Literal["text"]
    text: Annotated[str, Field(max_length=MAX_TEXT)]


class ImageURL(Wire):
    """`url` is a data URL (`data:image/png;base64,...`); a web address only where the provider fetches it itself."""

    url: str


class ImagePart(Wire):
    type: Literal["image_url"]
    image_url: ImageURL


ContentPart = Annotated[TextPart | ImagePart, Field(discriminator="type")]


class Message(Wire):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Field(max_length=MAX_TEXT)] | list[ContentPart]

    @property
    def text(self) -> str:
        """The words of the turn, without its images."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if isinstance(part, TextPart))

    @property
    def images(self) -> list[str]:
        """The image URLs of the turn, in order."""
        if isinstance(self.content, str):
            return []
        return [part.image_url.url for part in self.content if isinstance(part, ImagePart)]


class ChatRequest(Wire):
    """The body of `POST /chat` and `POST /chat/stream`."""

    provider: ChatProviderName
    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_MESSAGES)]
    model: str | None = None
    profile_id: str | None = None
    options: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _gather_options(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        beside = {name: data[name] for name in SAMPLING_OPTIONS & data.keys()}
        if not beside:
            return data
        rest = {name: value for name, value in data.items() if name not in beside}
        return rest | {"options": beside | (data.get("options") or {})}


class Usage(Wire):
    """Token counts as the provider said them; None where it said nothing (never 0, never guessed)."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None

    def merged(self, later: "Usage") -> "Usage":
        """These counts with every one that `later` knows taken from it; the total is added up if nobody said it."""
        prompt = self.prompt_tokens if later.prompt_tokens is None else later.prompt_tokens
        completion = self.completion_tokens if later.completion_tokens is None else later.completion_tokens
        total = later.total_tokens
        if total is None and prompt is not None and completion is not None:
            total = prompt + completion
        return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=total)


class Delta(Wire):
    """One streamed piece. The last one of a stream has a `finish_reason`, who answered, and the usage where known."""

    text: str = ""
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    provider: str | None = None
    model: str | None = None
    warnings: list[str] = Field(default_factory=list)


class ChatReply(Wire):
    """The answer of `POST /chat`."""

    response: str
    provider: str
    model: str
    usage: Usage
    finish_reason: FinishReason | None = None
    warnings: list[str] = Field(default_factory=list)
    """What had to be left out or renamed for the provider to accept the request."""


@dataclass
class Answer:
    """A stream's deltas gathered into one reply."""

    provider: str
    text: list[str] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    warnings: list[str] = field(default_factory=list)
    last: Delta = field(default_factory=Delta)

    def add(self, delta: Delta) -> None:
        self.text.append(delta.text)
        self.warnings.extend(delta.warnings)
        if delta.usage is not None:
            self.usage = delta.usage
        self.last = delta

    def reply(self) -> ChatReply:
        return ChatReply(
            response="".join(self.text),
            provider=self.last.provider or self.provider,
            model=self.last.model or "",
            usage=self.usage,
            finish_reason=self.last.finish_reason,
            warnings=self.warnings,
        )

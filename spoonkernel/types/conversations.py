"""Conversations: trees of turns that outlive a kernel. Editing or asking again makes a branch; nothing is lost."""

from typing import Annotated, Literal, TypedDict

from pydantic import Field, JsonValue

from spoonkernel.types.base import ChatProviderName, Timestamp, Wire
from spoonkernel.types.chat import MAX_TEXT, FinishReason, Usage

Title = Annotated[str, Field(max_length=255)]
TurnState = Literal["writing", "complete", "stopped", "failed"]
MAX_ATTACHMENTS = 20
MAX_ATTACHMENT_BYTES = 50 * 1024 * 1024


class Attachment(Wire):
    """A picture that goes with a question, kept in the media folder as it was given."""

    content: str
    """`/storage/media/NAME`."""
    thumbnail: str | None = None
    """A WebP of 256 px at most, in the media folder."""
    filename: str = ""
    content_type: str
    width: int | None = None
    height: int | None = None
    size_bytes: int


class Trouble(Wire):
    """Why an answer failed: the error's code and words, and how long the other side asks to wait."""

    code: str
    message: str
    retry_after_s: float | None = None


class Turn(Wire):
    """One question or one answer. A question is always `complete`.

    Turns with the same `parent_id` are alternatives of each other (None: the beginnings), in the order of `created_at`.
    """

    id: str
    conversation_id: str
    parent_id: str | None = None
    role: Literal["user", "assistant"]
    text: str = ""
    attachments: list[Attachment] = Field(default_factory=list)
    state: TurnState = "complete"
    provider: str | None = None
    model: str | None = None
    profile_id: str | None = None
    error: Trouble | None = None
    warnings: list[str] = Field(default_factory=list)
    finish_reason: FinishReason | None = None
    usage: Usage = Field(default_factory=Usage)
    first_token_ms: float | None = None
    """From the request to the first piece of text."""
    duration_ms: float | None = None
    """From the request to the end."""
    cost_usd: float | None = None
    """Known where the provider counted and the profile's options have `input_usd_per_million` and
    `output_usd_per_million`."""
    created_at: Timestamp


class Conversation(Wire):
    """A conversation without its turns. What the next answer is asked with: provider to options."""

    id: str
    title: str
    provider: str | None = None
    model: str | None = None
    profile_id: str | None = None
    system: str | None = None
    options: dict[str, JsonValue] = Field(default_factory=dict)
    active_turn_id: str | None = None
    """The last turn of the branch that is shown."""
    turn_count: int = 0
    created_at: Timestamp
    updated_at: Timestamp


class ConversationDetail(Conversation):
    """A conversation with every turn of every branch, parents before their children."""

    turns: list[Turn] = Field(default_factory=list)


class ConversationCreate(Wire):
    """The body of `POST /conversations`."""

    title: Title = ""
    provider: ChatProviderName | None = None
    model: str | None = None
    profile_id: str | None = None
    system: Annotated[str, Field(max_length=MAX_TEXT)] | None = None
    options: dict[str, JsonValue] = Field(default_factory=dict)


class ConversationUpdate(Wire):
    """The body of `PUT /conversations/:id`: what is sent changes."""

    title: Title = ""
    provider: ChatProviderName | None = None
    model: str | None = None
    profile_id: str | None = None
    system: Annotated[str, Field(max_length=MAX_TEXT)] | None = None
    options: dict[str, JsonValue] = Field(default_factory=dict)
    active_turn_id: str | None = None


class ConversationChanges(TypedDict, total=False):
    """`ConversationUpdate` as keyword arguments: only the fields that are given change."""

    title: str
    provider: ChatProviderName | None
    model: str | None
    profile_id: str | None
    system: str | None
    options: dict[str, JsonValue]
    active_turn_id: str | None


class TurnCreate(Wire):
    """The body of `POST /conversations/:id/turns`: a question."""

    text: Annotated[str, Field(max_length=MAX_TEXT)]
    attachments: Annotated[list[str], Field(max_length=MAX_ATTACHMENTS)] = Field(default_factory=list)
    """The `content` paths that `attach` answered with."""
    parent_id: str | None = None
    """The turn that it follows; None begins the conversation (again)."""


class ReplyRequest(Wire):
    """The body of `POST /conversations/:id/turns/:turn_id/reply`."""

    id: str | None = None
    """The answer's own id, a UUID, where the caller wants to know it before the first word."""
    provider: ChatProviderName | None = None
    model: str | None = None
    profile_id: str | None = None
    options: dict[str, JsonValue] = Field(default_factory=dict)
    activate: bool = True
    """Whether the answer becomes the branch that is shown; of several models asked at once only one can."""

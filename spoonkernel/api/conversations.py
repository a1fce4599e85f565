from collections.abc import AsyncIterator
from typing import Protocol, Unpack

from pydantic import JsonValue

from spoonkernel.api.marks import http
from spoonkernel.types.base import ChatProviderName, Rows
from spoonkernel.types.chat import Delta
from spoonkernel.types.conversations import (
    Attachment,
    Conversation,
    ConversationChanges,
    ConversationDetail,
    Turn,
)


class ConversationsAPI(Protocol):
    """Conversations that are kept: trees of turns, with what each answer took. Ours: the reference has none."""

    @http("GET /conversations", ours=True)
    async def list(self, *, search: str | None = None, limit: int = 20, offset: int = 0) -> Rows[Conversation]:
        """Conversations, the last changed first. `search` looks in titles and texts, case-insensitively."""
        ...

    @http("POST /conversations", ours=True)
    async def create(
        self,
        *,
        title: str = "",
        provider: ChatProviderName | None = None,
        model: str | None = None,
        profile_id: str | None = None,
        system: str | None = None,
        options: dict[str, JsonValue] | None = None,
    ) -> Conversation:
        """A new conversation. Without a title it takes the beginning of its first question."""
        ...

    @http("GET /conversations/{conversation_id}", ours=True)
    async def get(self, conversation_id: str) -> ConversationDetail:
        """One conversation with every turn. An answer whose process died while it was written is `stopped`."""
        ...

    @http("PUT /conversations/{conversation_id}", ours=True)
    async def update(self, conversation_id: str, **changes: Unpack[ConversationChanges]) -> Conversation:
        """Change title, model, system prompt, options, or the branch that is shown (`active_turn_id`)."""
        ...

    @http("DELETE /conversations/{conversation_id}", ours=True)
    async def delete(self, conversation_id: str) -> None:
        """Delete a conversation with its turns and the files attached to them. Answers being written are stopped."""
        ...

    @http("POST /conversations/{conversation_id}/attachments", ours=True)
    async def attach(self, conversation_id: str, content: bytes, *, filename: str = "") -> Attachment:
        """Keep a picture (png, jpeg, webp or gif, 50 MB at most) for a question of this conversation.

        Raises:
            ValidationFailed: its bytes are no such picture, whatever it is called.
        """
        ...

    @http("POST /conversations/{conversation_id}/turns", ours=True)
    async def say(
        self,
        conversation_id: str,
        *,
        text: str,
        attachments: Rows[str] | None = None,
        parent_id: str | None = None,
    ) -> Turn:
        """Add a question after `parent_id` (None: at the beginning) and show its branch. Nobody answers yet: see
        `reply`.

        Raises:
            ValidationFailed: it is empty, or an attachment is not one of this conversation's.
        """
        ...

    @http("POST /conversations/{conversation_id}/turns/{turn_id}/reply", ours=True)
    def reply(
        self,
        conversation_id: str,
        turn_id: str,
        *,
        id: str | None = None,
        provider: ChatProviderName | None = None,
        model: str | None = None,
        profile_id: str | None = None,
        options: dict[str, JsonValue] | None = None,
        activate: bool = True,
    ) -> AsyncIterator[Delta]:
        """Have the branch that ends with `turn_id` answered, piece by piece; the answer is a new turn below it.

        What is left out is taken from the conversation, its profile only where no provider is named. Closing the
        iterator stops the provider; what had arrived is kept as a `stopped` turn. A failed one is kept as `failed` with
        its error and what had arrived, and the error is raised. Large pictures are sent smaller than they are kept.

        Raises:
            BadRequest: no provider is named here or in the conversation.
            Conflict: `id` is taken.
        """
        ...

    @http("DELETE /conversations/{conversation_id}/turns/{turn_id}", ours=True)
    async def delete_turn(self, conversation_id: str, turn_id: str) -> ConversationDetail:
        """Delete a turn with everything below it; the branch that is shown moves to what is left."""
        ...

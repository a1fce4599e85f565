from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

from pydantic import JsonValue

from spoonkernel.api.marks import http
from spoonkernel.types.base import ChatProviderName
from spoonkernel.types.chat import ChatReply, Delta, Message


class ChatAPI(Protocol):
    """Talk to a model of any provider."""

    @http("POST /chat")
    async def send(
        self,
        *,
        provider: ChatProviderName,
        messages: Sequence[Message | dict[str, Any]],
        model: str | None = None,
        profile_id: str | None = None,
        options: dict[str, JsonValue] | None = None,
    ) -> ChatReply:
        """Send a conversation, get the whole answer.

        Args:
            provider: who answers.
            messages: the turns so far, oldest first; `{"role": ..., "content": ...}` or `Message`.
            model: None takes the profile's or the settings' default, else the first that the provider lists.
            profile_id: whose key, address and defaults to use.
            options: temperature, max_tokens, top_p, seed, stop, timeout_s (the whole answer's deadline) and whatever
                else the provider knows.

        Raises:
            ProviderRefused: the provider said no, in its own words.
            ProviderConnectionError: it cannot be reached, or failed on its own side.
            StreamTruncated: the answer broke off; the error's `partial` has what arrived.
        """
        ...

    @http("POST /chat/stream", ours=True)
    def stream(
        self,
        *,
        provider: ChatProviderName,
        messages: Sequence[Message | dict[str, Any]],
        model: str | None = None,
        profile_id: str | None = None,
        options: dict[str, JsonValue] | None = None,
    ) -> AsyncIterator[Delta]:
        """The same, piece by piece. The last delta has `finish_reason` and `usage`; closing the iterator stops the
        provider."""
        ...

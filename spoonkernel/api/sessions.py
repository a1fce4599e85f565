from typing import Protocol, Unpack

from pydantic import JsonValue

from spoonkernel.api.marks import http
from spoonkernel.types.base import Rows
from spoonkernel.types.generations import Generation
from spoonkernel.types.sessions import Session, SessionChanges, SessionDetail


class SessionsAPI(Protocol):
    """Sessions group the generations of one ComfyUI, as a conversation groups messages."""

    @http("GET /comfyui/sessions")
    async def list(self) -> Rows[Session]:
        """All sessions, the newest first, with their counts."""
        ...

    @http("POST /comfyui/sessions")
    async def create(self, *, profile_id: str | None = None, title: str = "Untitled session") -> Session:
        """A new session. Without `profile_id` it belongs to the first comfyui profile that was made.

        Raises:
            BadRequest: there is no comfyui profile, or the profile is for another provider.
        """
        ...

    @http("GET /comfyui/sessions/{session_id}")
    async def get(self, session_id: str) -> SessionDetail:
        """One session with its 20 newest generations."""
        ...

    @http("PUT /comfyui/sessions/{session_id}")
    async def update(self, session_id: str, **changes: Unpack[SessionChanges]) -> Session:
        """Change the title or the current workflow."""
        ...

    @http("DELETE /comfyui/sessions/{session_id}")
    async def delete(self, session_id: str) -> None:
        """Delete a session with its generations and their files; those that run are cancelled first."""
        ...

    @http("POST /comfyui/sessions/{session_id}/generate", headers={"idempotency_key": "Idempotency-Key"})
    async def generate(
        self,
        session_id: str,
        *,
        prompt_text: str,
        negative_prompt: str | None = None,
        workflow_id: str | None = None,
        parameters: dict[str, JsonValue] | None = None,
        idempotency_key: str | None = None,
    ) -> Generation:
        """Submit a run and return its row as soon as ComfyUI has taken it.

        Args:
            workflow_id: without it the session's current workflow, else the default one of its profile.
            parameters: the reference's names (`width`, `steps`, `cfg_scale`, `seed`, ...), or exact addresses of inputs
                in the graph (`"3.denoise"`). They lie over the session's last ones, the workflow's defaults and its
                graph. A seed of -1, or none, is drawn here and recorded.
            idempotency_key: a second call with the same key returns the first one's generation.

        Raises:
            ValidationFailed: a value that its input does not take, or a prompt for a workflow that shows none.
            ProviderRefused: ComfyUI refuses the graph; the message names node, field and reason.
            ProviderConnectionError: ComfyUI does not answer. The row says `failed`.
        """
        ...

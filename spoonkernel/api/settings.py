from typing import Protocol, Unpack

from spoonkernel.api.marks import http
from spoonkernel.types.base import Rows
from spoonkernel.types.settings import ConnectionTest, ProviderSettings, SettingsChanges


class SettingsAPI(Protocol):
    """One key a provider (`openai`, `gemini`, `claude`): the reference's older way beside profiles."""

    @http("GET /settings")
    async def list(self) -> Rows[ProviderSettings]:
        """Every provider with stored settings, keys masked."""
        ...

    @http("GET /settings/{provider}")
    async def get(self, provider: str) -> ProviderSettings:
        """One provider's settings. Raises `NotFound` when nothing is stored, `BadRequest` for an unknown provider."""
        ...

    @http("PUT /settings/{provider}")
    async def update(self, provider: str, *, api_key: str, **changes: Unpack[SettingsChanges]) -> None:
        """Store a provider's key, and its `endpoint_url` and `default_model` where they are given.

        The mask as `api_key` keeps the stored key, but never together with a new address: a stored key does not go
        to a new host.
        """
        ...

    @http("POST /settings/{provider}/test")
    async def test(self, provider: str) -> ConnectionTest:
        """Ask the provider for its models with the stored key, and remember the outcome. Costs no tokens."""
        ...

    @http("DELETE /settings/{provider}")
    async def delete(self, provider: str) -> None:
        """Forget a provider's settings and its key."""
        ...

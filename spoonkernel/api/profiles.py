from typing import Protocol, Unpack

from pydantic import JsonValue

from spoonkernel.api.marks import http
from spoonkernel.types.base import MediaType, ProviderName, Rows
from spoonkernel.types.profiles import Modality, ModelSync, Profile, ProfileChanges, ProfileModel
from spoonkernel.types.settings import ConnectionTest


class ProfilesAPI(Protocol):
    """Stored connections to providers. Keys are encrypted at rest and masked in every answer."""

    @http("GET /profiles")
    async def list(self, *, provider: ProviderName | None = None) -> Rows[Profile]:
        """All profiles, newest first."""
        ...

    @http("POST /profiles")
    async def create(
        self,
        *,
        name: str,
        type: MediaType,
        provider: ProviderName,
        description: str | None = None,
        api_key: str | None = None,
        url: str | None = None,
        options: dict[str, JsonValue] | None = None,
        prompt_template: str | None = None,
        input_modalities: Rows[Modality] | None = None,
        output_modalities: Rows[Modality] | None = None,
    ) -> Profile:
        """Store a connection.

        Args:
            url: the address that provider's own clients take: `.../v1` for openai and compatible servers, the bare
                host for ollama, claude, gemini and comfyui, a GGUF file's path for local. None: the usual address.
            options: defaults under every request's own; `concurrency` and `rate_per_minute` limit this profile's tasks,
                `input_usd_per_million` and `output_usd_per_million` say what a million tokens cost.
            prompt_template: the default system prompt.
        """
        ...

    @http("GET /profiles/{profile_id}")
    async def get(self, profile_id: str) -> Profile: ...

    @http("PUT /profiles/{profile_id}")
    async def update(self, profile_id: str, **changes: Unpack[ProfileChanges]) -> Profile:
        """Change what is given. The masked key keeps the stored one; a new `url` needs the key sent again."""
        ...

    @http("DELETE /profiles/{profile_id}")
    async def delete(self, profile_id: str, *, force: bool = False) -> None:
        """Forget a profile. `Conflict` when sessions or workflows use it, unless `force` deletes them too."""
        ...

    @http("GET /profiles/{profile_id}/models")
    async def models(self, profile_id: str) -> Rows[ProfileModel]:
        """The models listed under a profile."""
        ...

    @http("POST /profiles/{profile_id}/models")
    async def add_model(self, profile_id: str, *, model_id: str, name: str | None = None) -> ProfileModel:
        """List one more model under a profile; adding one again renames it."""
        ...

    @http("DELETE /profiles/{profile_id}/models/{model_id}")
    async def remove_model(self, profile_id: str, model_id: str) -> None:
        """Take a model off a profile, by the provider's id for it or by its row's."""
        ...

    @http("POST /profiles/{profile_id}/models/sync")
    async def sync_models(self, profile_id: str) -> ModelSync:
        """Make the profile's models those that the provider lists now."""
        ...

    @http("POST /profiles/test-connection")
    async def test_connection(
        self,
        *,
        provider: ProviderName,
        api_key: str | None = None,
        url: str | None = None,
        profile_id: str | None = None,
    ) -> ConnectionTest:
        """Ask a provider for its models, storing nothing. Costs no tokens; a failure is an answer, not an error."""
        ...

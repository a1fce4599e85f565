"""Profiles: stored connections to providers, with their keys, defaults and models."""

from typing import Annotated, Literal, TypedDict

from pydantic import Field, JsonValue

from spoonkernel.types.base import MediaType, ProviderName, Timestamp, Wire

Modality = Literal["text", "image", "video", "audio"]
Name = Annotated[str, Field(min_length=1, max_length=255)]
Key = Annotated[str, Field(max_length=1_000)]
URL = Annotated[str, Field(max_length=2_000)]


def _text() -> list[Modality]:
    return ["text"]


class Profile(Wire):
    """A stored connection; `api_key` is always the mask."""

    id: str
    name: str
    description: str | None = None
    type: MediaType
    provider: ProviderName
    api_key: str | None = None
    url: str | None = None
    options: dict[str, JsonValue] = Field(default_factory=dict)
    prompt_template: str | None = None
    input_modalities: list[Modality] = Field(default_factory=_text)
    output_modalities: list[Modality] = Field(default_factory=_text)
    created_at: Timestamp
    updated_at: Timestamp


class ProfileCreate(Wire):
    """The body of `POST /profiles`."""

    name: Name
    type: MediaType
    provider: ProviderName
    description: str | None = None
    api_key: Key | None = None
    url: URL | None = None
    options: dict[str, JsonValue] = Field(default_factory=dict)
    prompt_template: str | None = None
    input_modalities: list[Modality] | None = None
    output_modalities: list[Modality] | None = None


class ProfileUpdate(Wire):
    """The body of `PUT /profiles/:id`: what is sent changes, the rest stays. A name cannot be taken away."""

    name: Name = ""
    type: MediaType = "text"
    provider: ProviderName = "openai"
    description: str | None = None
    api_key: Key | None = None
    url: URL | None = None
    options: dict[str, JsonValue] = Field(default_factory=dict)
    prompt_template: str | None = None
    input_modalities: list[Modality] = Field(default_factory=_text)
    output_modalities: list[Modality] = Field(default_factory=_text)


class ProfileChanges(TypedDict, total=False):
    """`ProfileUpdate` as keyword arguments: only the fields that are given change."""

    name: str
    type: MediaType
    provider: ProviderName
    description: str | None
    api_key: str | None
    url: str | None
    options: dict[str, JsonValue]
    prompt_template: str | None
    input_modalities: list[Modality]
    output_modalities: list[Modality]


class ProfileModel(Wire):
    """One model listed under a profile: `model_id` is the provider's name for it, `name` the one people read."""

    id: str
    profile_id: str
    model_id: str
    name: str
    created_at: Timestamp


class ProfileModelCreate(Wire):
    """The body of `POST /profiles/:id/models`."""

    model_id: Name
    name: Name | None = None


class ModelSync(Wire):
    """What a sync changed, and the provider's models as they are now."""

    added: int
    removed: int
    models: list[str]


class ConnectionTestRequest(Wire):
    """The body of `POST /profiles/test-connection`. Nothing of it is stored."""

    provider: ProviderName
    api_key: Key | None = None
    url: URL | None = None
    profile_id: str | None = None
    """Whose stored key to use when `api_key` is left out or masked; only with that profile's own URL."""

"""Provider settings: one key a provider, the reference's older way beside profiles. Answers are camelCase."""

from typing import Annotated, Literal, TypedDict

from pydantic import Field

from spoonkernel.types.base import CamelWire, KeyedProviderName, Timestamp, Wire

SettingsStatus = Literal["untested", "connected", "error"]


class ProviderSettings(CamelWire):
    """Stored settings of one provider; `api_key` is always the mask."""

    id: str
    provider: KeyedProviderName
    api_key: str | None
    endpoint_url: str | None = None
    default_model: str | None = None
    last_tested: Timestamp | None = None
    status: SettingsStatus = "untested"
    error_message: str | None = None
    created_at: Timestamp
    updated_at: Timestamp


class SettingsUpdate(Wire):
    """The body of `PUT /settings/:provider`. What is left out beside the key stays as it is."""

    api_key: Annotated[str, Field(min_length=1, max_length=1_000)]
    endpoint_url: str | None = None
    default_model: str | None = None


class SettingsChanges(TypedDict, total=False):
    """The other fields of `SettingsUpdate` as keyword arguments: only those that are given change."""

    endpoint_url: str | None
    default_model: str | None


class ConnectionTest(Wire):
    """The outcome of a connection test. `latency` is in milliseconds. What does not apply is left out of the answer."""

    connected: bool
    latency: int | None = None
    model: str | None = None
    models: list[str] | None = None
    error: str | None = None

"""Provider settings: one key a provider, for openai, gemini and claude."""

import uuid
from typing import Any, Unpack, get_args

from spoonkernel.connections import Connections
from spoonkernel.errors import BadRequest, NotFound, ValidationFailed
from spoonkernel.providers.address import optional_url
from spoonkernel.services.checks import checked, new_key
from spoonkernel.services.probe import probe
from spoonkernel.store.settings import SettingsRepo, SettingsRow
from spoonkernel.types.base import KeyedProviderName, Rows, utc_now
from spoonkernel.types.settings import ConnectionTest, ProviderSettings, SettingsChanges, SettingsUpdate
from spoonkernel.vault import Vault


class SettingsService:
    def __init__(self, rows: SettingsRepo, connections: Connections, vault: Vault) -> None:
        self._rows, self._connections, self._vault = rows, connections, vault

    async def list(self) -> Rows[ProviderSettings]:
        return [self._shown(row) for row in await self._rows.list()]

    async def get(self, provider: str) -> ProviderSettings:
        return self._shown(await self._row(provider))

    async def update(self, provider: str, *, api_key: str, **changes: Unpack[SettingsChanges]) -> None:
        _check_provider(provider)
        if not api_key:
            raise ValidationFailed("apiKey is required")
        body = checked(SettingsUpdate, api_key=api_key, **changes).given()
        row = await self._rows.find(provider)
        shown = None if row is None else self._vault.masked(row.api_key, owner=_owner(provider))
        key = new_key("apiKey", body.pop("api_key"), shown)
        if "endpoint_url" in body:
            body["endpoint_url"] = optional_url(body["endpoint_url"], f"the settings of {provider}")
            if row is not None and key is None and body["endpoint_url"] != row.endpoint_url:
                raise BadRequest(
                    f"The address of {provider} changes: send its apiKey again, a stored key never goes to a new host"
                )
        now = utc_now()
        values: dict[str, Any] = body | {"updated_at": now}
        if key is not None:
            values["api_key"] = self._vault.encrypt(key, owner=_owner(provider))
            values |= {"status": "untested", "error_message": None}
        await self._rows.put(provider, values, first={"id": str(uuid.uuid4()), "created_at": now})
        self._connections.forget()

    async def test(self, provider: str) -> ConnectionTest:
        row = await self._row(provider)
        adapter = (await self._connections.resolve(provider)).adapter
        outcome = await probe(adapter)
        changes = {
            "last_tested": utc_now(),
            "status": "connected" if outcome.connected else "error",
            "error_message": outcome.error,
        }
        await self._rows.update(provider, changes)
        if not outcome.connected:
            return outcome
        model = row.default_model or next(iter(outcome.models or []), None)
        return ConnectionTest(connected=True, latency=outcome.latency, model=model)

    async def delete(self, provider: str) -> None:
        _check_provider(provider)
        if not await self._rows.delete(provider):
            raise NotFound(f"Settings for {provider} not found")
        self._connections.forget()

    async def _row(self, provider: str) -> SettingsRow:
        _check_provider(provider)
        row = await self._rows.find(provider)
        if row is None:
            raise NotFound(f"Settings for {provider} not found")
        return row

    def _shown(self, row: SettingsRow) -> ProviderSettings:
        return ProviderSettings.model_validate(
            row._asdict() | {"api_key": self._vault.masked(row.api_key, owner=_owner(row.provider))}
        )


def _owner(provider: str) -> str:
    return f"settings:{provider}"


def _check_provider(provider: str) -> None:
    keyed = get_args(KeyedProviderName)
    if provider not in keyed:
        raise BadRequest(f"{provider} has no settings: the provider is one of {', '.join(keyed)}")

"""Profiles: stored connections, with their keys, defaults and models."""

import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Protocol, Unpack

from pydantic import JsonValue

from spoonkernel.connections import Connections
from spoonkernel.errors import BadRequest, Conflict, ValidationFailed
from spoonkernel.providers.address import optional_url
from spoonkernel.providers.base import ProviderModel
from spoonkernel.providers.registry import PROVIDERS
from spoonkernel.services.checks import checked, new_key
from spoonkernel.services.probe import checkpoints_of, probe, timed
from spoonkernel.store.profiles import ProfileRepo, ProfileRow
from spoonkernel.types.base import MediaType, ProviderName, Rows, utc_now
from spoonkernel.types.profiles import (
    ConnectionTestRequest,
    Modality,
    ModelSync,
    Profile,
    ProfileChanges,
    ProfileCreate,
    ProfileModel,
    ProfileModelCreate,
    ProfileUpdate,
)
from spoonkernel.types.settings import ConnectionTest
from spoonkernel.vault import Vault

LIMITS = ("concurrency", "rate_per_minute")


class Runs(Protocol):
    """The generations of profiles, as this room needs them."""

    async def stop_all(self, profile_id: str) -> None: ...

    async def delete_files(self, paths: Iterable[str]) -> None: ...


class ProfileService:
    def __init__(self, rows: ProfileRepo, connections: Connections, vault: Vault, runs: Runs) -> None:
        self._rows, self._connections, self._vault, self._runs = rows, connections, vault, runs

    async def list(self, *, provider: ProviderName | None = None) -> Rows[Profile]:
        if provider is not None and provider not in PROVIDERS:
            raise ValidationFailed(f"provider: {provider!r} is none of {', '.join(PROVIDERS)}")
        return [self._shown(row) for row in await self._rows.list(provider)]

    async def create(
        self,
        *,
        name: str,
        type: MediaType,  # the contract's name
        provider: ProviderName,
        description: str | None = None,
        api_key: str | None = None,
        url: str | None = None,
        options: dict[str, JsonValue] | None = None,
        prompt_template: str | None = None,
        input_modalities: Rows[Modality] | None = None,
        output_modalities: Rows[Modality] | None = None,
    ) -> Profile:
        body = checked(
            ProfileCreate,
            name=name,
            type=type,
            provider=provider,
            description=description,
            api_key=api_key,
            url=url,
            options=options or {},
            prompt_template=prompt_template,
            input_modalities=input_modalities or ["text"],
            output_modalities=output_modalities or [type],
        )
        _check_options(body.options)
        key = new_key("apiKey", body.api_key, None)
        profile_id, now = str(uuid.uuid4()), utc_now()
        values = body.model_dump() | {
            "id": profile_id,
            "url": _address(body.provider, body.url),
            "api_key": self._sealed(profile_id, key),
            "created_at": now,
            "updated_at": now,
        }
        await self._rows.insert(values)
        return await self.get(profile_id)

    async def get(self, profile_id: str) -> Profile:
        return self._shown(await self._rows.get(profile_id))

    async def update(self, profile_id: str, **changes: Unpack[ProfileChanges]) -> Profile:
        row = await self._rows.get(profile_id)
        values = checked(ProfileUpdate, **changes).given()
        _check_options(values.get("options", {}))
        provider = values.get("provider", row.provider)
        if "url" in values or provider != row.provider:
            values["url"] = _address(provider, values.get("url", row.url))
        sent = values.pop("api_key", None)
        key = new_key("apiKey", sent, self._mask(row))
        moved = values.get("url", row.url) != row.url or provider != row.provider
        if moved and row.api_key is not None and key is None:
            raise BadRequest(
                f"The address of profile {profile_id} changes: send its apiKey again, "
                "a stored key never goes to a new host"
            )
        if key is not None:
            values["api_key"] = self._sealed(row.id, key)
        # never equal to the time before, so that a reader can tell the two apart
        values["updated_at"] = max(utc_now(), row.updated_at + timedelta(milliseconds=1))
        await self._rows.update(profile_id, values)
        self._connections.forget()
        return await self.get(profile_id)

    async def delete(self, profile_id: str, *, force: bool = False) -> None:
        used = {what: count for what, count in (await self._rows.users(profile_id)).items() if count}
        if used and not force:
            counts = " and ".join(f"{count} {what}" for what, count in used.items())
            raise Conflict(f"Profile {profile_id} is used by {counts}: delete it with ?force=true to delete them too")
        await self._runs.stop_all(profile_id)
        paths = await self._rows.delete(profile_id)
        self._connections.forget()
        await self._runs.delete_files(paths)

    async def models(self, profile_id: str) -> Rows[ProfileModel]:
        return [ProfileModel.model_validate(row._asdict()) for row in await self._rows.models(profile_id)]

    async def add_model(self, profile_id: str, *, model_id: str, name: str | None = None) -> ProfileModel:
        body = checked(ProfileModelCreate, model_id=model_id, name=name)
        values = _model_row(body.model_id, body.name or body.model_id)
        return ProfileModel.model_validate((await self._rows.put_model(profile_id, values))._asdict())

    async def remove_model(self, profile_id: str, model_id: str) -> None:
        await self._rows.remove_model(profile_id, model_id)

    async def sync_models(self, profile_id: str) -> ModelSync:
        found = await self._models_now(await self._rows.get(profile_id))
        added, removed = await self._rows.replace_models(
            profile_id, [_model_row(model.id, model.name or model.id) for model in found]
        )
        return ModelSync(added=added, removed=removed, models=[model.id for model in found])

    async def test_connection(
        self,
        *,
        provider: ProviderName,
        api_key: str | None = None,
        url: str | None = None,
        profile_id: str | None = None,
    ) -> ConnectionTest:
        body = checked(ConnectionTestRequest, provider=provider, api_key=api_key, url=url, profile_id=profile_id)
        address = _address(body.provider, body.url)
        try:
            if body.provider == "comfyui":
                client = self._connections.comfy_at(address, await self._test_key(body, address))
                return await timed(checkpoints_of(client))
            adapter = self._connections.adapter(body.provider, url=address, key=await self._test_key(body, address))
        except BadRequest as error:
            return ConnectionTest(connected=False, error=error.message)
        return await probe(adapter)

    async def _test_key(self, body: ConnectionTestRequest, address: str | None) -> str | None:
        """The key that was sent; a stored one only for the very address it was stored with."""
        if body.profile_id is not None:
            row = await self._rows.get(body.profile_id)
            stored = row.api_key is not None and body.api_key in {None, self._mask(row)}
            if stored and (row.provider, row.url) == (body.provider, address):
                return self._vault.decrypt(row.api_key, owner=f"profiles:{row.id}")
            if stored:
                raise BadRequest(
                    f"The address differs from the one of profile {row.id}: send its apiKey again, "
                    "a stored key never goes to a new host"
                )
        if body.api_key is None and address is None:
            return await self._connections.fallback_key(body.provider)
        return body.api_key or None

    async def _models_now(self, row: ProfileRow) -> Rows[ProviderModel]:
        """What the provider lists; a ComfyUI's models are its checkpoints."""
        if row.provider == "comfyui":
            return await checkpoints_of(self._connections.comfy(row))
        return await (await self._connections.of_row(row)).adapter.models()

    def _sealed(self, profile_id: str, key: str | None) -> bytes | None:
        return self._vault.encrypt(key, owner=f"profiles:{profile_id}") if key else None

    def _mask(self, row: ProfileRow) -> str | None:
        return self._vault.masked(row.api_key, owner=f"profiles:{row.id}")

    def _shown(self, row: ProfileRow) -> Profile:
        return Profile.model_validate(row._asdict() | {"api_key": self._mask(row)})


def _model_row(model_id: str, name: str) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "model_id": model_id, "name": name, "created_at": utc_now()}


def _address(provider: str, url: str | None) -> str | None:
    """The address as it is stored; for local it is a GGUF file's path."""
    return (url or "").strip() or None if provider == "local" else optional_url(url, PROVIDERS[provider].label)


def _check_options(options: dict[str, JsonValue]) -> None:
    for name in LIMITS:
        value = options.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ValidationFailed(f"options.{name}: a whole number of at least 1, not {value!r}")

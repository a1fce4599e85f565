"""Owner of every outbound client, and the way from a provider's name and a profile to somebody who answers.

A key comes from the profile, else from the provider's settings, else from the provider's usual environment variable.
A stored key only goes to the address it was stored with: a profile with an address of its own and no key sends none.
"""

import asyncio
from collections import OrderedDict
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aiohttp
import httpx
from pydantic import JsonValue

from spoonkernel.comfy.client import ComfyClient
from spoonkernel.comfy.http import new_session
from spoonkernel.comfy.socket import ComfySocket
from spoonkernel.config import PROVIDER_KEYS, Config
from spoonkernel.errors import BadRequest, ProviderConnectionError
from spoonkernel.providers.address import clean_url, new_connector
from spoonkernel.providers.base import Provider
from spoonkernel.providers.http import CONNECT_S, new_pool
from spoonkernel.providers.local import Local, LocalModels
from spoonkernel.providers.registry import PROVIDERS, build
from spoonkernel.store.profiles import ProfileRepo
from spoonkernel.store.settings import SettingsRepo
from spoonkernel.vault import Vault

OURS = ("concurrency", "rate_per_minute", "input_usd_per_million", "output_usd_per_million")
"""Options of a profile that no provider gets: for the task engine, and for what an answer costs."""

ADAPTERS = 128  # adapters kept; each is a few hundred bytes, and they share one connection pool
FRESH_S = 1.0  # how long another process's change of a profile or a key may go unnoticed; our own shows at once


@dataclass(frozen=True, slots=True)
class Connection:
    """Somebody who answers, with the defaults that lie under each request. `profile_id` is None without a profile."""

    provider: str
    label: str
    adapter: Provider
    profile_id: str | None = None
    default_model: str | None = None
    system_prompt: str | None = None
    options: dict[str, JsonValue] = field(default_factory=dict)


class Connections:
    """Opens and closes the HTTP pool and the local engine. Adapters are kept and shared between calls."""

    def __init__(self, config: Config, profiles: ProfileRepo, settings: SettingsRepo, vault: Vault) -> None:
        self._config, self._profiles, self._settings, self._vault = config, profiles, settings, vault
        self._adapters: OrderedDict[tuple[str, str | None, str | None], Provider] = OrderedDict()
        self._fresh: dict[tuple[str, str | None], tuple[float, Connection]] = {}
        self.changes = 0
        """How often something has changed here: whoever keeps rows of profiles reads them again when this moves."""
        self._comfy: OrderedDict[tuple[str, str | None], ComfyClient] = OrderedDict()
        self._comfy_session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opened:
            self._pool = await opened.enter_async_context(new_pool())
            self.local_models = await opened.enter_async_context(LocalModels(self._config.models_dir))
            self._opened = opened.pop_all()
        self._local = Local(self.local_models, self._pool)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._opened.__aexit__(kind, error, trace)

    async def resolve(self, provider: str, profile_id: str | None = None) -> Connection:
        """Who answers for this provider, through this profile where one is named.

        What was looked up and decrypted less than a second ago is used again: under load the look-up is a quarter of
        all that a chat costs us (`docs/decisions/0002-fresh-connections.md`).

        Raises:
            NotFound: no such profile.
            BadRequest: the profile belongs to another provider, or no key is to be had.
        """
        now = asyncio.get_running_loop().time()
        until, known = self._fresh.get((provider, profile_id), (0.0, None))
        if known is not None and now < until:
            return known
        found = await self._look_up(provider, profile_id)
        if len(self._fresh) >= ADAPTERS:
            self._fresh.clear()
        self._fresh[provider, profile_id] = now + FRESH_S, found
        return found

    def forget(self) -> None:
        """To be called after a profile or the settings of a provider have changed here."""
        self._fresh.clear()
        self.changes += 1

    async def _look_up(self, provider: str, profile_id: str | None) -> Connection:
        if profile_id is not None:
            return await self._of_profile(provider, profile_id)
        if provider in PROVIDER_KEYS and (row := await self._settings.find(provider)):
            key = self._decrypt(row.api_key, f"settings:{provider}")
            adapter = self.adapter(provider, url=row.endpoint_url, key=key)
            return Connection(provider, PROVIDERS[provider].label, adapter, default_model=row.default_model)
        adapter = self.adapter(provider, key=self._config.provider_keys.get(provider))
        return Connection(provider, PROVIDERS[provider].label, adapter)

    def adapter(self, provider: str, *, url: str | None = None, key: str | None = None) -> Provider:
        """An adapter for this address and key; nothing is looked up. Raises `BadRequest` as `registry.build` does."""
        if provider == "local":
            return self._local
        if provider == "ollama":
            url = url or self._config.ollama_url
        found = self._adapters.get((provider, url, key))
        if found is None:
            found = build(provider, self._pool, url=url, key=key)
            if len(self._adapters) >= ADAPTERS:
                self._adapters.popitem(last=False)
        self._adapters[provider, url, key] = found
        self._adapters.move_to_end((provider, url, key))
        return found

    def comfy(self, row: Any) -> ComfyClient:
        """The client of a comfyui profile's row. Raises `BadRequest` for an address that may not be called."""
        return self.comfy_at(row.url, self._decrypt(row.api_key, f"profiles:{row.id}"))

    def comfy_at(self, url: str | None, key: str | None = None) -> ComfyClient:
        """A client for this address; without one it is `COMFYUI_URL`, else ComfyUI's usual one."""
        address = clean_url(url or self.comfy_url, "ComfyUI")
        found = self._comfy.get((address, key))
        if found is None:
            found = self._comfy[address, key] = ComfyClient(self._session(), address, key=key)
            if len(self._comfy) > ADAPTERS:
                self._comfy.popitem(last=False)
        return found

    def _session(self) -> aiohttp.ClientSession:
        """What all ComfyUI clients share, made with the first of them."""
        if self._comfy_session is None:
            self._comfy_session = new_session(new_connector())
            self._opened.push_async_callback(self._comfy_session.close)
        return self._comfy_session

    def comfy_socket(self, row: Any) -> ComfySocket:
        """A new socket to a comfyui profile's server; whoever opens it closes it."""
        key = self._decrypt(row.api_key, f"profiles:{row.id}")
        return ComfySocket(clean_url(row.url or self.comfy_url, "ComfyUI"), key=key, connector=new_connector)

    @property
    def comfy_url(self) -> str:
        """Where ComfyUI is when a profile does not say."""
        return self._config.comfyui_url or str(PROVIDERS["comfyui"].url)

    async def answers(self, url: str) -> None:
        """Raise `ProviderConnectionError` unless something answers at the address with a success."""
        request = httpx.Request("GET", url, extensions={"timeout": {"connect": CONNECT_S}})
        try:
            response = await self._pool.handle_async_request(request)
            await response.aclose()
            response.raise_for_status()
        except httpx.HTTPError as error:
            raise ProviderConnectionError(f"Nothing answers at {request.url.host}") from error

    async def fallback_key(self, provider: str) -> str | None:
        """The key of the provider's settings or environment, for the provider's own address only."""
        if provider not in PROVIDER_KEYS:
            return None
        row = await self._settings.find(provider)
        if row is not None and row.endpoint_url is None:
            return self._decrypt(row.api_key, f"settings:{provider}")
        return self._config.provider_keys.get(provider)

    async def _of_profile(self, provider: str, profile_id: str) -> Connection:
        row = await self._profiles.get(profile_id)
        if row.provider != provider:
            raise BadRequest(f"Profile {profile_id} ({row.name}) is for {row.provider}, the request for {provider}")
        return await self.of_row(row)

    async def of_row(self, row: Any) -> Connection:
        """The connection of a profile's row."""
        key = self._decrypt(row.api_key, f"profiles:{row.id}")
        if key is None and row.url is None:
            key = await self.fallback_key(row.provider)
        options = dict(row.options)
        model = options.pop("model", None)
        for name in OURS:
            options.pop(name, None)
        return Connection(
            row.provider,
            PROVIDERS[row.provider].label,
            self.adapter(row.provider, url=row.url, key=key),
            profile_id=row.id,
            default_model=str(model) if model else None,
            system_prompt=row.prompt_template,
            options=options,
        )

    def _decrypt(self, value: bytes | None, owner: str) -> str | None:
        return None if value is None else self._vault.decrypt(value, owner=owner)

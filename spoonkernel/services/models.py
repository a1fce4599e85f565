"""Models: every profile's, and the live ones of Ollama and of the local engine."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

from spoonkernel.config import Config
from spoonkernel.connections import Connections
from spoonkernel.errors import NotFound, SpoonError
from spoonkernel.providers import openai
from spoonkernel.providers.base import ModelHost, ProviderModel
from spoonkernel.providers.registry import PROVIDERS
from spoonkernel.providers.weights import pull
from spoonkernel.store.profiles import ProfileRepo
from spoonkernel.store.usage import UsageRepo
from spoonkernel.types.base import Rows
from spoonkernel.types.models import Model, ModelInfo, ModelStatus, PullProgress, human_size

LIST_TIMEOUT_S = 5.0  # how long one slow provider may hold up the whole list
HOSTS = ("ollama", "local")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """Where models come from: a provider, through a profile or (None) as it is set up for everybody."""

    provider: str
    profile_id: str | None
    title: str


class ModelService:
    def __init__(self, config: Config, connections: Connections, profiles: ProfileRepo, usage: UsageRepo) -> None:
        self._config, self._connections, self._profiles, self._usage = config, connections, profiles, usage

    async def list(self) -> Rows[Model]:
        stored = await self._profiles.all_models()
        sources = await self._live_sources()
        found = await asyncio.gather(*(self._live(source) for source in sources))
        models: dict[tuple[str, str | None, str], Model] = {}
        for source, live in zip(sources, found, strict=True):
            for model in live:
                models.setdefault((source.provider, source.profile_id, model.id), _shown(model, source))
        for row in stored:
            source = Source(row.provider, row.profile_id, row.profile_name)
            makes = _capabilities(row.provider, row.model_id)
            model = ProviderModel(row.model_id, capabilities=makes)
            models.setdefault((row.provider, row.profile_id, row.model_id), _shown(model, source))
        return [*models.values()]

    async def get(self, name: str) -> ModelInfo:
        host, found, source = await self._find(name)
        detail = replace(await host.info(found.id), size_bytes=found.size_bytes, loaded=found.loaded)
        shown = _shown(detail, source).model_dump() | {"parameters": detail.parameters, "template": detail.template}
        return ModelInfo(**shown | {"description": detail.description or found.description or shown["description"]})

    async def load(self, name: str) -> None:
        host, found, _ = await self._find(name)
        await host.load(found.id)

    async def unload(self, name: str) -> None:
        host, found, _ = await self._find(name)
        await host.unload(found.id)

    async def status(self, name: str) -> ModelStatus:
        _, found, _ = await self._find(name)
        return ModelStatus(name=found.id, loaded=found.loaded, last_used=await self._usage.last_used(found.id, HOSTS))

    async def pull(self, name: str) -> AsyncGenerator[PullProgress, None]:
        async with aclosing(pull(name, self._config.models_dir)) as pieces:
            async for piece in pieces:
                yield piece

    async def _live_sources(self) -> Rows[Source]:
        """Who is asked for models now. Cloud lists come from a profile's last sync instead."""
        profiles = [row for row in await self._profiles.list() if row.provider in HOSTS]
        named = [Source(row.provider, row.id, row.name) for row in profiles]
        plain = [
            Source(host, None, PROVIDERS[host].label)
            for host in HOSTS
            if not any(row.provider == host and row.url is None for row in profiles)
        ]
        return named + plain

    async def _live(self, source: Source) -> Rows[ProviderModel]:
        """A provider's models now; none when it does not answer, which is told in the log only."""
        try:
            async with asyncio.timeout(LIST_TIMEOUT_S):
                return await (await self._connections.resolve(source.provider, source.profile_id)).adapter.models()
        except (SpoonError, TimeoutError) as error:
            log.info("No models from %s: %s", source.provider, error)
            return []

    async def _find(self, name: str) -> tuple[ModelHost, ProviderModel, Source]:
        """The host that has the model, and its entry. `llama3` also finds `llama3:latest`, as in Ollama."""
        problem: SpoonError | None = None
        for source in await self._live_sources():
            try:
                adapter = (await self._connections.resolve(source.provider, source.profile_id)).adapter
                models = await adapter.models()
            except SpoonError as error:
                problem = error if source.provider == "ollama" else problem
                continue
            for model in models:
                if model.id in {name, f"{name}:latest"} and isinstance(adapter, ModelHost):
                    return adapter, model, source
        if problem is not None:
            raise problem
        raise NotFound(f"Model {name} not found")


def _shown(model: ProviderModel, source: Source) -> Model:
    return Model(
        name=model.id,
        size=human_size(model.size_bytes) if model.size_bytes else "",
        loaded=model.loaded,
        capabilities=[*model.capabilities],
        description=f"{source.title} ({source.provider})",
        parameters=model.parameters or model.id,
        provider=source.provider,
        profile_id=source.profile_id,
    )


def _capabilities(provider: str, model_id: str) -> tuple[str, ...]:
    """What a listed model can make, as far as its provider and name say."""
    if provider == "comfyui":
        return ("image",)
    return openai.capabilities(model_id) if provider == "openai" else ("chat", "text")

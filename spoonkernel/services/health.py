"""What is connected. Every probe is bounded, and they run together."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

from spoonkernel.config import Config
from spoonkernel.connections import Connections
from spoonkernel.errors import SpoonError
from spoonkernel.store.engine import Database
from spoonkernel.types.base import utc_now
from spoonkernel.types.health import Health, Services, ServiceState

PROBE_TIMEOUT_S = 1.5  # so that the whole answer takes under 2 s


class HealthService:
    def __init__(
        self,
        config: Config,
        database: Database,
        connections: Connections,
        redis: Callable[[], ServiceState],
    ) -> None:
        """`redis` is the task engine's own view of its queue."""
        self._config, self._database, self._connections, self._redis = config, database, connections, redis

    async def check(self) -> Health:
        database, ollama, comfyui = await asyncio.gather(
            self._probe(self._database.ping),
            self._ollama(),
            self._comfyui(),
        )
        if database == "connected" and self._config.database_url is None:
            database = "embedded"
        services = Services(database=database, redis=self._redis(), ollama=ollama, comfyui=comfyui)
        return Health(status=_status(services), timestamp=utc_now(), services=services)

    async def _ollama(self) -> ServiceState:
        state = await self._probe(lambda: self._connections.answers(f"{self._config.ollama_url}/api/version"))
        # nobody asked for an Ollama at the usual address: its absence is no trouble
        return "not_configured" if state == "disconnected" and not self._config.ollama_named else state

    async def _comfyui(self) -> ServiceState:
        url = self._config.comfyui_url
        if url is None:
            return "not_configured"
        return await self._probe(lambda: self._connections.answers(f"{url.rstrip('/')}/system_stats"))

    async def _probe(self, ask: Callable[[], Awaitable[None]]) -> ServiceState:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                await ask()
        except (SpoonError, TimeoutError):
            return "disconnected"
        return "connected"


def _status(services: Services) -> Literal["healthy", "degraded", "unhealthy"]:
    if services.database == "disconnected":
        return "unhealthy"
    away = "disconnected" in {services.redis, services.ollama, services.comfyui}
    return "degraded" if away else "healthy"

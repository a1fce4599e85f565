from typing import Protocol

from spoonkernel.api.marks import http
from spoonkernel.types.health import Health


class HealthAPI(Protocol):
    """What is connected."""

    @http("GET /health")
    async def check(self) -> Health:
        """The state of the store, Redis, Ollama and ComfyUI. All probes run together and end within 2 s."""
        ...

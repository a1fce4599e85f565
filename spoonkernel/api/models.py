from collections.abc import AsyncIterator
from typing import Protocol

from spoonkernel.api.marks import http
from spoonkernel.types.base import Rows
from spoonkernel.types.models import Model, ModelInfo, ModelStatus, PullProgress


class ModelsAPI(Protocol):
    """The models of every profile, and the models that run on this machine."""

    @http("GET /models")
    async def list(self) -> Rows[Model]:
        """Every profile's models and the live ones of Ollama and the local engine. A dead provider is
        only missing."""
        ...

    @http("GET /models/{name}")
    async def get(self, name: str) -> ModelInfo:
        """One model of Ollama or of the local engine. Raises `NotFound` for an unknown name."""
        ...

    @http("POST /models/{name}/load")
    async def load(self, name: str) -> None:
        """Bring a model into memory; returns when it is there."""
        ...

    @http("POST /models/{name}/unload")
    async def unload(self, name: str) -> None:
        """Take a model out of memory. Also fine when it was not loaded."""
        ...

    @http("GET /models/{name}/status")
    async def status(self, name: str) -> ModelStatus:
        """Whether the model is in memory now, and when this Spoon last used it."""
        ...

    @http("POST /models/{name}/pull", ours=True)
    def pull(self, name: str) -> AsyncIterator[PullProgress]:
        """Fetch a local demo model (`smollm2:135m`, 94 MB) and check its pinned checksum; yields the progress.

        The last piece has `done`. A model that is already there yields that one piece.
        """
        ...

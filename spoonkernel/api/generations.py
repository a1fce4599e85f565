from typing import Protocol

from spoonkernel.api.marks import http
from spoonkernel.types.base import Rows
from spoonkernel.types.generations import (
    Generation,
    GenerationDiff,
    GenerationStatus,
    GenerationTile,
    GenerationWorkflow,
    Reproduction,
)


class GenerationsAPI(Protocol):
    """Runs of ComfyUI graphs: what ran, what came out, and running it again."""

    @http("GET /comfyui/generations", ours=True)
    async def list(
        self,
        *,
        session_id: str | None = None,
        workflow_id: str | None = None,
        status: GenerationStatus | None = None,
        min_rating: int | None = None,
        limit: int = 20,
        offset: int = 0,
    ) -> Rows[Generation]:
        """Generations, the newest first; `limit` is capped at 100. `min_rating` leaves out those that are not rated."""
        ...

    @http("GET /comfyui/generations/index", ours=True)
    async def index(
        self,
        *,
        session_id: str | None = None,
        workflow_id: str | None = None,
        status: GenerationStatus | None = None,
        min_rating: int | None = None,
        limit: int = 20_000,
        offset: int = 0,
    ) -> Rows[GenerationTile]:
        """Generations in brief, the newest first, up to 20,000 at once: all that a gallery needs to sort and filter."""
        ...

    @http("GET /comfyui/generations/{generation_id}")
    async def get(self, generation_id: str, *, wait_s: float = 0) -> Generation:
        """One generation. With `wait_s` the answer waits until it has ended, that long at most (60 s)."""
        ...

    @http("GET /comfyui/generations/{generation_id}/workflow")
    async def workflow(self, generation_id: str) -> GenerationWorkflow:
        """The graph exactly as it was submitted, and everything else that its pictures depend on."""
        ...

    @http("PATCH /comfyui/generations/{generation_id}", ours=True)
    async def rate(self, generation_id: str, *, rating: int | None, index: int | None = None) -> Generation:
        """Rate a generation, or its output `index` alone: 1 to 5 stars, 0 for rejected, None for not rated.

        Rating a generation rates all its outputs; rating an output makes the generation's rating that of its best one.

        Raises:
            ValidationFailed: it has no such output, or this is no rating.
        """
        ...

    @http("DELETE /comfyui/generations/{generation_id}")
    async def delete(self, generation_id: str) -> None:
        """Delete a generation and our copies of its files; one that runs is cancelled first."""
        ...

    @http("POST /comfyui/generations/{generation_id}/cancel", ours=True)
    async def cancel(self, generation_id: str) -> Generation:
        """Stop a run, waiting or running, and return its row, `failed` with "Cancelled". No other run is touched.

        Raises:
            Conflict: it has ended already.
        """
        ...

    @http("POST /comfyui/generations/{generation_id}/reproduce", ours=True)
    async def reproduce(self, generation_id: str, *, timeout_s: float = 600) -> Reproduction:
        """Run the recorded graph again, past ComfyUI's cache, and compare what comes out pixel by pixel.

        Raises:
            Conflict: it made no picture to compare with.
            ProviderConnectionError: the new run has not ended in time; the message names it, and `diff` compares later.
        """
        ...

    @http("GET /comfyui/generations/{generation_id}/diff/{other_id}", ours=True)
    async def diff(self, generation_id: str, other_id: str) -> GenerationDiff:
        """What changed from one generation to the other: graph, seeds, models, server, and how the pictures differ."""
        ...

    @http("POST /comfyui/generations/{generation_id}/remake", ours=True)
    async def remake(self, generation_id: str, *, index: int) -> Generation:
        """Make one image of a batch alone, from the same noise. `index` counts from 0.

        Samplers that draw noise at each step draw it for a batch as a whole: the row then carries a warning.

        Raises:
            ValidationFailed: the batch has no such image.
            Conflict: the graph does not begin with one empty latent whose batch can be split.
        """
        ...

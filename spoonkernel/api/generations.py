from typing import Protocol

from spoonkernel.api.marks import http
from spoonkernel.types.base import Rows
from spoonkernel.types.generations import (
    Generation,
    GenerationDiff,
    GenerationStatus,
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
        limit: int = 20,
        offset: int = 0,
    ) -> Rows[Generation]:
        """Generations, the newest first; `limit` is capped at 100."""
        ...

    @http("GET /comfyui/generations/{generation_id}")
    async def get(self, generation_id: str, *, wait_s: float = 0) -> Generation:
        """One generation. With `wait_s` the answer waits until it has ended, that long at most (60 s)."""
        ...

    @http("GET /comfyui/generations/{generation_id}/workflow")
    async def workflow(self, generation_id: str) -> GenerationWorkflow:
        """The graph exactly as it was submitted, and everything else that its pictures depend on."""
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

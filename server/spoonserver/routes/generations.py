from typing import Annotated

from fastapi import Query, Request
from pydantic import AfterValidator, Field

from spoonkernel.services.generations import LONGEST_WAIT_S, MAX_TILES
from spoonkernel.types.generations import (
    Generation,
    GenerationDiff,
    GenerationStatus,
    GenerationTile,
    GenerationWorkflow,
    Rating,
    RatingRequest,
    RemakeRequest,
    ReproduceRequest,
    Reproduction,
)
from spoonserver.deps import Limit, Offset, QueryString, WorkbenchDep
from spoonserver.envelope import Confirmation, Data
from spoonserver.lean import while_heard
from spoonserver.rooms import room

router = room("Generations", "/comfyui/generations")


class GenerationQuery(QueryString):
    session_id: str | None = None
    workflow_id: str | None = None
    status: GenerationStatus | None = None
    min_rating: Rating | None = None
    limit: Limit = 20
    offset: Offset = 0


class TileQuery(GenerationQuery):
    limit: Annotated[int, Field(ge=1), AfterValidator(lambda limit: min(limit, MAX_TILES))] = MAX_TILES


class WaitQuery(QueryString):
    wait_s: Annotated[float, Field(ge=0, le=LONGEST_WAIT_S)] = 0


@router.get("")
async def list_generations(
    query: Annotated[GenerationQuery, Query()], workbench: WorkbenchDep
) -> Data[list[Generation]]:
    """Generations of all sessions, newest first."""
    return Data(data=await workbench.generations.list(**query.given()))


@router.get("/index")
async def list_generation_tiles(
    query: Annotated[TileQuery, Query()], workbench: WorkbenchDep
) -> Data[list[GenerationTile]]:
    """Generations in brief, newest first, up to 20,000 at once."""
    return Data(data=await workbench.generations.index(**query.given()))


@router.get("/{generation_id}")
async def get_generation(
    generation_id: str, query: Annotated[WaitQuery, Query()], request: Request, workbench: WorkbenchDep
) -> Data[Generation]:
    """One generation. With `waitS` (ours) the answer waits for its end, so many seconds at most."""
    async with while_heard(request):
        return Data(data=await workbench.generations.get(generation_id, **query.given()))


@router.get("/{generation_id}/workflow")
async def get_generation_workflow(generation_id: str, workbench: WorkbenchDep) -> Data[GenerationWorkflow]:
    """The graph exactly as it was submitted, and everything else that its pictures depend on."""
    return Data(data=await workbench.generations.workflow(generation_id))


@router.patch("/{generation_id}")
async def rate_generation(generation_id: str, wanted: RatingRequest, workbench: WorkbenchDep) -> Data[Generation]:
    """Rate a generation, or one of its outputs: 1 to 5 stars, 0 for rejected, null for not rated."""
    return Data(data=await workbench.generations.rate(generation_id, rating=wanted.rating, index=wanted.index))


@router.delete("/{generation_id}")
async def delete_generation(generation_id: str, workbench: WorkbenchDep) -> Confirmation:
    """Delete a generation and our copies of its files; one that runs is cancelled first."""
    await workbench.generations.delete(generation_id)
    return Confirmation(message="Generation deleted")


@router.post("/{generation_id}/cancel")
async def cancel_generation(generation_id: str, workbench: WorkbenchDep) -> Data[Generation]:
    """Stop a run, waiting or running. One that has ended is a conflict."""
    return Data(data=await workbench.generations.cancel(generation_id))


@router.post("/{generation_id}/reproduce", status_code=201)
async def reproduce_generation(
    generation_id: str, request: Request, workbench: WorkbenchDep, wanted: ReproduceRequest | None = None
) -> Data[Reproduction]:
    """Run the recorded graph again and compare what comes out, pixel by pixel; answers when the run has ended.

    A client that hangs up stops the wait and the comparison, not the run: `diff` compares later.
    """
    async with while_heard(request):
        return Data(data=await workbench.generations.reproduce(generation_id, **wanted.given() if wanted else {}))


@router.get("/{generation_id}/diff/{other_id}")
async def compare_generations(generation_id: str, other_id: str, workbench: WorkbenchDep) -> Data[GenerationDiff]:
    """What changed from one generation to the other, and how their pictures differ."""
    return Data(data=await workbench.generations.diff(generation_id, other_id))


@router.post("/{generation_id}/remake", status_code=201)
async def remake_image(generation_id: str, wanted: RemakeRequest, workbench: WorkbenchDep) -> Data[Generation]:
    """Make one image of a batch alone, from the same noise."""
    return Data(data=await workbench.generations.remake(generation_id, index=wanted.index))

"""Model names hold `/` (`hf.co/org/model:Q4_K_M`) and arrive decoded: hence `:path`, the most special first."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated

from fastapi import Path

from spoonkernel.types.models import Model, ModelInfo, ModelStatus, PullProgress
from spoonserver.deps import WorkbenchDep
from spoonserver.envelope import Confirmation, Data
from spoonserver.rooms import room
from spoonserver.sse import EventStream, closing, failure, frame, stream_docs

router = room("Models", "/models")

Name = Annotated[str, Path(description="Model name (URL encoded)", min_length=1, max_length=500)]


@router.get("")
async def list_models(workbench: WorkbenchDep) -> Data[list[Model]]:
    """Every profile's models, and the live ones of Ollama and the local engine."""
    return Data(data=await workbench.models.list())


@router.post("/{name:path}/load")
async def load_model(name: Name, workbench: WorkbenchDep) -> Confirmation:
    """Bring a model into memory; answers when it is there."""
    await workbench.models.load(name)
    return Confirmation(message=f"Model {name} loaded successfully")


@router.post("/{name:path}/unload")
async def unload_model(name: Name, workbench: WorkbenchDep) -> Confirmation:
    """Take a model out of memory."""
    await workbench.models.unload(name)
    return Confirmation(message=f"Model {name} unloaded successfully")


@router.get("/{name:path}/status")
async def get_model_status(name: Name, workbench: WorkbenchDep) -> Data[ModelStatus]:
    """Whether a model is in memory now."""
    return Data(data=await workbench.models.status(name))


@router.post(
    "/{name:path}/pull",
    status_code=200,
    response_class=EventStream,
    responses=stream_docs(progress=PullProgress, done=PullProgress),
)
async def pull_model(name: Name, workbench: WorkbenchDep) -> EventStream:
    """Fetch a local demo model as server-sent events: `progress` and one last `done`, or `error`."""
    return EventStream(_pull_frames(workbench.models.pull(name)))


@router.get("/{name:path}")
async def get_model(name: Name, workbench: WorkbenchDep) -> Data[ModelInfo]:
    """One model in detail."""
    return Data(data=await workbench.models.get(name))


async def _pull_frames(pieces: AsyncIterator[PullProgress]) -> AsyncGenerator[bytes, None]:
    async with closing(pieces):
        try:
            async for piece in pieces:
                yield frame("done" if piece.done else "progress", piece)
        except Exception as error:  # noqa: BLE001  # the answer has begun: what went wrong is its last event
            yield failure(error)

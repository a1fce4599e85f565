from typing import Annotated

from fastapi import Header

from spoonkernel.types.generations import GenerateRequest, Generation
from spoonkernel.types.sessions import Session, SessionCreate, SessionDetail, SessionUpdate
from spoonserver.deps import WorkbenchDep
from spoonserver.envelope import Confirmation, Data
from spoonserver.rooms import room

router = room("Sessions", "/comfyui/sessions")


@router.get("")
async def list_sessions(workbench: WorkbenchDep) -> Data[list[Session]]:
    """All sessions, newest first, with their counts."""
    return Data(data=await workbench.sessions.list())


@router.post("", status_code=201)
async def create_session(session: SessionCreate, workbench: WorkbenchDep) -> Data[Session]:
    """A new session. Without `profileId` it belongs to the only comfyui profile, or to the one of `COMFYUI_URL`."""
    return Data(data=await workbench.sessions.create(**session.given()))


@router.get("/{session_id}")
async def get_session(session_id: str, workbench: WorkbenchDep) -> Data[SessionDetail]:
    """One session with its 20 newest generations."""
    return Data(data=await workbench.sessions.get(session_id))


@router.put("/{session_id}")
async def update_session(session_id: str, changes: SessionUpdate, workbench: WorkbenchDep) -> Data[Session]:
    """Change the title or the current workflow."""
    return Data(data=await workbench.sessions.update(session_id, **changes.given()))


@router.delete("/{session_id}")
async def delete_session(session_id: str, workbench: WorkbenchDep) -> Confirmation:
    """Delete a session with its generations and their files; those that run are cancelled first."""
    await workbench.sessions.delete(session_id)
    return Confirmation(message="Session deleted")


@router.post("/{session_id}/generate", status_code=201)
async def generate_image(
    session_id: str,
    request: GenerateRequest,
    workbench: WorkbenchDep,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
) -> Data[Generation]:
    """Submit a run and answer with its row as soon as ComfyUI has taken it. `seed` is the one that is used.

    A second request with the same `Idempotency-Key` gets the first one's generation; with another body it is a
    conflict.
    """
    generated = workbench.sessions.generate(session_id, **request.given(), idempotency_key=idempotency_key)
    return Data(data=await generated)

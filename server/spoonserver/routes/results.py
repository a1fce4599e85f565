from typing import Annotated

from fastapi import Query, Response

from spoonkernel.types.base import MediaType
from spoonkernel.types.results import Result
from spoonserver.deps import Limit, Offset, QueryString, WorkbenchDep
from spoonserver.envelope import Confirmation, Data
from spoonserver.media import attachment, binary_docs
from spoonserver.rooms import room

router = room("Results", "/results")


class ResultQuery(QueryString):
    type: MediaType | None = None
    task_id: str | None = None
    limit: Limit = 20
    offset: Offset = 0


@router.get("")
async def list_results(query: Annotated[ResultQuery, Query()], workbench: WorkbenchDep) -> Data[list[Result]]:
    """Results, newest first; `taskId` (ours) narrows them to one task's."""
    return Data(data=await workbench.results.list(**query.given()))


@router.get("/{result_id}")
async def get_result(result_id: str, workbench: WorkbenchDep) -> Data[Result]:
    """One result. `content` is the text itself, or the path of a media file."""
    return Data(data=await workbench.results.get(result_id))


@router.get("/{result_id}/download", response_class=Response, responses=binary_docs())
async def download_result(result_id: str, workbench: WorkbenchDep) -> Response:
    """The bytes, as an attachment: text as UTF-8, media as the file."""
    return attachment(await workbench.results.download(result_id))


@router.delete("/{result_id}")
async def delete_result(result_id: str, workbench: WorkbenchDep) -> Confirmation:
    """Delete a result, and its file where it has one."""
    await workbench.results.delete(result_id)
    return Confirmation(message="Result deleted")

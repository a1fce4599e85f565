"""File names arrive decoded and go to the service as they are, with whatever they hold: it alone knows the files."""

from typing import Annotated

from fastapi import Path, Query, Request, Response
from pydantic import Field

from spoonkernel.types.comfyui import ComfyOptions, ImageMetadata, PromptRequest, Upload
from spoonkernel.types.generations import Folder, Generation
from spoonserver.deps import Content, QueryString, WorkbenchDep, content_docs
from spoonserver.envelope import Data
from spoonserver.media import binary_docs, inline
from spoonserver.rooms import room

router = room("ComfyUI", "/comfyui")

Filename = Annotated[str, Path(description="The `filename` of an output or of an upload (URL encoded)")]


class ProfileQuery(QueryString):
    profile_id: str | None = None


class ImageQuery(ProfileQuery):
    subfolder: Annotated[str, Field(max_length=1_000)] = ""
    type: Folder = "output"


class UploadQuery(ProfileQuery):
    filename: Annotated[str, Field(min_length=1, max_length=255)]


@router.get("/options")
async def get_comfyui_options(query: Annotated[ProfileQuery, Query()], workbench: WorkbenchDep) -> Data[ComfyOptions]:
    """Samplers, schedulers, checkpoints and LoRAs that ComfyUI has now."""
    return Data(data=await workbench.comfyui.options(**query.given()))


@router.get("/image/{filename:path}", response_class=Response, responses=binary_docs())
async def get_comfyui_image(
    filename: Filename, query: Annotated[ImageQuery, Query()], request: Request, workbench: WorkbenchDep
) -> Response:
    """A file that a generation recorded or that was uploaded; its type is read from its bytes."""
    return inline(await workbench.comfyui.image(filename, **query.given()), request)


@router.post("/prompt", status_code=201)
async def submit_comfyui_prompt(prompt: PromptRequest, workbench: WorkbenchDep) -> Data[Generation]:
    """Run the default workflow. A session that is not named, or not there, is created."""
    return Data(data=await workbench.comfyui.prompt(**prompt.given()))


@router.post("/upload", status_code=201, openapi_extra=content_docs())
async def upload_comfyui_image(
    query: Annotated[UploadQuery, Query()], content: Content, workbench: WorkbenchDep
) -> Data[Upload]:
    """Give ComfyUI an input image. The body is the file itself; use the `name` of the answer in a workflow."""
    return Data(data=await workbench.comfyui.upload(content, **query.given()))


@router.post("/metadata", openapi_extra=content_docs())
async def read_image_metadata(content: Content, workbench: WorkbenchDep) -> Data[ImageMetadata]:
    """How a picture was made, from its own file, which is the body. Nothing is stored."""
    return Data(data=await workbench.comfyui.metadata(content))

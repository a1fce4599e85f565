from typing import Protocol

from spoonkernel.api.marks import http
from spoonkernel.types.base import Media
from spoonkernel.types.comfyui import ComfyOptions, ImageMetadata, Upload
from spoonkernel.types.generations import Folder, Generation


class ComfyUIAPI(Protocol):
    """ComfyUI itself: what it offers, its files, and prompts without a session."""

    @http("GET /comfyui/options")
    async def options(self, *, profile_id: str | None = None) -> ComfyOptions:
        """Samplers, schedulers, checkpoints and LoRAs that the server has now."""
        ...

    @http("GET /comfyui/image/{filename}")
    async def image(
        self, filename: str, *, subfolder: str = "", type: Folder = "output", profile_id: str | None = None
    ) -> Media:
        """A file that a generation recorded or that was uploaded, its type read from its bytes.

        Raises:
            NotFound: no generation recorded such a file.
        """
        ...

    @http("POST /comfyui/prompt")
    async def prompt(
        self, *, prompt: str, negative_prompt: str | None = None, session_id: str | None = None
    ) -> Generation:
        """Run the default workflow. A session that is not named, or not there, is created."""
        ...

    @http("POST /comfyui/upload", ours=True)
    async def upload(self, content: bytes, *, filename: str, profile_id: str | None = None) -> Upload:
        """Give ComfyUI an input image (png, jpeg, webp or gif, 100 MB at most), for the `image` of a workflow."""
        ...

    @http("POST /comfyui/metadata", ours=True)
    async def metadata(self, content: bytes) -> ImageMetadata:
        """How a picture was made, from its own file: ComfyUI's, A1111's, InvokeAI's, SwarmUI's and Spoon's records."""
        ...

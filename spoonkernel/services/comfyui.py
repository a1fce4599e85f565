"""ComfyUI itself: what it offers, its files, prompts without a session, and what a picture says of itself."""

import asyncio
import mimetypes
import re
from contextlib import suppress

from sqlalchemy.exc import IntegrityError

from spoonkernel.comfy.answers import Uploaded
from spoonkernel.comfy.object_info import ObjectInfo
from spoonkernel.comfy.parameters import read_values
from spoonkernel.errors import NotFound, PayloadTooLarge, ValidationFailed
from spoonkernel.media import MediaFolder, Saved, kind_of, size_px
from spoonkernel.media.metadata import GenerationMetadata, read_metadata
from spoonkernel.services.checks import checked
from spoonkernel.services.comfy_profiles import ComfyProfiles
from spoonkernel.services.sessions import new_session
from spoonkernel.services.submissions import Request, Submissions
from spoonkernel.store.columns import canonical_id
from spoonkernel.store.generations import GenerationRepo
from spoonkernel.store.sessions import SessionRepo, SessionRow
from spoonkernel.store.tasks import new_id
from spoonkernel.types.base import Media, Rows, utc_now
from spoonkernel.types.comfyui import ComfyOptions, ImageMetadata, PromptRequest, Upload
from spoonkernel.types.generations import Folder, Generation

PROMPT_SESSION = "Prompts"
"""The title of the session that prompts without one share."""
MAX_UPLOAD = 100 * 2**20  # ComfyUI's own limit
MAX_PROXIED = 2**28  # held in memory; what is larger was copied at the end of its run, or is no picture
_UNREADABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
FOLDERS = ("output", "input", "temp")


class ComfyUIService:
    def __init__(
        self,
        servers: ComfyProfiles,
        runs: Submissions,
        sessions: SessionRepo,
        files: GenerationRepo,
        media: MediaFolder,
    ) -> None:
        self._servers, self._runs = servers, runs
        self._sessions, self._files, self._media = sessions, files, media

    async def options(self, *, profile_id: str | None = None) -> ComfyOptions:
        info = await self._servers.needed_object_info(await self._servers.get(profile_id))
        return ComfyOptions(
            samplers=_choices(info, "KSampler", "sampler_name"),
            schedulers=_choices(info, "KSampler", "scheduler"),
            checkpoints=_choices(info, "CheckpointLoaderSimple", "ckpt_name"),
            loras=_choices(info, "LoraLoader", "lora_name"),
            vaes=_choices(info, "VAELoader", "vae_name"),
            upscale_models=_choices(info, "UpscaleModelLoader", "model_name"),
        )

    async def image(
        self, filename: str, *, subfolder: str = "", type: Folder = "output", profile_id: str | None = None
    ) -> Media:
        if type not in FOLDERS:
            raise ValidationFailed(f"type: {type!r} is none of {', '.join(FOLDERS)}")
        row = None
        if not _UNREADABLE.search(filename + subfolder):  # no such name is ever recorded, and databases refuse it
            row = await self._files.find_file(filename, subfolder, type, profile_id)
        if row is None:
            raise NotFound(f"Image {filename!r} not found: no generation recorded such a file")
        if row.content is not None:
            found = await self._media.open(row.content)
            return Media(content=found.content, content_type=found.content_type, filename=row.filename)
        client = self._servers.client(await self._servers.get(row.profile_id))
        content = bytearray()
        async with client.view(row.filename, row.subfolder, type, max_bytes=MAX_PROXIED) as pieces:
            async for piece in pieces:
                content += piece
        kind = kind_of(bytes(content))
        content_type = kind.content_type if kind else "application/octet-stream"
        return Media(content=bytes(content), content_type=content_type, filename=row.filename)

    async def prompt(
        self, *, prompt: str, negative_prompt: str | None = None, session_id: str | None = None
    ) -> Generation:
        body = checked(PromptRequest, prompt=prompt, negative_prompt=negative_prompt, session_id=session_id)
        session = await self._session(body.session_id)
        return await self._runs.create(Request(session, body.prompt, body.negative_prompt))

    async def upload(self, content: bytes, *, filename: str, profile_id: str | None = None) -> Upload:
        kind = kind_of(content)
        if kind is None or kind.type != "image" or size_px(content) is None:
            raise ValidationFailed(f"{filename or 'The file'} is no png, jpeg, webp or gif: nothing was uploaded")
        if len(content) > MAX_UPLOAD:
            raise PayloadTooLarge(f"{filename} is larger than {MAX_UPLOAD // 2**20} MB: nothing was uploaded")
        profile = await self._servers.get(profile_id)
        guessed = mimetypes.guess_type(filename)[0] or ""
        name = filename if guessed.startswith("image/") else f"{filename or 'image'}.{kind.extension}"
        saved = await self._media.save_output(content)  # a broken picture ends here
        try:
            sent = await self._servers.client(profile).upload_image(content, name)
            await self._keep(profile.id, sent, saved)
        except BaseException:
            await self._media.delete(saved.path)
            raise
        await self._servers.object_info(profile, fresh=True)  # it is a choice of LoadImage now
        return Upload(
            name=sent.path, subfolder=sent.subfolder, type=sent.folder, width=saved.width, height=saved.height
        )

    async def metadata(self, content: bytes) -> ImageMetadata:
        kind = kind_of(content)
        if kind is None or kind.type != "image":
            raise ValidationFailed("The body is no png, jpeg, webp or gif: send the picture's file as it is")
        told = _shown(await asyncio.to_thread(read_metadata, content))
        if told.width is None and told.height is None and (size := size_px(content)):
            told.width, told.height = size
        return told

    async def _keep(self, profile_id: str, sent: Uploaded, saved: Saved) -> None:
        """Record an upload; of the same file once more only the newest copy is kept."""
        older = await self._files.replace_upload(
            {
                "id": new_id(),
                "profile_id": profile_id,
                "filename": sent.name,
                "subfolder": sent.subfolder,
                "folder": sent.folder,
                "content": saved.path,
                "thumbnail": saved.thumbnail,
                "content_type": saved.content_type,
                "size_bytes": saved.size_bytes,
                "file_sha256": saved.file_sha256,
                "pixel_sha256": saved.pixel_sha256,
                "created_at": utc_now(),
            }
        )
        for path in older:
            await self._media.delete(path)

    async def _session(self, session_id: str | None) -> SessionRow:
        """The one that is named; one that is not there is made, under the id that was given."""
        if session_id is None:
            profile = await self._servers.get()
            found = await self._sessions.titled(profile.id, PROMPT_SESSION)
            if found is not None:
                return found
            row_id = new_id()
        else:
            wanted = canonical_id(session_id)
            if wanted is None:
                raise NotFound(f"Session {session_id} not found: a session's id is a UUID")
            if (found := await self._sessions.find(wanted)) is not None:
                return found
            profile, row_id = await self._servers.get(), wanted
        with suppress(IntegrityError):  # another prompt was faster to make it
            await self._sessions.insert(new_session(row_id, profile.id, PROMPT_SESSION, utc_now()))
        return await self._sessions.get(row_id)


def _choices(info: ObjectInfo, class_type: str, name: str) -> Rows[str]:
    spec = info.input(class_type, name)
    return [str(choice) for choice in spec.choices or ()] if spec else []


def _shown(found: GenerationMetadata) -> ImageMetadata:
    """What was read, completed from the graph where the file holds one: readers of texts do not know graphs."""
    values = {
        "source": found.source,
        "prompt": found.prompt,
        "negative_prompt": found.negative_prompt,
        "seed": found.seed,
        "steps": found.steps,
        "cfg_scale": found.cfg_scale,
        "sampler_name": found.sampler_name,
        "scheduler": found.scheduler,
        "width": found.width,
        "height": found.height,
        "checkpoint_name": found.model,
        "loras": [lora.name for lora in found.loras],
        "workflow_json": found.comfy_prompt,
        "ui_workflow": found.comfy_workflow,
        "spoon": found.spoon,
        "warnings": list(found.warnings),
    }
    if found.comfy_prompt:
        try:
            ran = read_values(found.comfy_prompt, None)
        except ValidationFailed as error:
            values["warnings"] = [*found.warnings, f"The graph in the file cannot be read: {error.message}"]
        else:
            ran["prompt"] = ran.pop("prompt_text", None)
            ran["loras"] = [str(one.get("name")) for one in ran.pop("loras", None) or ()]
            # the graph has the files' names as ComfyUI knows them, texts have them without folder and ending
            values |= {name: ran[name] for name in ("checkpoint_name", "loras") if ran.get(name)}
            values |= {name: ran[name] for name, value in values.items() if not value and value != 0 and ran.get(name)}
    return ImageMetadata.model_validate(values)

"""Copies what a run made into the media folder, with what its files need to say about how they were made."""

import json
import logging
import mimetypes
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from spoonkernel.comfy.client import ComfyClient
from spoonkernel.comfy.jobs import Output as Made
from spoonkernel.errors import ProviderConnectionError, SpoonError
from spoonkernel.media import MediaFolder, Saved
from spoonkernel.media.metadata.a1111_writer import a1111_parameters
from spoonkernel.media.metadata.generation import Lora, plain_model
from spoonkernel.store.generations import GenerationRow
from spoonkernel.store.tasks import new_id
from spoonkernel.types.base import utc_now
from spoonkernel.types.generations import Output

MAX_PICTURE = 64 * 2**20  # read whole, to write its record into it; larger files stream to the disk as they are
MAX_FILE = 2 * 2**30
STREAMED = (".mp4", ".webm", ".mov", ".mkv", ".wav", ".flac", ".mp3", ".ogg", ".opus", ".gif")

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Copied:
    """The outputs of a run as the row says them, the rows of its files, and what could not be copied."""

    outputs: list[Output] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        """The files in the media folder (a thumbnail goes with its file)."""
        return [output.content for output in self.outputs if output.content is not None]


class OutputCopier:
    def __init__(self, media: MediaFolder) -> None:
        self._media = media

    async def copy(
        self,
        client: ComfyClient,
        row: GenerationRow,
        made: Sequence[Made],
        sent: Sequence[tuple[str, bytes]] = (),
        *,
        last_try: bool = False,
    ) -> Copied:
        """Copy everything. A file that cannot be had is named in `warnings`; a failure leaves nothing behind.

        Args:
            made: what the history says.
            sent: pictures that came over the socket only (SaveImageWebsocket), by node.
            last_try: whether a file that the server does not give now counts as one that cannot be had.

        Raises:
            ProviderConnectionError: the server does not answer now; try again. Not on the `last_try`.
        """
        copied = Copied()
        counts: Counter[tuple[str, bool]] = Counter()  # a node's texts are no part of its batch of pictures
        try:
            for one in made:
                index = counts[one.node_id, one.filename is None]
                counts[one.node_id, one.filename is None] += 1
                await self._one(client, row, one, index, copied, last_try=last_try)
            for node_id, content in sent:
                index = counts[node_id, False]
                counts[node_id, False] += 1
                await self._sent(row, node_id, index, content, copied)
        except BaseException:
            await self.discard(copied)
            raise
        return copied

    async def discard(self, copied: Copied) -> None:
        """Delete what was copied: the generation is gone, or somebody else wrote its end."""
        for path in copied.paths:
            await self._media.delete(path)

    async def _one(
        self, client: ComfyClient, row: GenerationRow, made: Made, index: int, copied: Copied, *, last_try: bool
    ) -> None:
        if made.filename is None:
            copied.outputs.append(Output(filename="", kind="text", node_id=made.node_id, index=index, text=made.text))
            return
        output = Output(
            filename=made.filename,
            subfolder=made.subfolder,
            type=made.folder,
            kind="file",
            node_id=made.node_id,
            index=index,
        )
        try:
            saved = await self._fetch(client, row, made, index)
        except SpoonError as error:
            if isinstance(error, ProviderConnectionError) and not last_try:
                raise
            copied.warnings.append(f"{made.filename} was not copied: {error.message}")
            output.content_type = mimetypes.guess_type(made.filename)[0]
        else:
            _describe(output, saved, animated=made.animated)
            if saved.warning:
                copied.warnings.append(f"{made.filename}: {saved.warning}")
        copied.outputs.append(output)
        copied.files.append(_file_row(output, row.profile_id))

    async def _fetch(self, client: ComfyClient, row: GenerationRow, made: Made, index: int) -> Saved:
        filename = str(made.filename)
        streamed = filename.lower().endswith(STREAMED)
        async with client.view(filename, made.subfolder, made.folder, max_bytes=MAX_FILE) as pieces:
            if streamed:
                return await self._media.save_stream(pieces, max_bytes=MAX_FILE)
            content, rest = await _up_to(pieces, MAX_PICTURE)
            if rest is not None:
                return await self._media.save_stream(_chained(content, rest, pieces), max_bytes=MAX_FILE)
        return await self._media.save_output(content, _texts(row, index))

    async def _sent(self, row: GenerationRow, node_id: str, index: int, content: bytes, copied: Copied) -> None:
        try:
            saved = await self._media.save_output(content, _texts(row, index))
        except SpoonError as error:
            copied.warnings.append(f"A picture of node {node_id} was not stored: {error.message}")
            return
        name = saved.path.rpartition("/")[2]
        output = Output(filename=name, subfolder="", type="temp", kind="image", node_id=node_id, index=index)
        _describe(output, saved, animated=False)
        copied.outputs.append(output)
        copied.files.append(_file_row(output, row.profile_id))


def _describe(output: Output, saved: Saved, *, animated: bool) -> None:
    output.kind = "video" if animated and saved.type == "image" else saved.type
    output.content, output.thumbnail, output.content_type = saved.path, saved.thumbnail, saved.content_type
    output.width, output.height, output.size_bytes = saved.width, saved.height, saved.size_bytes
    output.file_sha256, output.pixel_sha256 = saved.file_sha256, saved.pixel_sha256


def _file_row(output: Output, profile_id: str) -> dict[str, Any]:
    return {
        "id": new_id(),
        "profile_id": profile_id,
        "filename": output.filename,
        "subfolder": output.subfolder,
        "folder": output.type,
        "content": output.content,
        "thumbnail": output.thumbnail,
        "content_type": output.content_type,
        "size_bytes": output.size_bytes,
        "file_sha256": output.file_sha256,
        "pixel_sha256": output.pixel_sha256,
        "created_at": utc_now(),
    }


def _texts(row: GenerationRow, index: int) -> dict[str, str]:
    """A1111's text and Spoon's record, which a PNG gets beside what ComfyUI wrote.

    ComfyUI writes `extra_pnginfo` as JSON, quotes and all, which A1111's readers do not take: so it is done here.
    """
    loras = [Lora(plain_model(one.get("name")) or "", one.get("strength_model")) for one in row.loras_used or ()]
    record = {
        "generation_id": row.id,
        "session_id": row.session_id,
        "prompt_id": row.prompt_id,
        "index": index,
        **(row.parameters or {}),
        "prompt_text": row.prompt_text,
        "negative_prompt": row.negative_prompt,
        "ingredients": row.ingredients,
    }
    text = a1111_parameters(
        prompt=row.prompt_text,
        negative_prompt=row.negative_prompt or "",
        steps=row.steps,
        sampler_name=row.sampler_name,
        scheduler=row.scheduler,
        cfg_scale=row.cfg_scale,
        seed=row.seed,
        width=row.width,
        height=row.height,
        model=row.checkpoint_name,
        loras=loras,
    )
    return {"parameters": text, "spoon": json.dumps(record, separators=(",", ":"))}


async def _up_to(pieces: AsyncIterator[bytes], limit: int) -> tuple[bytes, bytes | None]:
    """What arrives, whole; or, once there is more than `limit`, what has arrived and the piece that was too much."""
    held = bytearray()
    async for piece in pieces:
        if len(held) + len(piece) > limit:
            return bytes(held), piece
        held += piece
    return bytes(held), None


async def _chained(first: bytes, second: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    yield second
    async for piece in rest:
        yield piece

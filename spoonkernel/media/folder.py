"""The media folder: files that tasks and generations made, under names made here."""

import asyncio
import hashlib
import io
import re
import secrets
from collections.abc import AsyncIterable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from spoonkernel.errors import NotFound, PayloadTooLarge, ValidationFailed
from spoonkernel.media.clips import read_clip
from spoonkernel.media.kinds import BY_EXTENSION, HEAD_BYTES, Kind, kind_of, size_px
from spoonkernel.media.metadata import GenerationMetadata, read_metadata
from spoonkernel.media.parts import Part, is_older, leftovers, read_file, write_whole
from spoonkernel.media.png import embed_png_text
from spoonkernel.media.thumbnails import THUMB, UNMADE, Thumbnails, thumb_of
from spoonkernel.types.base import Media, MediaType

if TYPE_CHECKING:  # Pillow is loaded with the first picture that is looked into
    from spoonkernel.media.comparison import PictureComparison

T = TypeVar("T")

PREFIX = "/storage/media/"
"""What a result's `content` begins with; the rest is the file's name."""

MAX_PICTURE_BYTES = 256 * 1024 * 1024
"""A picture that came as a stream is looked into up to this size; a larger one is stored as it is."""

DECODED_AT_ONCE = 2  # each may take `pictures.MAX_PIXELS` of memory
SWEEP_AFTER_S = 3_600.0  # other workers share the folder: a file they are writing is never this old

_NAME = re.compile(
    r"(?:(?:image|video|audio)_[0-9a-f]{12}\.(?:png|jpg|webp|gif|mp4|webm|wav|mp3|flac|ogg)"
    r"|image_[0-9a-f]{12}\.thumb\.webp)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Saved:
    """A stored file with what its bytes say.

    Attributes:
        path: for a result's `content`: `/storage/media/image_<12 hex>.png`.
        thumbnail: the path of a WebP of at most 256 px, which is made soon, or when it is opened before; None for sound
            and video, and where `warning` says why.
        width, height: pixels; None for sound, and for videos other than MP4.
        duration_s: of WAV, FLAC, MP4 and animated pictures.
        file_sha256: of the bytes, in hex.
        pixel_sha256: of the decoded pixels (see `pictures.hash_frames`); None for sound and video.
        warning: why a picture has no thumbnail or no pixel hash; empty where nothing is missing.
    """

    path: str
    type: MediaType
    content_type: str
    size_bytes: int
    file_sha256: str
    thumbnail: str | None = None
    width: int | None = None
    height: int | None = None
    duration_s: float | None = None
    pixel_sha256: str | None = None
    warning: str = ""


class MediaFolder:
    """Writes, reads and deletes files of one folder, which is made at the first file. Text is kept in the store."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._decoding = asyncio.Semaphore(DECODED_AT_ONCE)
        self._thumbnails = Thumbnails(folder, self._decoding)

    async def save(self, content: bytes) -> str:
        """Store a file, whole or not at all, and return its path for a result: `/storage/media/image_<12 hex>.png`.

        Raises:
            ValidationFailed: the bytes are none of png, jpeg, webp, gif, mp4, webm, wav, mp3, flac, ogg.
        """
        name = _new_name(kind_of(content))
        await self._finish(name, lambda: write_whole(self._folder, name, content))
        return PREFIX + name

    async def save_output(self, content: bytes, texts: Mapping[str, str] | None = None) -> Saved:
        """Store a file as `save` does, say what is in it, and have its thumbnail made soon.

        A PNG gets `texts` written into it, by keyword; other files are stored as they are.

        A picture that is too large to be decoded (an upscale of 16,000 px) is stored all the same, without thumbnail.

        Raises:
            ValidationFailed: none of the kinds of `save`, or a picture that is cut off or broken.
        """
        name = _new_name(kind_of(content))
        self._thumbnails.touch()
        async with self._decoding:
            saved = await self._finish(name, lambda: self._save_output(name, _with_texts(name, content, texts)))
        return self._shown(saved)

    async def save_stream(self, pieces: AsyncIterable[bytes], *, max_bytes: int) -> Saved:
        """Store a file that is still arriving, without holding it in memory. Nothing is left if it does not end well.

        Raises:
            PayloadTooLarge: more than `max_bytes` arrived.
            ValidationFailed: as for `save_output`.
        """
        part = await asyncio.to_thread(Part, self._folder, f"stream_{secrets.token_hex(6)}")
        try:
            digest, size_bytes, head = hashlib.sha256(), 0, b""
            async for piece in pieces:
                size_bytes += len(piece)
                if size_bytes > max_bytes:
                    raise PayloadTooLarge(f"The file is larger than {max_bytes} bytes: it was not stored")
                if len(head) < HEAD_BYTES:
                    head = (head + piece)[:HEAD_BYTES]
                    if len(head) == HEAD_BYTES:
                        _new_name(kind_of(head))  # refused before the rest comes
                await asyncio.to_thread(_take, part, digest, piece)
            name = _new_name(kind_of(head))
            known = _about(name, digest.hexdigest(), size_bytes)
            async with self._decoding:
                saved = await self._finish(name, lambda: self._keep(part, name, known))
            return self._shown(saved)
        finally:
            await asyncio.to_thread(part.discard)

    async def open(self, name: str) -> Media:
        """A file by its name or its result's path. Raises `NotFound` for anything that is not a file of ours."""
        plain = name.removeprefix(PREFIX)
        if not _NAME.fullmatch(plain):
            raise NotFound("File not found: media names look like image_0123456789ab.png")
        try:
            content = await self._read(plain)
        except UNMADE as error:  # missing; or a symbolic link, which we never make; or a thumbnail that cannot be made
            raise NotFound(f"File {plain} not found") from error
        return Media(content=content, content_type=_kind_named(plain).content_type, filename=plain)

    async def delete(self, name: str) -> None:
        """Delete a file, and its thumbnail, by its name or its result's path.

        Fine when it is gone; any name that is not ours is left alone.
        """
        plain = name.removeprefix(PREFIX)
        if _NAME.fullmatch(plain):
            await asyncio.to_thread(self._delete, plain)

    async def compare(self, first: str, second: str) -> "PictureComparison":
        """How far one stored picture is from another. Raises `NotFound`, and as `compare_pictures` does."""
        from spoonkernel.media.comparison import compare_pictures

        one, other = await self.open(first), await self.open(second)
        async with self._decoding:
            return await asyncio.to_thread(compare_pictures, one.content, other.content)

    async def metadata(self, name: str) -> GenerationMetadata:
        """What a stored picture says about how it was made. Raises `NotFound`."""
        media = await self.open(name)
        return await asyncio.to_thread(read_metadata, media.content)

    async def make_thumbnails(self) -> None:
        """Make the thumbnails that are due, unless files are arriving. To be called from time to time.

        One that is opened before is made then, so nothing depends on this: it saves people the wait.
        """
        await self._thumbnails.make_due()

    async def sweep_partial(self, older_than_s: float = SWEEP_AFTER_S) -> int:
        """Remove what writers that died left behind: unfinished files, and thumbnails without their picture.

        Args:
            older_than_s: younger files may still be written, by this process or another one.

        Returns:
            How many files were removed.
        """
        return await asyncio.to_thread(self._sweep, older_than_s)

    async def _finish(self, name: str, work: Callable[[], T]) -> T:
        """Run writing work in a thread; when cancelled, wait for it and leave nothing that nobody knows of."""
        running = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait({running})
            if not running.cancelled():
                running.exception()  # looked at, so that it is not reported as lost
            await asyncio.to_thread(self._delete, name)
            raise

    def _save_output(self, name: str, content: bytes) -> Saved:
        known = _about(name, hashlib.sha256(content).hexdigest(), len(content))
        saved = _look(known, content) if known.type == "image" else _listen(known, io.BytesIO(content))
        write_whole(self._folder, name, content)
        return saved

    def _keep(self, part: Part, name: str, known: Saved) -> Saved:
        """Look into a file that has arrived, then give it its name."""
        part.file.flush()
        part.file.seek(0)
        is_picture = known.type == "image"
        saved = _look(known, part.file.read(MAX_PICTURE_BYTES + 1)) if is_picture else _listen(known, part.file)
        part.keep(name)
        return saved

    def _shown(self, saved: Saved) -> Saved:
        """The same, once its thumbnail, if it gets one, is due."""
        self._thumbnails.touch()
        if saved.thumbnail is not None:
            self._thumbnails.add(saved.thumbnail.removeprefix(PREFIX))
        return saved

    async def _read(self, name: str) -> bytes:
        try:
            return await asyncio.to_thread(read_file, self._folder / name)
        except FileNotFoundError:
            if not name.endswith(THUMB):
                raise
        return await self._thumbnails.make(name)

    def _delete(self, name: str) -> None:
        (self._folder / name).unlink(missing_ok=True)
        (self._folder / thumb_of(name)).unlink(missing_ok=True)

    def _sweep(self, older_than_s: float) -> int:
        stale = leftovers(self._folder, older_than_s)
        for thumb in self._folder.glob(f"image_*{THUMB}"):
            stem = thumb.name.removesuffix(THUMB)
            has_file = any((self._folder / f"{stem}.{ending}").exists() for ending in BY_EXTENSION)
            if _NAME.fullmatch(thumb.name) and not has_file and is_older(thumb, older_than_s):
                stale.append(thumb)
        for path in stale:
            path.unlink(missing_ok=True)
        return len(stale)


def _with_texts(name: str, content: bytes, texts: Mapping[str, str] | None) -> bytes:
    return embed_png_text(content, texts) if texts and name.endswith(".png") else content


def _new_name(kind: Kind | None) -> str:
    if kind is None:
        raise ValidationFailed(f"The file made is none of {', '.join(sorted(BY_EXTENSION))}: it was not stored")
    return f"{kind.type}_{secrets.token_hex(6)}.{kind.extension}"


def _kind_named(name: str) -> Kind:
    return BY_EXTENSION[PurePosixPath(name).suffix[1:]]


def _about(name: str, file_sha256: str, size_bytes: int) -> Saved:
    kind = _kind_named(name)
    return Saved(PREFIX + name, kind.type, kind.content_type, size_bytes, file_sha256)


def _listen(known: Saved, file: BinaryIO) -> Saved:
    """What the header of sound or video says."""
    clip = read_clip(file, _kind_named(known.path))
    return replace(known, duration_s=clip.duration_s, width=clip.width, height=clip.height)


def _look(known: Saved, content: bytes) -> Saved:
    """A picture's facts; for one too large to be decoded, what its header says."""
    from spoonkernel.media.pictures import read_picture

    width, height = size_px(content) or (None, None)
    named = replace(known, width=width, height=height)
    if len(content) > MAX_PICTURE_BYTES:
        return replace(named, warning=f"Stored without thumbnail: larger than {MAX_PICTURE_BYTES} bytes")
    try:
        facts = read_picture(content)
    except PayloadTooLarge as error:
        return replace(named, warning=f"Stored without thumbnail: {error.message}")
    return replace(
        named,
        thumbnail=PREFIX + thumb_of(known.path.removeprefix(PREFIX)),
        width=facts.width,
        height=facts.height,
        duration_s=facts.duration_s,
        pixel_sha256=facts.pixel_sha256,
        warning=""
        if facts.pixel_sha256
        else f"Stored without a hash of its pixels: {facts.frames} frames are too many",
    )


def _take(part: Part, digest: "hashlib._Hash", piece: bytes) -> None:
    part.file.write(piece)
    digest.update(piece)

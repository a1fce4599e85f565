"""Pictures that go with questions: kept as they were given, sent as models take them."""

import asyncio
from base64 import b64encode
from collections import OrderedDict
from typing import Any

from spoonkernel.errors import PayloadTooLarge, ValidationFailed
from spoonkernel.media import MediaFolder, kind_of
from spoonkernel.types.conversations import MAX_ATTACHMENT_BYTES, Attachment

KEPT_BYTES = 64_000_000
"""Data URLs that are kept in memory: the pictures of a conversation go with each of its questions again."""


class Attachments:
    def __init__(self, media: MediaFolder, *, kept_bytes: int = KEPT_BYTES) -> None:
        self._media, self._kept_bytes = media, kept_bytes
        self._urls: OrderedDict[str, str] = OrderedDict()
        self._encoding = asyncio.Lock()  # one large picture at a time: each takes hundreds of megabytes

    async def keep(self, content: bytes, filename: str) -> Attachment:
        """Store a picture. Raises `ValidationFailed` and `PayloadTooLarge`."""
        name = filename or "The file"
        kind = kind_of(content)
        if kind is None or kind.type != "image":
            raise ValidationFailed(f"{name} is no png, jpeg, webp or gif: it was not attached")
        if len(content) > MAX_ATTACHMENT_BYTES:
            raise PayloadTooLarge(f"{name} is larger than {MAX_ATTACHMENT_BYTES // 2**20} MB: it was not attached")
        saved = await self._media.save_output(content)
        if saved.thumbnail is None:
            await self._media.delete(saved.path)
            raise PayloadTooLarge(f"{name} was not attached: {saved.warning or 'it cannot be shown'}")
        return Attachment(
            content=saved.path,
            thumbnail=saved.thumbnail,
            filename=filename,
            content_type=saved.content_type,
            width=saved.width,
            height=saved.height,
            size_bytes=saved.size_bytes,
        )

    async def drop(self, paths: list[str]) -> None:
        """Delete pictures that nothing names any more."""
        for path in paths:
            self._urls.pop(path, None)
            await self._media.delete(path)

    async def part(self, path: str) -> dict[str, Any]:
        """A picture as a part of a message. Raises `NotFound` when its file is gone."""
        async with self._encoding:
            url = self._urls.get(path)
            if url is None:
                media = await self._media.open(path)
                url = self._urls[path] = await asyncio.to_thread(_data_url, media.content)
                while len(self._urls) > 1 and sum(map(len, self._urls.values())) > self._kept_bytes:
                    self._urls.popitem(last=False)
            self._urls.move_to_end(path)
        return {"type": "image_url", "image_url": {"url": url}}


def _data_url(content: bytes) -> str:
    from spoonkernel.media.smaller import fit_for_models

    sent, content_type = fit_for_models(content)
    return f"data:{content_type};base64,{b64encode(sent).decode()}"

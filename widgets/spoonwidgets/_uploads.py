"""Files from a page, in pieces: one message above about 10 MB ends the kernel's websocket, pieces of 1 MB do not."""

from dataclasses import dataclass, field
from typing import Any

from spoonkernel.errors import BadRequest, PayloadTooLarge

MAX_UPLOAD_BYTES = 100 * 1024 * 1024
MAX_WAITING = 8
"""Uploads that nobody took yet; the oldest goes when another begins."""


@dataclass(slots=True)
class _Upload:
    pieces: int
    arrived: dict[int, bytes] = field(default_factory=dict)


class Uploads:
    """Pieces by upload id, put together when they are taken."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Upload] = {}

    def add(self, args: Any, buffers: list[bytes]) -> dict[str, int]:
        """One piece: `args` is `{upload, index, pieces}`, its bytes are the only buffer. Answers how many arrived."""
        match args:
            case {"upload": str(name), "index": int(index), "pieces": int(pieces)} if 0 <= index < pieces and buffers:
                pass
            case _:
                raise BadRequest("This is no piece of an upload; reload the page after an update")
        upload = self._waiting.setdefault(name, _Upload(pieces))
        upload.arrived[index] = bytes(buffers[0])
        if sum(map(len, upload.arrived.values())) > MAX_UPLOAD_BYTES:
            del self._waiting[name]
            raise PayloadTooLarge(f"The file is larger than {MAX_UPLOAD_BYTES // 1024**2} MB")
        while len(self._waiting) > MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]
        return {"arrived": len(upload.arrived)}

    def take(self, name: str) -> bytes:
        """The whole file, once."""
        upload = self._waiting.pop(name, None)
        if upload is None or len(upload.arrived) != upload.pieces:
            raise BadRequest("The file did not arrive whole; attach it again")
        return b"".join(upload.arrived[index] for index in range(upload.pieces))

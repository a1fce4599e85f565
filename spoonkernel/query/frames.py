"""How parent and child talk: a frame is two lengths (4 bytes each, little endian), a JSON object, and bytes.

A question carries a number `n`, and its answer the same: one that nobody waits for any more is told from the next.
"""

import json
import struct
from dataclasses import dataclass, field
from typing import Any, BinaryIO

LENGTHS = struct.Struct("<II")


@dataclass(slots=True)
class Frame:
    head: dict[str, Any] = field(default_factory=dict)
    body: bytes = b""

    def packed(self) -> bytes:
        head = json.dumps(self.head, default=str).encode()
        return LENGTHS.pack(len(head), len(self.body)) + head + self.body


def read_frame(source: BinaryIO) -> Frame | None:
    """The next frame, or None at the end."""
    lengths = source.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        return None
    head, body = LENGTHS.unpack(lengths)
    return Frame(json.loads(source.read(head)), source.read(body))


def write_frame(target: BinaryIO, frame: Frame) -> None:
    target.write(frame.packed())
    target.flush()

"""Cuts a body that arrives in arbitrary pieces into whole frames, as bytes: no character is ever split.

Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html, of which only `data` matters here
(Claude repeats the event's name inside its data, the others send none). A lone CR as line end, which the standard also
allows and no provider sends, is not known. NDJSON: one object a line, https://github.com/ndjson/ndjson-spec.
"""

from typing import Protocol


class Cutter(Protocol):
    def feed(self, chunk: bytes) -> list[bytes]:
        """The frames that this piece completes."""
        ...

    def end(self) -> list[bytes]:
        """What is left when the body ends; servers forget the last line break."""
        ...


class _Lines:
    """Whole lines without their line ends. Pieces are joined once a line is whole: a picture is a line of megabytes."""

    __slots__ = ("_pieces",)

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        if b"\n" not in chunk:
            self._pieces.append(chunk)
            return []
        if self._pieces:
            chunk = b"".join((*self._pieces, chunk))
        lines = chunk.split(b"\n")
        rest = lines.pop()
        self._pieces = [rest] if rest else []
        return lines

    def end(self) -> list[bytes]:
        rest, self._pieces = b"".join(self._pieces), []
        return [rest] if rest else []


class ServerSentEvents:
    """The data of each event; comments, names, ids and events without data are left out."""

    __slots__ = ("_data", "_lines")

    def __init__(self) -> None:
        self._lines = _Lines()
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        return self._events(self._lines.feed(chunk))

    def end(self) -> list[bytes]:
        return self._events([*self._lines.end(), b""])

    def _events(self, lines: list[bytes]) -> list[bytes]:
        events, data = [], self._data
        for raw in lines:
            line = raw.rstrip(b"\r")
            if line.startswith(b"data:"):
                data.append(line[6:] if line.startswith(b" ", 5) else line[5:])
            elif not line and data:
                events.append(b"\n".join(data) if len(data) > 1 else data[0])
                data.clear()
        return events


class JSONLines:
    """Each line that is not blank."""

    __slots__ = ("_lines",)

    def __init__(self) -> None:
        self._lines = _Lines()

    def feed(self, chunk: bytes) -> list[bytes]:
        return [line for line in self._lines.feed(chunk) if line.strip()]

    def end(self) -> list[bytes]:
        return [line for line in self._lines.end() if line.strip()]


class WholeBody:
    """The body as one frame: a server that was asked to stream and answered with one JSON document."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        self._pieces.append(chunk)
        return []

    def end(self) -> list[bytes]:
        return [b"".join(self._pieces)]

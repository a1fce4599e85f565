"""The recorded runs of a real ComfyUI 0.3.64 (tests/recordings/comfyui/transcripts): frames and answers by name."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

RECORDINGS = Path(__file__).parent / "recordings" / "comfyui"
TRANSCRIPTS = RECORDINGS / "transcripts"
NAMES = sorted(path.stem for path in TRANSCRIPTS.glob("*.json"))


@cache
def events(name: str) -> list[dict[str, Any]]:
    """All that was seen, in order; `name` may be the beginning, such as `01`."""
    path = next(iter(sorted(TRANSCRIPTS.glob(f"{name}*.json"))))
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["events"]
    return found


def text_frames(name: str, who: str | None = None) -> Iterator[str]:
    """The text frames of all sockets or of one (`A`, `B`), as they went over the wire."""
    for event in events(name):
        if event["kind"] == "ws_text" and who in {None, event["who"]}:
            yield json.dumps(event["msg"])


def answers(name: str, path: str) -> Iterator[tuple[int, Any]]:
    """Status and body of the HTTP answers of one path."""
    for event in events(name):
        if event["kind"] == "http" and event["req"]["path"] == path:
            body = event["resp"]
            yield event["status"], json.loads(body) if isinstance(body, str) and body.startswith("{") else body


def http(name: str) -> Any:
    """A recorded body of tests/recordings/comfyui/http."""
    return json.loads((RECORDINGS / "http" / f"{name}.json").read_text(encoding="utf-8"))

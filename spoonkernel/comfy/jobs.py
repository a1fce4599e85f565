"""What has become of prompts: ComfyUI's queue and history, read from untrusted JSON. Pure.

`GET /queue`: `{"queue_running": [[number, prompt_id, graph, extra_data, outputs]], "queue_pending": [...]}`, a heap.
`GET /history/{prompt_id}`: `{prompt_id: {"prompt", "outputs": {node_id: {kind: [item]}}, "status": {"status_str",
"completed", "messages": [[type, data]]}}}`, `{}` for an unknown one. An interrupted prompt's `status_str` is `error`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from spoonkernel.comfy.refusal import failed_text

Folder = Literal["output", "temp", "input"]
FOLDERS: tuple[Folder, ...] = get_args(Folder)
MAX_OUTPUTS = 10_000
MAX_TEXT = 100_000
MAX_NAME = 1_024
_SPACE = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class Submitted:
    """A prompt that the server took. `prompt_id` is the server's answer, whatever was asked for."""

    prompt_id: str
    number: float
    node_errors: tuple[str, ...] = ()
    """What was left out and why, line by line: outputs whose nodes were refused while others were taken."""


@dataclass(frozen=True, slots=True)
class QueueState:
    """The prompt ids of all clients; the pending ones in the order in which they will run."""

    running: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Output:
    """One thing that a node gave: a file (`filename`, `subfolder` and `folder` for `/view`) or a `text`.

    `kind` is the server's key (`images`, `audio`, `text`, custom nodes' `gifs`), and no media type: videos come as
    `images` with `animated`. `index` counts within its node and kind.
    """

    node_id: str
    kind: str
    index: int
    filename: str | None = None
    subfolder: str = ""
    folder: Folder = "output"
    text: str | None = None
    animated: bool = False


@dataclass(frozen=True, slots=True)
class Ran:
    """A prompt that has ended, as the history has it."""

    prompt_id: str
    status: Literal["success", "error", "interrupted"]
    completed: bool
    outputs: tuple[Output, ...] = ()
    error: str | None = None
    """Node and reason, for status `error` only."""
    cached_nodes: frozenset[str] = frozenset()
    duration_s: float | None = None
    """From its start to its end by the server's clock; waiting is not in it."""


@dataclass(frozen=True, slots=True)
class JobState:
    """Where a prompt is. `unknown`: neither queued nor in the history (deleted, never taken, or the server restarted).

    `position` counts the pending ones before it, from 0; `ran` is there for `ended`.
    """

    status: Literal["pending", "running", "ended", "unknown"]
    position: int | None = None
    ran: Ran | None = field(default=None)


def read_queue(body: bytes) -> QueueState:
    """The ids of `GET /queue`. Entry by entry: the graphs, 4 KB each, are dropped as soon as they are read.

    Raises `ValueError` or `TypeError` for anything else than that answer.
    """
    found: dict[str, list[tuple[float, str]]] = {"queue_running": [], "queue_pending": []}
    for name, entry in _entries(body.decode()):
        if name in found:
            found[name].append(_entry(entry))
    return QueueState(
        tuple(prompt_id for _, prompt_id in found["queue_running"]),
        tuple(prompt_id for _, prompt_id in sorted(found["queue_pending"], key=lambda entry: entry[0])),
    )


def queued(queue: QueueState, prompt_id: str) -> JobState | None:
    """The state of a prompt that is in the queue, else None."""
    if prompt_id in queue.running:
        return JobState("running")
    return JobState("pending", queue.pending.index(prompt_id)) if prompt_id in queue.pending else None


def read_ran(answer: Any, prompt_id: str) -> Ran | None:
    """One prompt of an answer of `/history`, or None when it is not in it.

    Raises `TypeError` for anything else than that answer. Unknown keys, kinds and items are passed over.
    """
    entry = answer.get(prompt_id) if isinstance(answer, dict) else None
    if entry is None and isinstance(answer, dict):
        return None
    if not isinstance(entry, dict):
        raise TypeError("not a history")
    status = _mapping(entry.get("status"))
    messages = list(_messages(status.get("messages")))
    failure = next((data for kind, data in messages if kind == "execution_error"), None)
    is_interrupted = any(kind == "execution_interrupted" for kind, _ in messages)
    is_failed = failure is not None or status.get("status_str") not in {"success", None}
    ending: Literal["success", "error", "interrupted"] = (
        "interrupted" if is_interrupted else "error" if is_failed else "success"
    )
    return Ran(
        prompt_id=prompt_id,
        status=ending,
        completed=bool(status.get("completed")),
        outputs=tuple(_outputs(_mapping(entry.get("outputs")))),
        error=_error(failure or {}) if ending == "error" else None,
        cached_nodes=_cached(messages),
        duration_s=_duration_s(messages),
    )


def _entries(text: str) -> Iterator[tuple[str, Any]]:
    """The items of an object of lists, each with the name of its list, one at a time."""
    decoder = json.JSONDecoder()
    at = _after(text, 0, "{")
    while text[at : at + 1] != "}":
        name, at = decoder.raw_decode(text, at)
        at = _after(text, _after(text, at, ":"), "[")
        while text[at : at + 1] != "]":
            entry, at = decoder.raw_decode(text, at)
            yield name, entry
            at = _space(text, at)
            if text[at : at + 1] != "]":
                at = _after(text, at, ",")
        at = _after(text, at, "]")
        if text[at : at + 1] != "}":
            at = _after(text, at, ",")


def _after(text: str, at: int, sign: str) -> int:
    at = _space(text, at)
    if text[at : at + 1] != sign:
        raise ValueError(f"{sign} expected at {at}")
    return _space(text, at + 1)


def _space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _entry(entry: Any) -> tuple[float, str]:
    if not isinstance(entry, list) or len(entry) < 2:
        raise ValueError("not an entry of the queue")
    number, prompt_id = entry[:2]
    if not isinstance(number, int | float) or not isinstance(prompt_id, str):
        raise TypeError("not an entry of the queue")
    return number, prompt_id


def _messages(messages: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for message in messages if isinstance(messages, list) else ():
        if isinstance(message, list) and len(message) == 2 and isinstance(message[1], dict):
            yield str(message[0]), message[1]


def _error(data: Mapping[str, Any]) -> str:
    node_type, node_id = data.get("node_type"), data.get("node_id")
    return failed_text(
        None if node_type is None else str(node_type),
        None if node_id is None else str(node_id),
        str(data.get("exception_type") or ""),
        str(data.get("exception_message") or ""),
    )


def _cached(messages: list[tuple[str, Mapping[str, Any]]]) -> frozenset[str]:
    lists = (data.get("nodes") for kind, data in messages if kind == "execution_cached")
    return frozenset(str(node) for nodes in lists if isinstance(nodes, list) for node in nodes)


def _duration_s(messages: list[tuple[str, Mapping[str, Any]]]) -> float | None:
    stamps = {kind: data.get("timestamp") for kind, data in messages}
    begun = stamps.get("execution_start")
    ends = ("execution_success", "execution_error", "execution_interrupted")
    ended = next((stamps[kind] for kind in ends if kind in stamps), None)
    if not isinstance(begun, int | float) or not isinstance(ended, int | float):
        return None
    return max(0.0, (ended - begun) / 1000)


def _outputs(outputs: Mapping[str, Any]) -> Iterator[Output]:
    left = MAX_OUTPUTS
    for node_id, kinds in outputs.items():
        named = _mapping(kinds)
        flags = named.get("animated")
        for kind, items in named.items():
            for index, item in enumerate(items if isinstance(items, list) else [items]):
                output = _output(str(node_id), str(kind), index, item, animated=_flag(flags, index))
                if output is not None and left > 0:
                    left -= 1
                    yield output


def _output(node_id: str, kind: str, index: int, item: Any, *, animated: bool) -> Output | None:
    """One item: a text, a file, or None for what is neither (flags, numbers, boxes)."""
    if isinstance(item, str):
        return Output(node_id, kind, index, text=item[:MAX_TEXT])
    file = _mapping(item)
    filename, subfolder = file.get("filename"), file.get("subfolder") or ""
    folder = next((one for one in FOLDERS if one == file.get("type", "output")), None)
    if not isinstance(filename, str) or not 0 < len(filename) <= MAX_NAME or folder is None:
        return None
    if not isinstance(subfolder, str) or len(subfolder) > MAX_NAME:
        return None
    return Output(node_id, kind, index, filename, subfolder, folder, animated=animated)


def _flag(flags: Any, index: int) -> bool:
    """`[true]` stands for all items of its node; some nodes give one flag for each."""
    if not isinstance(flags, list) or not flags:
        return False
    return flags[min(index, len(flags) - 1)] is True


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}

"""The frames of ComfyUI's websocket, which are untrusted, as `messages`.

A text frame is `{"type": str, "data": {...}}`. A binary frame begins with its kind as a big-endian 32-bit number:
1 a picture (`format`, picture), 3 a text (`length`, node id, text), 4 a picture that names its node (`length`, JSON,
picture; sent to clients whose first message asks for it). A frame of an unknown kind or of a wrong shape is None: a
server's custom nodes may send anything. Format: `protocol.py` and `server.py` of github.com/comfyanonymous/ComfyUI.
"""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from pydantic_core import from_json

from spoonkernel.comfy.messages import (
    Executed,
    Executing,
    ExecutionCached,
    ExecutionError,
    ExecutionInterrupted,
    ExecutionStart,
    ExecutionSuccess,
    FeatureFlags,
    Message,
    NodeProgress,
    NodeText,
    PictureFormat,
    Preview,
    Progress,
    ProgressState,
    Status,
)

MAX_TEXT = 16 * 1024 * 1024  # characters of one frame; an error's frame carries the node's inputs as text
MAX_NODES = 10_000
MAX_ID = 256
MAX_SENTENCE = 2_000
MAX_NODE_TEXT = 64 * 1024
MAX_METADATA = 64 * 1024

_MAGIC: tuple[tuple[bytes, PictureFormat], ...] = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF8", "gif"),
    (b"RIFF", "webp"),
)


def parse_text(frame: str) -> Message | None:
    """A text frame, or None for what is unknown, malformed or larger than 16 million characters."""
    if len(frame) > MAX_TEXT:
        return None
    try:
        document = from_json(frame)
        read = _READERS.get(document["type"])
        return read(document["data"]) if read else None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def parse_binary(frame: bytes) -> Preview | NodeText | None:
    """A binary frame, or None for what is unknown or malformed."""
    kind = int.from_bytes(frame[:4], "big") if len(frame) >= 8 else 0
    try:
        if kind == 1:
            return _preview(frame, 8, None)
        if kind == 3:
            return _node_text(frame)
        if kind == 4:
            end = 8 + int.from_bytes(frame[4:8], "big")
            return (
                _preview(frame, end, _mapping(from_json(frame[8:end])))
                if end <= min(len(frame), 8 + MAX_METADATA)
                else None
            )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return None


def _preview(frame: bytes, offset: int, metadata: Any) -> Preview | None:
    start = frame[offset : offset + 12]
    found = next((name for magic, name in _MAGIC if start.startswith(magic)), None)
    if found is None or (found == "webp" and start[8:] != b"WEBP"):
        return None
    if metadata is None:
        return Preview(found, None, None, False, frame, offset)
    return Preview(found, _maybe_id(metadata, "prompt_id"), _maybe_id(metadata, "node_id"), True, frame, offset)


def _node_text(frame: bytes) -> NodeText | None:
    end = 8 + int.from_bytes(frame[4:8], "big")
    if not 8 < end <= min(len(frame), 8 + MAX_ID):
        return None
    return NodeText(frame[8:end].decode(), frame[end : end + MAX_NODE_TEXT].decode(errors="replace"))


def _status(data: Any) -> Status:
    remaining = data["status"]["exec_info"]["queue_remaining"]
    return Status(_count(remaining), _maybe_id(data, "sid"))


def _feature_flags(data: Any) -> FeatureFlags:
    return FeatureFlags(_mapping(data))


def _start(data: Any) -> ExecutionStart:
    return ExecutionStart(_id(data["prompt_id"]), _timestamp(data))


def _cached(data: Any) -> ExecutionCached:
    return ExecutionCached(_id(data["prompt_id"]), frozenset(_id(node) for node in _list(data["nodes"])))


def _progress_state(data: Any) -> ProgressState:
    nodes = _mapping(data["nodes"])
    if len(nodes) > MAX_NODES:
        raise ValueError("more nodes than any graph has")
    return ProgressState(
        _id(data["prompt_id"]),
        tuple(
            NodeProgress(
                _id(node_id),
                _id(node["state"]),
                _number(node["value"]),
                _number(node["max"]),
                _maybe_id(node, "display_node_id"),
            )
            for node_id, node in nodes.items()
        ),
    )


def _executing(data: Any) -> Executing:
    node = data["node"]
    return Executing(_maybe_id(data, "prompt_id"), None if node is None else _id(node), _maybe_id(data, "display_node"))


def _progress(data: Any) -> Progress:
    prompt_id, node = _maybe_id(data, "prompt_id"), _maybe_id(data, "node")
    return Progress(prompt_id, node, _number(data["value"]), _number(data["max"]))


def _executed(data: Any) -> Executed:
    output = data.get("output")
    return Executed(
        _id(data["prompt_id"]),
        _id(data["node"]),
        _maybe_id(data, "display_node"),
        None if output is None else _mapping(output),
    )


def _success(data: Any) -> ExecutionSuccess:
    return ExecutionSuccess(_id(data["prompt_id"]), _timestamp(data))


def _error(data: Any) -> ExecutionError:
    return ExecutionError(
        _id(data["prompt_id"]),
        _maybe_id(data, "node_id"),
        _maybe_id(data, "node_type"),
        str(data.get("exception_type") or "")[:MAX_ID],
        str(data.get("exception_message") or "")[:MAX_SENTENCE],
        _timestamp(data),
    )


def _interrupted(data: Any) -> ExecutionInterrupted:
    return ExecutionInterrupted(
        _id(data["prompt_id"]), _maybe_id(data, "node_id"), _maybe_id(data, "node_type"), _timestamp(data)
    )


_READERS: Mapping[str, Callable[[Any], Message]] = {
    "status": _status,
    "feature_flags": _feature_flags,
    "execution_start": _start,
    "execution_cached": _cached,
    "progress_state": _progress_state,
    "executing": _executing,
    "progress": _progress,
    "executed": _executed,
    "execution_success": _success,
    "execution_error": _error,
    "execution_interrupted": _interrupted,
}


def _id(value: Any) -> str:
    """An id, which some custom nodes send as a number."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not 0 < len(text) <= MAX_ID:
        raise ValueError("not an id")
    return text


def _maybe_id(data: Any, name: str) -> str | None:
    value = data.get(name)
    return None if value is None or value == "" else _id(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError("not a number")
    return float(value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("not a count")
    return max(0, value)


def _timestamp(data: Any) -> int | None:
    value = data.get("timestamp")
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > MAX_NODES:
        raise TypeError("not a list")
    return value

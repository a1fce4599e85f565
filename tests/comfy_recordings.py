"""Recorded sessions with a real ComfyUI 0.3.64 (`tests/recordings/comfyui`), and how two sessions are compared."""

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

RECORDINGS = Path(__file__).parent / "recordings" / "comfyui"
Token = tuple[Any, ...]


def transcript(number: str) -> dict[str, Any]:
    """One transcript by the number at the beginning of its name."""
    (path,) = (RECORDINGS / "transcripts").glob(f"{number}_*.json")
    return json.loads(path.read_text(encoding="utf-8"))


def txt2img(seed: int = 1, steps: int = 3, **changes: Any) -> dict[str, Any]:
    """The recorded graph of transcript 01; `changes` are inputs as `node__field=value` (`9__filename_prefix`)."""
    graph = json.loads(json.dumps(next(iter(transcript("01")["graphs"].values()))))
    graph["3"]["inputs"] |= {"seed": seed, "steps": steps}
    for name, value in changes.items():
        node_id, field = name.strip("_").split("__")
        graph[node_id]["inputs"][field] = value
    return graph


def rebuilt(prompt_id: str, events: list[dict[str, Any]], seed: int, before: dict[str, Any] | None) -> dict[str, Any]:
    """A graph that was not recorded, from what its run told: which nodes ran, how many steps they took."""
    said = [event["msg"] for event in events if event["kind"] == "ws_text"]
    mine = [message for message in said if message["data"].get("prompt_id") == prompt_id]
    ran = [message["data"]["node"] for message in mine if message["type"] == "executing" and message["data"]["node"]]
    progress = {m["data"]["node"]: m["data"]["max"] for m in mine if m["type"] == "progress"}
    cached = [node for message in mine if message["type"] == "execution_cached" for node in message["data"]["nodes"]]
    if "50" in ran or "1" in ran:
        ran = ran if len(ran) > 1 else ["1", "2"]
        plain = {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": seed}}
        kind = "SaveImageWebsocket" if "50" in ran else "PreviewImage"
        return {ran[0]: plain, ran[1]: {"class_type": kind, "inputs": {"images": [ran[0], 0]}}}
    if before and "9" in cached:
        return before
    saved = next((m["data"]["output"]["images"][0] for m in mine if m["type"] == "executed"), None)
    prefix = f"{saved['subfolder']}/{saved['filename'].rsplit('_', 2)[0]}" if saved else "rec/t2i"
    if before and "8" in cached:
        return before | {"9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": prefix}}}
    graph = txt2img(seed, progress.get("3", 3), _9__filename_prefix=prefix)
    if "9" in progress:
        graph["9"] = {"class_type": "SaveImageWebsocket", "inputs": {"images": ["8", 0]}}
    return _within_subgraph(graph, {node.split(":")[1]: node for node in ran if ":" in node})


def _within_subgraph(graph: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """The graph with the ids that nodes of a subgraph have (`57:3`)."""
    for node in graph.values():
        for field, value in node["inputs"].items():
            if isinstance(value, list):
                node["inputs"][field] = [names.get(value[0], value[0]), value[1]]
    return {names.get(node_id, node_id): node for node_id, node in graph.items()}


class Hearing:
    """Reads frames one after another. Of a sampler's steps only the first counts, and the order within it."""

    def __init__(self, *, statuses: bool) -> None:
        self._statuses, self._last = statuses, ()
        self._steps: set[Token] = set()
        self.tokens: list[Token] = []

    def hear(self, frame: str | bytes | dict[str, Any]) -> None:
        token = _token(frame, self._last)
        if token[0] == "status":
            if self._statuses:
                self.tokens.append(token)
            return
        if token[0] in {"progress", "preview", "step"}:
            if token in self._steps:
                return
            self._steps.add(token)
        self._last: Token = token
        self.tokens.append(token)


def tokens(frames: Iterable[str | bytes | dict[str, Any]], *, statuses: bool) -> list[Token]:
    """What counts of a row of frames."""
    hearing = Hearing(statuses=statuses)
    for frame in frames:
        hearing.hear(frame)
    return hearing.tokens


def _token(frame: str | bytes | dict[str, Any], last: Token) -> Token:
    if isinstance(frame, bytes):
        frame = binary(frame)
    if isinstance(frame, dict) and "event" in frame:
        node = frame["metadata"]["node_id"] if frame["event"] == 4 else last[1]
        return "preview", node, frame["event"], frame.get("image_type") or frame["metadata"]["image_type"]
    message = json.loads(frame) if isinstance(frame, str) else frame
    kind, data = message["type"], message["data"]
    if kind == "progress_state":
        return _state(data)
    counts = COUNTS.get(kind, lambda told: tuple(sorted(told)))
    return kind, *counts(data), data.get("prompt_id")


def _state(data: dict[str, Any]) -> Token:
    """Which nodes have begun and ended; a step of a sampler, whose numbers are whole ones, is told apart."""
    states = tuple((node, entry["state"]) for node, entry in data["nodes"].items())
    node, entry = list(data["nodes"].items())[-1]
    stepping = entry["state"] == "running" and isinstance(entry["value"], int)
    return "step" if stepping else "state", node, states, data["prompt_id"]


def _error(data: dict[str, Any]) -> Token:
    told = data["exception_message"], data["exception_type"], tuple(sorted(data["current_outputs"]))
    return *_end(data), *told, tuple(sorted(data["current_inputs"]))


def _end(data: dict[str, Any]) -> Token:
    return data["node_id"], data["node_type"], tuple(sorted(data["executed"]))


COUNTS: dict[str, Callable[[dict[str, Any]], Token]] = {
    "status": lambda data: (data["status"]["exec_info"]["queue_remaining"], "sid" in data),
    "progress": lambda data: (data["node"],),
    "executing": lambda data: (data["node"], data.get("display_node")),
    "executed": lambda data: (data["node"], outputs(data["output"])),
    "execution_cached": lambda data: (tuple(sorted(data["nodes"])),),
    "execution_error": _error,
    "execution_interrupted": _end,
}
"""What counts of a message; of all others, the names of their fields."""


def binary(frame: bytes) -> dict[str, Any]:
    """A binary frame as the recordings describe one."""
    event = int.from_bytes(frame[:4], "big")
    length = int.from_bytes(frame[4:8], "big")
    if event == 4:
        return {"event": 4, "metadata": json.loads(frame[8 : 8 + length])}
    return {"event": event, "image_type": length}


def outputs(told: Any) -> Any:
    """Outputs without the numbers and random letters in file names."""
    text = re.sub(r"_\d{5}_", "_N_", json.dumps(told))
    return re.sub(r"_temp_[a-z]{5}_", "_temp_x_", text)


def history(entry: dict[str, Any]) -> dict[str, Any]:
    """What counts of an entry of the history."""
    return {
        "parts": len(entry["prompt"]),
        "to_run": sorted(entry["prompt"][4]),
        "outputs": {node_id: outputs(kinds) for node_id, kinds in entry["outputs"].items()},
        "meta": entry["meta"],
        "state": (entry["status"]["status_str"], entry["status"]["completed"]),
        "said": [(kind, sorted(data)) for kind, data in entry["status"]["messages"]],
    }


def refusal(body: dict[str, Any]) -> dict[str, Any]:
    """What counts of a refused (or partly refused) prompt."""
    nodes = {
        node_id: (
            node["class_type"],
            sorted(node["dependent_outputs"]),
            sorted((e["type"], e["message"], e["extra_info"].get("input_name")) for e in node["errors"]),
        )
        for node_id, node in body["node_errors"].items()
    }
    return {"error": (body.get("error") or {}).get("type"), "nodes": nodes}

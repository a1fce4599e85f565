"""The small answers of ComfyUI's server, read from untrusted JSON, and the names that are sent to it. Pure.

Each reader raises one of `http.UNREADABLE` for a body that is not its answer.
"""

import re
from typing import Any, NamedTuple

from pydantic_core import from_json

from spoonkernel.comfy.jobs import Submitted
from spoonkernel.comfy.refusal import node_reasons

MAX_STEM, MAX_ENDING = 91, 8


class Uploaded(NamedTuple):
    """Where the server put an upload: it renames on a clash, so this is what a graph must name."""

    name: str
    subfolder: str
    folder: str

    @property
    def path(self) -> str:
        """As LoadImage takes it."""
        return f"{self.subfolder}/{self.name}" if self.subfolder else self.name


class ModelFile(NamedTuple):
    """`modified` is in seconds since 1970, by the server's clock."""

    size_bytes: int
    modified: float


def plain_name(name: str) -> str:
    """A file name of letters, digits, `.`, `_` and `-` alone, 100 at most: ComfyUI stores others percent-encoded."""
    last = name.replace("\\", "/").rpartition("/")[2]
    stem, dot, ending = last.rpartition(".") if "." in last else (last, "", "")
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", stem).strip("._-")[:MAX_STEM] or "image"
    return f"{plain}{dot}{re.sub('[^A-Za-z0-9]', '', ending)[:MAX_ENDING]}"


def submitted(body: bytes) -> Submitted:
    """The answer of a `POST /prompt` that was taken."""
    answer = from_json(body)
    prompt_id, number = answer["prompt_id"], answer["number"]
    if not isinstance(prompt_id, str) or not prompt_id or not isinstance(number, int | float):
        raise TypeError("not the answer of /prompt")
    return Submitted(prompt_id, number, node_reasons(answer.get("node_errors")))


def remaining(body: bytes) -> int:
    """`{"exec_info": {"queue_remaining": 0}}` of `GET /prompt`."""
    return int(from_json(body)["exec_info"]["queue_remaining"])


def cancelled(body: bytes) -> bool:
    """`{"cancelled": true}` of 0.38."""
    return from_json(body)["cancelled"] is True


def json_object(body: bytes) -> dict[str, Any]:
    """Any object, as it is."""
    document = from_json(body)
    if not isinstance(document, dict):
        raise TypeError("not an object")
    return document


def model_names(body: bytes) -> list[str]:
    """`["a.safetensors", ...]` of `GET /models/{folder}`."""
    return [name for name in _list(from_json(body)) if isinstance(name, str)]


def _list(document: Any) -> list[Any]:
    if not isinstance(document, list):
        raise TypeError("not a list")
    return document


def model_files(body: bytes) -> dict[str, ModelFile]:
    """`[{"name", "size", "modified", "pathIndex"}]`; the first of two of one name is the one that the server loads."""
    found: dict[str, ModelFile] = {}
    for entry in _list(from_json(body)):
        if isinstance(entry.get("name"), str):
            found.setdefault(entry["name"], ModelFile(int(entry.get("size") or 0), float(entry.get("modified") or 0)))
    return found


def model_hash(body: bytes, *, folder: str, name: str) -> str | None:
    """`{"assets": [{"name", "loader_path", "hash" or "asset_hash", "tags": ["checkpoints" or "model_type:..."]}]}`."""
    for asset in from_json(body)["assets"]:
        tags = [str(tag).rpartition(":")[2] for tag in asset.get("tags") or ()]
        found = asset.get("hash") or asset.get("asset_hash")
        if folder in tags and name in {asset.get("loader_path"), asset.get("name")} and isinstance(found, str):
            return found
    return None


def uploaded(body: bytes) -> Uploaded:
    """`{"name", "subfolder", "type"}` of `POST /upload/image`."""
    answer = from_json(body)
    name, subfolder, folder = answer["name"], answer.get("subfolder") or "", answer.get("type") or "input"
    if not all(isinstance(part, str) for part in (name, subfolder, folder)):
        raise TypeError("not the answer of /upload/image")
    return Uploaded(name, subfolder, folder)

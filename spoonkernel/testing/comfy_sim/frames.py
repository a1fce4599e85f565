"""The messages of the socket, as ComfyUI's `server.py` and `protocol.py` write them. Pure functions."""

import json
import struct
from typing import Any

PREVIEW, PREVIEW_WITH_METADATA = 1, 4
FORMATS = {"JPEG": 1, "PNG": 2}
MIME = {"JPEG": "image/jpeg", "PNG": "image/png"}


def text(kind: str, data: dict[str, Any]) -> str:
    """A text frame."""
    return json.dumps({"type": kind, "data": data})


def preview(image: bytes, image_format: str) -> bytes:
    """A binary frame of event 1: nobody can tell whose it is."""
    return struct.pack(">II", PREVIEW, FORMATS[image_format]) + image


def preview_with_metadata(image: bytes, image_format: str, prompt_id: str, node_id: str) -> bytes:
    """A binary frame of event 4, for clients that have said that they know it."""
    told = json.dumps(_ids(prompt_id, node_id) | {"image_type": MIME[image_format]}).encode()
    return struct.pack(">II", PREVIEW_WITH_METADATA, len(told)) + told + image


def progress_state(prompt_id: str, nodes: dict[str, tuple[float, float, str]]) -> dict[str, Any]:
    """The data of `progress_state`: every node that has been started."""
    told = {
        node_id: {"value": value, "max": most, "state": state} | _ids(prompt_id, node_id)
        for node_id, (value, most, state) in nodes.items()
    }
    return {"prompt_id": prompt_id, "nodes": told}


def _ids(prompt_id: str, node_id: str) -> dict[str, Any]:
    return {
        "node_id": node_id,
        "prompt_id": prompt_id,
        "display_node_id": node_id,
        "parent_node_id": None,
        "real_node_id": node_id,
    }

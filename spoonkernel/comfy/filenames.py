"""What ComfyUI's page puts into `filename_prefix` before it submits: `%date:...%` and `%Node.input%`. Pure.

The server itself only knows `%width%`, `%height%`, `%year%`, `%month%`, `%day%`, `%hour%`, `%minute%` and `%second%`.
From `applyTextReplacements` and `formatDate` of github.com/Comfy-Org/ComfyUI_frontend (`src/utils/searchAndReplace.ts`,
`src/utils/formatUtil.ts`).
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from spoonkernel.comfy.graph import Graph, as_link, inputs, title

PREFIX = "filename_prefix"
_TOKEN = re.compile(r"%([^%]+)%")
_DATE = re.compile("dd?|MM?|hh?|mm?|ss?|yyyy|yy")
_UNSAFE = re.compile(r'[/?<>\\:*|"\x00-\x1F\x7F]')


def with_filenames(graph: Graph, now: datetime) -> dict[str, dict[str, Any]]:
    """The graph with every text called `filename_prefix` as ComfyUI's page would send it.

    Args:
        now: in the time zone that file names shall tell.
    """
    filled = {node_id: dict(node) for node_id, node in graph.items()}
    for node in filled.values():
        prefix = inputs(node).get(PREFIX)
        if isinstance(prefix, str) and "%" in prefix:
            node["inputs"] = {**inputs(node), PREFIX: replaced(prefix, graph, now)}
    return filled


def replaced(text: str, graph: Graph, now: datetime) -> str:
    """The text with its tokens replaced. What names no node, no input or a linked one stays as it is."""
    return _TOKEN.sub(lambda found: _value(found, graph, now), text)


def _value(found: "re.Match[str]", graph: Graph, now: datetime) -> str:
    if found[1].startswith("date:"):
        return _dated(found[1].removeprefix("date:"), now)
    node_name, _, field = found[1].rpartition(".")
    node = _named(node_name, graph)
    value = None if node is None else inputs(node).get(field)
    if value is None or as_link(value) is not None:
        return found[0]
    return _UNSAFE.sub("_", _written(value))


def _named(name: str, graph: Graph) -> Mapping[str, Any] | None:
    """The first node of this class, else of this title, as the page looks for it."""
    of_class = (node for node in graph.values() if node["class_type"] == name)
    return next(of_class, None) or next((node for node in graph.values() if title(node) == name), None)


def _written(value: Any) -> str:
    """As JavaScript writes it: `true`, and 7.0 as `7`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _dated(pattern: str, now: datetime) -> str:
    parts = {"d": now.day, "M": now.month, "h": now.hour, "m": now.minute, "s": now.second}

    def part(found: "re.Match[str]") -> str:
        token = found[0]
        if token[0] == "y":
            return f"{now.year:04}"[-len(token) :]
        return str(parts[token[0]]).zfill(len(token))

    return _DATE.sub(part, pattern)

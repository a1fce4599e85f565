"""The graph that ComfyUI runs ("API format"): `{node_id: {"class_type", "inputs": {name: value or link}, "_meta"?}}`.

A link is `[origin node id, output slot]`. Ids are strings; those of a subgraph's nodes read `parent:child`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from spoonkernel.comfy.object_info import ObjectInfo

Graph = Mapping[str, Mapping[str, Any]]

SINKS = frozenset({"SaveImage", "PreviewImage", "SaveAnimatedWEBP", "SaveAnimatedPNG", "SaveVideo", "SaveWEBM"} | {
    "SaveAudio", "SaveAudioMP3", "SaveAudioOpus", "PreviewAudio", "PreviewAny", "SaveImageWebsocket", "SaveLatent"
})  # fmt: skip
"""Core classes that end a graph, for when no server has told (0.3.64's `output_node`)."""


class Link(NamedTuple):
    """Where an input's value comes from."""

    node_id: str
    slot: int


class Input(NamedTuple):
    """One input of one node."""

    node_id: str
    field: str


def as_link(value: Any) -> Link | None:
    """The link that a value is, or None for a plain value. ComfyUI takes every list of two for one."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        return None
    origin, slot = value
    if isinstance(origin, bool) or not isinstance(origin, str | int):
        return None
    return Link(str(origin), slot) if isinstance(slot, int) and not isinstance(slot, bool) else None


def is_ui_workflow(workflow: Any) -> bool:
    """Whether it is what ComfyUI's page saves (nodes and links as lists) and not the graph that its server runs."""
    return isinstance(workflow, Mapping) and isinstance(workflow.get("nodes"), list)


def is_graph(workflow: Any) -> bool:
    """Whether it has the shape of a graph in API format, with at least one node."""
    return (
        isinstance(workflow, Mapping)
        and bool(workflow)
        and all(
            isinstance(node, Mapping)
            and isinstance(node.get("class_type"), str)
            and isinstance(node.get("inputs", {}), Mapping)
            for node in workflow.values()
        )
    )


def inputs(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """A node's inputs by name."""
    return node.get("inputs") or {}


def links(node: Mapping[str, Any]) -> Iterator[tuple[str, Link]]:
    """The inputs of a node that come from other nodes, by name."""
    for name, value in inputs(node).items():
        if link := as_link(value):
            yield name, link


def consumers(graph: Graph) -> dict[Link, list[Input]]:
    """Who reads each output of each node, in the graph's order."""
    found: dict[Link, list[Input]] = {}
    for node_id, node in graph.items():
        for name, link in links(node):
            found.setdefault(link, []).append(Input(node_id, name))
    return found


def output_nodes(graph: Graph, object_info: ObjectInfo) -> list[str]:
    """The nodes that ComfyUI starts from: those of output classes.

    A class that the server did not tell of counts when core has it as an output class or when nobody reads it.
    """
    read = {link.node_id for link in consumers(graph)}
    return [
        node_id
        for node_id, node in graph.items()
        if (
            object_info[node["class_type"]].is_output
            if node["class_type"] in object_info
            else node["class_type"] in SINKS or node_id not in read
        )
    ]


def reachable(graph: Graph, object_info: ObjectInfo) -> frozenset[str]:
    """The nodes that run: the output nodes and everything that they need, directly or not."""
    seen: set[str] = set()
    waiting = output_nodes(graph, object_info)
    while waiting:
        node_id = waiting.pop()
        if node_id in seen or node_id not in graph:
            continue
        seen.add(node_id)
        waiting.extend(link.node_id for _, link in links(graph[node_id]))
    return frozenset(seen)


def title(node: Mapping[str, Any]) -> str:
    """What people call a node: the title given to it, else its class."""
    meta = node.get("_meta")
    given = meta.get("title") if isinstance(meta, Mapping) else None
    return str(given or node["class_type"])

"""A saved workflow, read and checked: nodes, slots and links of the root graph and of each subgraph definition.

Format: https://docs.comfy.org/specs/workflow_json (0.4 writes links as lists, version 1 and subgraphs as objects).
What a node's class says comes first, what the file says of its slots second, as when the page loads it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from spoonkernel.comfy.convert.layout import Layout, layout
from spoonkernel.comfy.object_info import ObjectInfo
from spoonkernel.errors import ValidationFailed

MAX_NODES = 5_000
"""Nodes of one workflow, those inside subgraphs counted each time they are used."""

MAX_SLOTS = 200_000
"""Inputs and outputs of all nodes, counted likewise."""

MUTED, BYPASSED = 2, 4
INPUT_NODE, OUTPUT_NODE = "-10", "-20"
"""The ids under which a subgraph's links name its own inputs and outputs."""

RENAMED = {
    "T2IAdapterLoader": "ControlNetLoader",
    "ConditioningAverage ": "ConditioningAverage",
    "SDV_img2vid_Conditioning": "SVD_img2vid_Conditioning",
}
"""Class names of old files that the page corrects when it loads them."""


TITLES = {
    "ImageBlend": "Image Blend",
    "ImageBlur": "Image Blur",
    "ImageQuantize": "Image Quantize",
    "ImageScaleToTotalPixels": "Scale Image to Total Pixels",
    "ImageSharpen": "Image Sharpen",
}
"""What the page calls core classes for which a server of 0.3.6x tells no name."""


class Slot(NamedTuple):
    """One input of a node. `widget` names the value that it stands in for, if any."""

    name: str
    type: str
    link: str | None = None
    widget: str | None = None


class Link(NamedTuple):
    """A connection inside one graph."""

    id: str
    origin: str
    origin_slot: int
    target: str
    target_slot: int


class Port(NamedTuple):
    """An input or output of a subgraph definition, with the links behind it in their order."""

    name: str
    type: str
    links: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One node. `layout` is None where its class is not known (also for subgraphs and for the page's own nodes)."""

    id: str
    type: str
    mode: int
    title: str
    inputs: tuple[Slot, ...]
    outputs: tuple[str, ...]
    values: Any
    properties: Mapping[str, Any]
    layout: Layout | None = None

    def __str__(self) -> str:
        return f"Node {self.id} ({self.type})"


@dataclass(frozen=True, slots=True)
class Graph:
    """The root graph, or one subgraph definition (then with its ports). `fed` has each node's inputs by their links."""

    nodes: Mapping[str, Node]
    links: Mapping[str, Link]
    fed: Mapping[tuple[str, str], Slot]
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()


@dataclass(frozen=True, slots=True)
class Workflow:
    """A whole file. A node whose type is in `subgraphs` is an instance of that definition; `recent` says which page
    opens it, that of a server of 2026 or an older one."""

    root: Graph
    subgraphs: Mapping[str, Graph]
    recent: bool = True


def read_workflow(raw: Any, info: ObjectInfo) -> Workflow:
    """Everything that conversion reads of a workflow file.

    Raises:
        ValidationFailed: something has the wrong shape; the message names the node where there is one.
    """
    if not isinstance(raw, Mapping) or not isinstance(raw.get("nodes"), list):
        raise ValidationFailed("A workflow as ComfyUI saves it is an object with a list called 'nodes'; there is none")
    if not raw["nodes"]:
        raise ValidationFailed("The workflow has no nodes")
    definitions = _definitions(raw)
    count = sum(len(one.get("nodes") or ()) for one in (raw, *definitions.values()))
    if count > MAX_NODES:
        raise ValidationFailed(f"The workflow has {count} nodes; at most {MAX_NODES} are taken")
    if sum(_slots(one, definitions) for one in (raw, *definitions.values())) > MAX_SLOTS:
        raise ValidationFailed(f"The nodes of the workflow have over {MAX_SLOTS} inputs and outputs")
    subgraphs = {key: _graph(one, info, definitions, f"subgraph {key!r}") for key, one in definitions.items()}
    return Workflow(_graph(raw, info, definitions, "the workflow"), subgraphs, info.is_recent)


def _slots(raw: Mapping[str, Any], definitions: Mapping[str, Mapping[str, Any]]) -> int:
    """How many inputs and outputs a graph's nodes have, before they are read."""
    found = 0
    for node in raw["nodes"] if isinstance(raw.get("nodes"), list) else ():
        kind = node.get("type") if isinstance(node, Mapping) else None
        for one in (node, definitions.get(kind) if isinstance(kind, str) else None):
            sides = (one.get("inputs"), one.get("outputs")) if isinstance(one, Mapping) else ()
            found += sum(len(side) for side in sides if isinstance(side, list))
    return found


def _definitions(raw: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Subgraph definitions by id, wherever they are nested."""
    found: dict[str, Mapping[str, Any]] = {}
    waiting: list[Mapping[str, Any]] = [raw]
    while waiting:
        holder = waiting.pop().get("definitions") or {}
        listed = (holder.get("subgraphs") or []) if isinstance(holder, Mapping) else None
        for one in _list(listed, "definitions.subgraphs"):
            if not isinstance(one, Mapping) or not isinstance(one.get("id"), str):
                raise ValidationFailed("A subgraph definition of the workflow has no id")
            _list(one.get("nodes"), f"nodes of subgraph {one['id']!r}")
            if one["id"] not in found:
                found[one["id"]] = one
                waiting.append(one)
    return found


def _graph(raw: Mapping[str, Any], info: ObjectInfo, definitions: Mapping[str, Mapping[str, Any]], where: str) -> Graph:
    links = {link.id: link for link in _links(raw.get("links"), where)}
    nodes: dict[str, Node] = {}
    for one in _list(raw.get("nodes"), f"nodes of {where}"):
        node = _node(one, info, definitions, where)
        if node.id in nodes:
            raise ValidationFailed(f"{node}: two nodes of {where} have the id {node.id}")
        nodes[node.id] = node
    fed = {(node.id, slot.link): slot for node in nodes.values() for slot in node.inputs if slot.link is not None}
    if raw.get("inputs") is None and raw.get("outputs") is None:
        return Graph(nodes, links, fed)
    ins = tuple(_ports(raw.get("inputs"), where, dict.fromkeys(links)))
    outs = tuple(_ports(raw.get("outputs"), where, dict.fromkeys(links)))
    return Graph(nodes, links, fed, _wired(ins, links.values(), INPUT_NODE), _wired(outs, links.values(), OUTPUT_NODE))


def _wired(ports: tuple[Port, ...], links: Iterable[Link], side: str) -> tuple[Port, ...]:
    """Ports with the links that really lead there: those the port lists, in its order, then those it forgot."""
    found: dict[int, list[str]] = {}
    for link in links:
        end, slot = (link.origin, link.origin_slot) if side == INPUT_NODE else (link.target, link.target_slot)
        if end == side:
            found.setdefault(slot, []).append(link.id)
    return tuple(
        port._replace(links=tuple(dict.fromkeys([one for one in port.links if one in real] + real)))
        for port, real in ((port, found.get(index, [])) for index, port in enumerate(ports))
    )


def _ports(raw: Any, where: str, known: Mapping[str, None]) -> Iterator[Port]:
    for one in _list(raw, f"inputs and outputs of {where}"):
        if not isinstance(one, Mapping):
            raise ValidationFailed(f"An input or output of {where} is not an object")
        listed = one.get("linkIds")
        ids = tuple(str(link) for link in listed if str(link) in known) if isinstance(listed, list) else ()
        yield Port(str(one.get("name", "")), _type(one.get("type")), ids)


def _links(raw: Any, where: str) -> Iterator[Link]:
    for one in _list(raw, f"links of {where}"):
        if one is None:  # litegraph leaves holes where links were removed
            continue
        if isinstance(one, Mapping):
            parts = [one.get(key) for key in ("id", "origin_id", "origin_slot", "target_id", "target_slot")]
        else:
            parts = list(one[:5]) if isinstance(one, list) else []
        parts = [_whole(part) if place in (2, 4) else part for place, part in enumerate(parts)]
        if len(parts) != 5 or not _is_id(parts[0]) or not _is_id(parts[1]) or not _is_id(parts[3]):
            named = f" at node {parts[3]}" if len(parts) > 3 and _is_id(parts[3]) else ""
            raise ValidationFailed(f"A link of {where}{named} is malformed: {str(one)[:120]}")
        if not isinstance(parts[2], int) or not isinstance(parts[4], int):
            raise ValidationFailed(f"A link of {where} at node {parts[3]} has no slot number: {str(one)[:120]}")
        if min(parts[2], parts[4]) >= 0:  # one that ends in the air has slot -1
            yield Link(str(parts[0]), str(parts[1]), parts[2], str(parts[3]), parts[4])


def _node(raw: Any, info: ObjectInfo, definitions: Mapping[str, Mapping[str, Any]], where: str) -> Node:
    if not isinstance(raw, Mapping):
        raise ValidationFailed(f"A node of {where} is not an object: {str(raw)[:80]}")
    if not _is_id(raw.get("id")):
        raise ValidationFailed(f"A node of {where} has no id: {str(raw)[:80]}")
    node_id, kind = str(raw["id"]), raw.get("type")
    if not isinstance(kind, str) or not kind:
        raise ValidationFailed(f"Node {node_id} of {where} has no type")
    kind = RENAMED.get(kind, kind)
    named = f"Node {node_id} ({kind})"
    slots = tuple(_slot(one, named) for one in _list(raw.get("inputs"), f"inputs of {named}"))
    outputs = [_type(one.get("type") if isinstance(one, Mapping) else None)
               for one in _list(raw.get("outputs"), f"outputs of {named}")]  # fmt: skip
    mode, title, properties = raw.get("mode"), raw.get("title"), raw.get("properties")
    values, known = raw.get("widgets_values", raw.get("widgets_values_named")), None
    if kind in definitions:
        declared = [Slot(port.name, port.type) for port in _ports(definitions[kind].get("inputs"), named, {})]
        slots = tuple(_merged(declared, slots, others=False))
    elif kind in info:
        known = layout(kind, info[kind], values)
        slots = tuple(_merged([Slot(*one) for one in known.slots], slots, others=True, widgets=known.names))
        outputs[: len(info[kind].outputs)] = info[kind].outputs
        name = info[kind].display_name
        title = title or (TITLES.get(kind, name) if name == kind else name)
    return Node(
        node_id, kind, mode if isinstance(mode, int) else 0, title if isinstance(title, str) and title else kind,
        slots, tuple(outputs), values, properties if isinstance(properties, Mapping) else {}, known,
    )  # fmt: skip


def _merged(
    declared: list[Slot], saved: tuple[Slot, ...], *, others: bool, widgets: frozenset[str] = frozenset()
) -> Iterator[Slot]:
    """The inputs that the class declares, with the links that the file has under the same names; then, with `others`,
    those that only the file has, except where they stand in for a value that the class no longer has."""
    by_name = {slot.name: slot for slot in saved}
    names = {slot.name for slot in declared}
    for slot in declared:
        yield slot._replace(link=by_name[slot.name].link) if slot.name in by_name else slot
    for slot in saved if others else ():
        if slot.name not in names and (slot.widget is None or slot.widget in widgets):
            yield slot


def _slot(raw: Any, named: str) -> Slot:
    if not isinstance(raw, Mapping):
        raise ValidationFailed(f"{named}: an input is not an object")
    link, widget = raw.get("link"), raw.get("widget")
    if link is not None and not _is_id(link):
        raise ValidationFailed(f"{named}: the link of input {str(raw.get('name'))[:80]!r} is malformed")
    of = widget.get("name") if isinstance(widget, Mapping) else None
    return Slot(
        str(raw.get("name", "")), _type(raw.get("type")), None if link is None else str(link),
        of if isinstance(of, str) else None,
    )  # fmt: skip


def _type(raw: Any) -> str:
    """A slot's type as text. Any type is `*` (0 and -1 in old files), and a list is a choice."""
    if isinstance(raw, list):
        return "COMBO"
    return raw if isinstance(raw, str) else "*"


def _is_id(raw: Any) -> bool:
    return isinstance(raw, int | str) and not isinstance(raw, bool) and raw != ""


def _whole(raw: Any) -> Any:
    """A number as the page reads a slot: `"0"` is 0."""
    return int(raw) if isinstance(raw, str) and raw.isascii() and raw.isdigit() and len(raw) < 10 else raw


def _list(raw: Any, what: str) -> list[Any]:
    if raw is None:
        return []
    if not isinstance(raw, list):
        raise ValidationFailed(f"The {what} should be a list")
    return raw

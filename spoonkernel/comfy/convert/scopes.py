"""Subgraph instances opened out: each node of the workflow at each place where it runs, with its id there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from spoonkernel.comfy.convert.values import held
from spoonkernel.comfy.convert.workflow import BYPASSED, MAX_NODES, MAX_SLOTS, MUTED, Graph, Node, Slot, Workflow
from spoonkernel.errors import ValidationFailed

MAX_DEPTH = 50
"""How deep subgraphs may lie in each other."""

VIRTUAL = frozenset(
    {"Note", "MarkdownNote", "Reroute", "PrimitiveNode", "SetNode", "GetNode", "easy setNode", "easy getNode"}
    | {f"{name} (rgthree)" for name in ("Reroute", "Label", "Bookmark", "Node Collector", "Random Unmuter")}
    | {f"Fast {name} (rgthree)" for name in ("Muter", "Bypasser", "Groups Muter", "Groups Bypasser", "Actions Button")}
    | {f"Mute / Bypass {name} (rgthree)" for name in ("Repeater", "Relay")}
)
"""Nodes that live only in the page, its own and those of widespread custom nodes: they pass links on, or do nothing."""


@dataclass(slots=True, eq=False)
class Scope:
    """One graph at one place: the root, or a definition as one instance of it.

    `path` holds the ids of the instances down to here. What a muted or bypassed instance holds is sent all the same,
    as by the page, which mutes inner nodes one by one.
    """

    graph: Graph
    path: tuple[str, ...] = ()
    parent: "Scope | None" = None
    instance: Node | None = None
    recent: bool = True
    inner: dict[str, "Scope"] = field(default_factory=dict)
    _held: dict[str, dict[str, Any]] = field(default_factory=dict)

    def id_of(self, node: Node) -> str:
        """The node's id in the graph that runs."""
        return ":".join((*self.path, node.id))

    def held(self, node: Node) -> dict[str, Any]:
        """The values of a node's widgets by name; those of an instance stand for values inside it."""
        found = self._held.get(node.id)
        if found is None:
            scope = self.inner.get(node.id)
            found = self._held[node.id] = scope.promoted() if scope else held(node)
        return found

    def promoted(self) -> dict[str, Any]:
        """The values that this instance offers for its unlinked inputs, by the inputs' names.

        They begin as those inside; the instance's own `widgets_values` come over them in the inputs' order. A recent
        page follows `properties.proxyWidgets` where it names them, and sets what it names inside there.
        """
        if self.instance is None:
            return {}
        saved = self.instance.values if isinstance(self.instance.values, list) else []
        proxies = _proxies(self.instance.properties)
        if self.recent and len(proxies) == len(saved):
            for (node_id, name), value in zip(proxies, saved, strict=True):
                target = self.graph.nodes.get(node_id)
                if target is not None and target.layout is not None and value is not None:
                    values = self.held(target)
                    values.update({name: value} if name in values else {})
        offered: dict[str, Any] = {}
        control: list[bool] = []
        for port in self.graph.inputs:
            for link_id in port.links:
                target = self.graph.nodes.get(self.graph.links[link_id].target)
                slot = self._promoted_slot(target, link_id) if target else None
                if target is None or slot is None or (target.layout is None and target.mode in (MUTED, BYPASSED)):
                    continue
                widget = slot.name if target.id in self.inner else slot.widget
                if widget is not None and widget in (values := self.held(target)):
                    offered[port.name] = values[widget]
                    control.append(_has_control(target, widget))
                    break
        if not self.recent:
            return offered | dict(zip(offered, saved, strict=False))
        return offered | _own(list(offered), control, saved, proxies)

    def _promoted_slot(self, target: Node, link_id: str) -> Slot | None:
        """The slot inside whose widget an input of this instance takes over. Older pages looked it up by its place
        before they had put right the places of files whose unlinked slots were left out."""
        if self.recent:
            return self.graph.fed.get((target.id, link_id))
        place = self.graph.links[link_id].target_slot
        return target.inputs[place] if 0 <= place < len(target.inputs) else None


def is_real(node: Node, scope: Scope) -> bool:
    """Whether a node is one that the server runs, once it is neither muted nor bypassed."""
    return node.id not in scope.inner and (node.layout is not None or node.type not in VIRTUAL)


def _own(names: list[str], control: list[bool], saved: list[Any], proxies: list[tuple[str, str]]) -> dict[str, Any]:
    """The instance's own values by the names of its inputs."""
    of_inputs = [name for node_id, name in proxies if node_id == "-1"]
    if of_inputs and len(saved) == len(proxies):
        given = {name: value for (node_id, name), value in zip(proxies, saved, strict=True) if node_id == "-1"}
        return {name: value for name, value in given.items() if name in names and value is not None}
    if of_inputs and len(saved) == len(of_inputs):
        return {name: value for name, value in zip(of_inputs, saved, strict=True) if name in names}
    if proxies and not of_inputs and len(saved) == len(proxies):
        return {}
    if len(saved) > len(names):  # the control widgets behind seeds have a place too
        places = [index + sum(control[:index]) for index in range(len(names))]
    else:
        places = list(range(len(names)))
    return {name: saved[place] for name, place in zip(names, places, strict=True) if place < len(saved)}


def _proxies(properties: Mapping[str, Any]) -> list[tuple[str, str]]:
    listed = properties.get("proxyWidgets")
    pairs = [one for one in listed if isinstance(one, list) and len(one) >= 2] if isinstance(listed, list) else []
    return [(str(one[0]), str(one[1])) for one in pairs]


def _has_control(node: Node, name: str) -> bool:
    names = [one.name for one in node.layout.widgets] if node.layout else []
    return (name, "control_after_generate") in pairwise(names)


def opened(workflow: Workflow) -> Scope:
    """The root with all instances below it.

    Raises:
        ValidationFailed: a definition holds itself, or they lie too deep, or there are too many nodes or links in all.
    """
    root = Scope(workflow.root)
    count, slots = len(root.graph.nodes), 0
    waiting: list[tuple[Scope, tuple[str, ...]]] = [(root, ())]
    while waiting:
        scope, inside = waiting.pop()
        for node in scope.graph.nodes.values():
            definition = workflow.subgraphs.get(node.type)
            if definition is None:
                continue
            if node.type in inside:
                raise ValidationFailed(f"Node {scope.id_of(node)}: the subgraph {node.type!r} contains itself")
            if len(inside) >= MAX_DEPTH:
                raise ValidationFailed(
                    f"Node {scope.id_of(node)}: subgraphs lie more than {MAX_DEPTH} deep in each other"
                )
            count += len(definition.nodes)
            slots += len(definition.fed)
            if count > MAX_NODES or slots > MAX_SLOTS:
                raise ValidationFailed(
                    f"Node {scope.id_of(node)}: opened out, the workflow has over {MAX_NODES} nodes, or too many links"
                )
            scope.inner[node.id] = Scope(definition, (*scope.path, node.id), scope, node, workflow.recent)
            waiting.append((scope.inner[node.id], (*inside, node.type)))
    return root


def walk(root: Scope) -> Iterator[tuple[Scope, Node]]:
    """Every node at every place, instances before what they hold."""
    waiting = [iter([(root, node) for node in root.graph.nodes.values()])]
    while waiting:
        for scope, node in waiting[-1]:
            yield scope, node
            if (below := scope.inner.get(node.id)) is not None:
                waiting.append(iter([(below, one) for one in below.graph.nodes.values()]))
                break
        else:
            waiting.pop()

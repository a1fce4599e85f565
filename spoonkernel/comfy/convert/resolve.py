"""Where an input's value really comes from, once reroutes, bypassed nodes and subgraphs are looked through.

After `ExecutableNodeDTO.resolveInput` and `resolveOutput` of the page.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from spoonkernel.comfy.convert.layout import MISSING
from spoonkernel.comfy.convert.scopes import VIRTUAL, Scope
from spoonkernel.comfy.convert.workflow import BYPASSED, INPUT_NODE, Node, Slot
from spoonkernel.errors import ValidationFailed

SETTERS = frozenset({"SetNode", "easy setNode"})
GETTERS = frozenset({"GetNode", "easy getNode"})


class Output(NamedTuple):
    """An output of a node that the server runs."""

    node_id: str
    slot: int


@dataclass(frozen=True, slots=True)
class Value:
    """A value from a subgraph instance or a primitive. `typed` says that it was typed into the widget itself, so that
    it is sent as the widget's value is."""

    value: Any
    typed: bool = False


class _Place(NamedTuple):
    """An input of a node, or with `out` one of its outputs. `type` is that of the input which is to be fed; an input
    place without one goes by its own."""

    scope: Scope
    node: Node
    slot: int
    out: bool = False
    type: str | None = None


Found = Output | Value | None


class Resolver:
    """Looks inputs through, and remembers every place that it came by, so that a long chain is walked once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str, int, bool, str | None], Found] = {}

    def resolve(self, scope: Scope, node: Node, index: int) -> Found:
        """What feeds the input: an output of a real node, a value, or None for nothing.

        Raises:
            ValidationFailed: the links run in a circle; the message names the node.
        """
        step: Found | _Place = _Place(scope, node, index)
        passed: dict[tuple[int, str, int, bool, str | None], None] = {}
        while isinstance(step, _Place):
            key = (id(step.scope), step.node.id, *step[2:])
            if key in passed:
                raise ValidationFailed(
                    f"Node {step.scope.id_of(step.node)} ({step.node.type}): its links run in a circle back to it"
                )
            if key in self._known:
                step = self._known[key]
                break
            passed[key] = None
            step = _output(step) if step.out else _input(step)
        self._known |= dict.fromkeys(passed, step)
        return step


def _input(place: _Place) -> Found | _Place:
    """From an input along its link: to the output where it begins, or out of the subgraph."""
    scope, slot = place.scope, place.node.inputs[place.slot]
    link = scope.graph.links.get(slot.link) if slot.link is not None else None
    if link is None:
        return None
    if link.origin == INPUT_NODE and scope.parent is not None and scope.instance is not None:
        return _outwards(scope.parent, scope.instance, link.origin_slot)
    origin = scope.graph.nodes.get(link.origin)
    type_ = slot.type if place.type is None else place.type
    return None if origin is None else _Place(scope, origin, link.origin_slot, True, type_)


def _outwards(parent: Scope, instance: Node, index: int) -> Found | _Place:
    """From inside a subgraph to what feeds the instance's input: its link, or else its value."""
    if index >= len(instance.inputs):
        return None
    if instance.inputs[index].link is not None:
        return _Place(parent, instance, index)
    value = parent.held(instance).get(instance.inputs[index].name, MISSING)
    return None if value is MISSING else Value(value)


def _output(place: _Place) -> Found | _Place:
    """From an output: it is a real one, or it is looked through to an input of its node or into its subgraph."""
    scope, node, type_ = place.scope, place.node, place.type or "*"
    if node.mode == BYPASSED:
        index = _bypass(node, place.slot, type_)
        return None if index is None else _Place(scope, node, index)
    if (inner := scope.inner.get(node.id)) is not None:
        return _inwards(inner, place.slot, type_)
    if node.layout is not None or node.type not in VIRTUAL:
        return Output(scope.id_of(node), place.slot)
    if node.type == "PrimitiveNode":
        values = node.values if isinstance(node.values, list) else []
        return Value(values[0], typed=True) if values else None
    if node.type in GETTERS:
        setter = _setter(scope, node)
        return None if setter is None or not setter[1].inputs else _Place(*setter, 0, type=type_)
    return _Place(scope, node, place.slot, type=type_) if place.slot < len(node.inputs) else None


def _inwards(inner: Scope, index: int, type_: str) -> Found | _Place:
    """From an instance's output to the output inside that it stands for; one wired straight to an input leads out."""
    port = inner.graph.outputs[index] if index < len(inner.graph.outputs) else None
    if port is None or not port.links or inner.parent is None or inner.instance is None:
        return None
    link = inner.graph.links[port.links[0]]
    if link.origin == INPUT_NODE:
        return _outwards(inner.parent, inner.instance, link.origin_slot)
    origin = inner.graph.nodes.get(link.origin)
    return None if origin is None else _Place(inner, origin, link.origin_slot, True, type_)


def _setter(scope: Scope, getter: Node) -> tuple[Scope, Node] | None:
    """The node that set what the getter reads by name, here or further out."""
    name = getter.values[0] if isinstance(getter.values, list) and getter.values else None
    at: Scope | None = scope
    while at is not None and name is not None:
        for node in at.graph.nodes.values():
            if node.type in SETTERS and isinstance(node.values, list) and node.values[:1] == [name]:
                return at, node
        at = at.parent
    return None


def _bypass(node: Node, index: int, type_: str) -> int | None:
    """The input that a bypassed node passes on for one of its outputs: the one in the same place if it fits, else the
    first of the same type, else the first that fits."""
    slots = node.inputs
    if not slots:
        return None
    if type_ in ("*", ""):
        return index if index < len(slots) else 0
    own = node.outputs[index] if index < len(node.outputs) else "*"

    def fits(slot: Slot) -> bool:
        return _connects(slot.type, own) and _connects(slot.type, type_)

    if index < len(slots) and fits(slots[index]):
        return index
    same = [place for place, slot in enumerate(slots) if slot.type == type_]
    return next(iter([*same, *(place for place, slot in enumerate(slots) if fits(slot))]), None)


def _connects(one: str, other: str) -> bool:
    """Whether two types may be linked: equal but for case, any (`*`), or with one in common of lists (`INT,FLOAT`)."""
    if one in ("", "*") or other in ("", "*"):
        return True
    return not {part.strip() for part in one.lower().split(",")}.isdisjoint(
        part.strip() for part in other.lower().split(",")
    )

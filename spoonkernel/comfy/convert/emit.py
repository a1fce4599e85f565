"""The graph that runs, written node by node (`graphToPrompt` of the page)."""

from typing import Any

from spoonkernel.comfy.convert.layout import MISSING
from spoonkernel.comfy.convert.resolve import Output, Resolver, Value
from spoonkernel.comfy.convert.scopes import Scope, is_real, opened, walk
from spoonkernel.comfy.convert.text import Find, Texts
from spoonkernel.comfy.convert.values import as_sent, serialised
from spoonkernel.comfy.convert.workflow import BYPASSED, MUTED, Node, Workflow
from spoonkernel.comfy.graph import as_link
from spoonkernel.errors import ValidationFailed

PATCHED_SAMPLERS = frozenset({"KSampler", "KSamplerAdvanced"})
"""Classes whose samplers were once saved as `sample_euler`, which the page still corrects."""


def emit(workflow: Workflow, texts: Texts) -> dict[str, dict[str, Any]]:
    """The graph in API format, without links to nodes that are not in it."""
    root = opened(workflow)
    find, resolver = _finder(root), Resolver()
    graph: dict[str, dict[str, Any]] = {}
    for scope, node in walk(root):
        if node.id in scope.inner:
            scope.held(node)  # an instance may set values inside, before its nodes' turn
        if node.mode in (MUTED, BYPASSED) or not is_real(node, scope):
            continue
        if node.layout is None and not node.inputs and not node.outputs:
            continue  # no slots and no class: a decoration of some custom node's page
        graph[scope.id_of(node)] = {
            "inputs": _inputs(scope, node, resolver, texts, find),
            "class_type": node.type,
            "_meta": {"title": node.title},
        }
    if not graph:
        raise ValidationFailed("The workflow has no nodes that would run: all are notes, muted or bypassed")
    for one in graph.values():
        for name in [
            name for name, value in one["inputs"].items() if (link := as_link(value)) and link[0] not in graph
        ]:
            del one["inputs"][name]
    return graph


def _inputs(scope: Scope, node: Node, resolver: Resolver, texts: Texts, find: Find) -> dict[str, Any]:
    values = dict(scope.held(node))
    links: dict[str, Any] = {}
    for index, slot in enumerate(node.inputs):
        found = resolver.resolve(scope, node, index)
        if isinstance(found, Output):
            links[slot.name] = [found.node_id, found.slot]
        elif isinstance(found, Value) and not found.typed:
            links[slot.name] = as_sent(found.value)
        elif isinstance(found, Value) and slot.widget is not None and slot.widget in values:
            values[slot.widget] = found.value
    unsent = {one.name for one in node.layout.widgets if not one.sent} if node.layout else frozenset()
    sent = {
        name: _patched(node, name, serialised(node, name, value, texts, find))
        for name, value in values.items()
        if value is not MISSING and name and name not in unsent
    }
    return sent | links


def _patched(node: Node, name: str, value: Any) -> Any:
    if name == "sampler_name" and node.type in PATCHED_SAMPLERS and isinstance(value, str):
        return value.removeprefix("sample_")
    return value


def _finder(root: Scope) -> Find:
    """Looks up the value of a widget for `%node.widget%` in a file name."""
    by_name: dict[str, tuple[Scope, Node]] = {}
    by_title: dict[str, tuple[Scope, Node]] = {}

    def find(called: str, widget: str) -> str | None:
        if not by_title:  # few workflows ask
            for scope, node in walk(root):
                by_name.setdefault(str(node.properties.get("Node name for S&R")), (scope, node))
                by_title.setdefault(node.title, (scope, node))
        found = by_name.get(called) or by_title.get(called)
        if found is None or found[1].layout is None:
            return None
        value = found[0].held(found[1]).get(widget, MISSING)
        return None if value is MISSING else _as_text(value)

    return find


def _as_text(value: Any) -> str:
    """A value as JavaScript writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)

"""A workflow as it is filled, read once for all runs on one server, and files that stand in for missing ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spoonkernel.comfy.convert import as_graph
from spoonkernel.comfy.graph import inputs, title
from spoonkernel.comfy.object_info import ObjectInfo
from spoonkernel.comfy.wiring import Wiring


@dataclass(frozen=True, slots=True)
class Template:
    """A workflow as it is filled: what all its runs on one server share. `template_of` makes one."""

    workflow_json: Mapping[str, Any]
    wiring: Wiring
    adapted: Mapping[str, Mapping[str, str]]
    """Files that the server has, by node and input, which stand there in place of those that it lacks."""


def template_of(workflow_json: Mapping[str, Any], object_info: ObjectInfo, *, adapts: bool = False) -> Template:
    """Read a workflow.

    Args:
        workflow_json: in either of ComfyUI's formats.
        object_info: of the server on which it shall run.
        adapts: whether model files that the server does not have may be replaced by ones that it has: only in the
            workflows that Spoon brings, whose files are mere suggestions.
    """
    graph = as_graph(workflow_json, object_info)
    adapted = _adapted(graph, object_info) if adapts else {}
    graph = {
        node_id: {**node, "inputs": {**inputs(node), **adapted.get(node_id, {})}} for node_id, node in graph.items()
    }
    return Template(workflow_json, Wiring(graph, object_info), adapted)


def replaced(template: Template, graph: Mapping[str, Any]) -> list[str]:
    """What to say of replaced files that really run: whoever named another one needs no warning."""
    return [
        f"{title(graph[node_id])} (node {node_id}): {_suggested(template.workflow_json, node_id, name)} is not on this "
        f"server, {best} was used"
        for node_id, values in template.adapted.items()
        for name, best in values.items()
        if inputs(graph[node_id]).get(name) == best
    ]


def _adapted(graph: Mapping[str, Any], object_info: ObjectInfo) -> dict[str, dict[str, str]]:
    """Files that the server has, by node and input, where it lacks the suggested ones."""
    found: dict[str, dict[str, str]] = {}
    for node_id, node in graph.items():
        for name, value in inputs(node).items():
            spec = object_info.input(node["class_type"], name)
            if spec is None or not spec.choices or value in spec.choices or not isinstance(value, str):
                continue
            if spec.options.get("image_upload"):
                continue  # an input picture is the user's to choose
            found.setdefault(node_id, {})[name] = _closest(value, [str(one) for one in spec.choices])
    return found


def _suggested(workflow_json: Mapping[str, Any], node_id: str, name: str) -> str:
    node = workflow_json.get(node_id)
    return str(inputs(node).get(name)) if isinstance(node, Mapping) else "the suggested file"


def _closest(wanted: str, choices: list[str]) -> str:
    """The choice that shares the longest beginning with the wanted name, or a word of it; else the first."""
    words = [word for word in ("xl", "flux", "t5", "clip_l", "1-5", "1.5", "15") if word in wanted.lower()]

    def likeness(choice: str) -> tuple[int, int]:
        low = choice.lower()
        prefix = next((at for at, (a, b) in enumerate(zip(low, wanted.lower(), strict=False)) if a != b), len(low))
        return sum(word in low for word in words), prefix

    return max(choices, key=likeness)

"""What ComfyUI's page saves ("UI format") as the graph that its server runs ("API format").

The rules are those of the page itself (`graphToPrompt`, `ExecutableNodeDTO` and the widget code of
github.com/Comfy-Org/ComfyUI_frontend, as shipped with ComfyUI 0.3.64), so that a converted workflow is what the page
would have sent. Pure: no I/O, no clock, no chance.
"""

from collections.abc import Mapping
from typing import Any

from spoonkernel.comfy.convert.emit import emit
from spoonkernel.comfy.convert.group_nodes import ungrouped
from spoonkernel.comfy.convert.text import Texts
from spoonkernel.comfy.convert.workflow import MAX_NODES, read_workflow
from spoonkernel.comfy.graph import is_graph, is_ui_workflow
from spoonkernel.comfy.object_info import ObjectInfo
from spoonkernel.errors import ValidationFailed

__all__ = ["MAX_NODES", "Texts", "as_graph", "to_api"]

ApiGraph = dict[str, dict[str, Any]]


def to_api(
    ui_workflow: Mapping[str, Any], object_info: Mapping[str, Any] | ObjectInfo | None, *, texts: Texts | None = None
) -> ApiGraph:
    """The graph `{node_id: {"inputs", "class_type", "_meta": {"title"}}}` that the page would send for a workflow.

    Nodes inside subgraphs get ids like `parent:child`. The argument is not changed.

    Args:
        ui_workflow: what the page saves: `nodes`, `links`, `definitions.subgraphs`, ...
        object_info: the raw answer of `/object_info`, or an `ObjectInfo` of it. A class that it does not know is
            converted as far as the node itself names its widgets.
        texts: what the page does with texts when it sends them (`{a|b}`, `%date:...%`). As it stands, the first of
            several choices is taken and dates stay as written.

    Raises:
        ValidationFailed: the workflow is malformed, nests in a circle, or has too many nodes; or a node's class is
            not known and its values cannot be named. The message names the node.
    """
    info = ObjectInfo(object_info)
    return emit(read_workflow(ungrouped(ui_workflow, info), info), texts or Texts())


def as_graph(workflow: Any, object_info: Mapping[str, Any] | ObjectInfo | None) -> ApiGraph:
    """A graph in API format from whatever people hand over: such a graph as it is (also as `{"prompt": graph}`), or a
    workflow in UI format, converted.

    Raises:
        ValidationFailed: it is neither, or cannot be converted; the message says what was expected.
    """
    if not isinstance(workflow, Mapping):
        raise ValidationFailed(_expected(f"it is {_named(workflow)}"))
    if is_ui_workflow(workflow):
        return to_api(workflow, object_info)
    inner = workflow.get("prompt")
    graph = inner if isinstance(inner, Mapping) and "class_type" not in inner else workflow
    if not graph:
        raise ValidationFailed(_expected("it is empty"))
    if len(graph) > MAX_NODES:
        raise ValidationFailed(f"The workflow has {len(graph)} nodes; at most {MAX_NODES} are taken")
    if not is_graph(graph):
        raise ValidationFailed(_expected(_problem(graph)))
    return {str(node_id): dict(node) for node_id, node in graph.items()}


def _problem(graph: Mapping[str, Any]) -> str:
    for node_id, node in graph.items():
        if not isinstance(node, Mapping):
            return f"its entry {str(node_id)[:80]!r} is {_named(node)}, not a node"
        if not isinstance(node.get("class_type"), str):
            return f"its entry {str(node_id)[:80]!r} has no class_type"
        if not isinstance(node.get("inputs", {}), Mapping):
            return f"the inputs of its node {str(node_id)[:80]!r} are {_named(node['inputs'])}"
    return "it has another shape"


def _expected(problem: str) -> str:
    return (
        f"That is no ComfyUI workflow: {problem}. Expected is what ComfyUI saves (an object with a list of nodes) or "
        'what it exports for the API ({"3": {"class_type": "KSampler", "inputs": {...}}, ...})'
    )


def _named(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "nothing (null)"}
    return kinds.get(type(value), "a number" if isinstance(value, int | float) else "something else")

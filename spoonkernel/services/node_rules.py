"""Node classes that workflows from users may not hold, because they run code or reach for files and the network.

Whoever may send a workflow may do what its nodes do, as the user that ComfyUI runs as. Core classes read ComfyUI's own
folders only; some custom nodes run whatever text they are given, fetch any address, or read and write any text file.
Which those are can only be told by their names: the list holds well-known ones, it is no sandbox. Nodes that read or
write pictures and films at any path are not on it. `SPOON_COMFYUI_ALLOW_NODES` makes exceptions.
"""

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from spoonkernel.comfy.graph import title
from spoonkernel.errors import Forbidden

ALLOW_ALL = "*"

DENIED_WORDS: tuple[tuple[str, str], ...] = (
    # `Evaluate Integers`, `HighRes-Fix Script` and `ImpactExecutionOrderController` do none of it; what says
    # `DownloadAndLoad` fetches the weights that it names itself
    (r"py|python|pythonic|pycode|pyexec|jupyter|notebook|lua|javascript|js", "runs code"),
    (r"exec|eval|execute (code|command|file|query|script|sql)|run (code|command|script)", "runs code"),
    (r"shell|bash|powershell|cmd|terminal|subprocess|ssh|shell command", "runs programs"),
    (r"(code|script|command|expression) (eval|evaluator|executor|runner|interpreter)", "runs code"),
    (r"url|urls|http|https|webhook|curl|ftp|requests|s 3|(get|post|put|api) request", "reaches for the network"),
    (r"(load|save|read|write|append) (text|string|json|csv|txt)( line)?( from| to)? file", "touches any file"),
    (r"(text|string|json|csv|txt)( load| save| read| write| append)( line)?( from| to)? file", "touches any file"),
    (r"(delete|remove|move|rename|copy) files?", "touches any file"),
)
"""Words of a class name (split at capitals, digits and marks, in lower case), and what such nodes do."""

DENIED_CLASSES: Mapping[str, str] = {
    "IDENode": "runs code",  # ComfyUI_Custom_Nodes_AlekPet
    "SavePromptToFile": "touches any file",  # OneButtonPrompt
}
"""Classes that do it without saying so in such words."""

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_DENIED = tuple((re.compile(rf"(^| )({pattern})( |$)"), why) for pattern, why in DENIED_WORDS)


@lru_cache(maxsize=4096)  # the same few classes in every run
def reason_against(class_type: str) -> str | None:
    """What a class of this name is thought to do, or None for one that nothing speaks against."""
    if class_type in DENIED_CLASSES:
        return DENIED_CLASSES[class_type]
    words = " ".join(_WORDS.findall(class_type)).lower()
    return next((why for pattern, why in _DENIED if pattern.search(words)), None)


def check_nodes(graph: Mapping[str, Any], allowed: Collection[str]) -> None:
    """Refuse a graph that holds such a node. Also one that nothing leads to: ComfyUI asks every node whether it has
    changed (`IS_CHANGED`), and that may run its code.

    Raises:
        Forbidden: names the node, its class, and how it can be allowed.
    """
    if ALLOW_ALL in allowed:
        return
    for node_id, node in graph.items():
        class_type = str(node["class_type"])
        if class_type not in allowed and (why := reason_against(class_type)) is not None:
            raise Forbidden(
                f"{title(node)} (node {node_id}): nodes of class {class_type} are not accepted, such a node {why}. "
                f"An administrator can allow it: SPOON_COMFYUI_ALLOW_NODES={class_type}"
            )

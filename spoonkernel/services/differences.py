"""What changed between two generations, from their rows alone: graph, parameters, and all else recorded. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from spoonkernel.comfy.graph import as_link, inputs, links, title
from spoonkernel.services.graphs import COLUMNS
from spoonkernel.store.generations import GenerationRow
from spoonkernel.types.generations import Difference

SHOWN = 60  # characters of a text in a sentence
SHOWN_VALUES = 4  # inputs of a node that was added
_COLUMNS = {
    "cfg": "cfg_scale",
    "guidance": "cfg_scale",
    "noise_seed": "seed",
    "sampler": "sampler_name",
    "ckpt_name": "checkpoint_name",
    "unet_name": "checkpoint_name",
    "model_name": "checkpoint_name",
    "amount": "batch_size",
}
"""Fields of nodes under which a column's value stands."""
_VAGUE = frozenset({"value", "text", "string", "int", "float"})
"""Fields of nodes that only hold a value: any column's may stand there."""
_WORDS = {"hash": "its bytes differ", "size_bytes": "its size differs", "modified": "it was written at another time"}


def differences(one: GenerationRow, other: GenerationRow) -> list[Difference]:
    """Everything that differs, what people look for first: prompts, parameters, nodes, models, inputs, server."""
    first, second = one.ingredients or {}, other.ingredients or {}
    return [
        *_graph(one, other),
        *_models(_named(first.get("models")), _named(second.get("models"))),
        *_inputs(_named(first.get("inputs")), _named(second.get("inputs"))),
        *_server(first.get("server"), second.get("server")),
        *_packages(first, second),
    ]


def unknown(one: GenerationRow, other: GenerationRow) -> list[str]:
    """The ingredients that at least one of the two does not know."""
    told = [*((one.ingredients or {}).get("missing") or []), *((other.ingredients or {}).get("missing") or [])]
    return list(dict.fromkeys(told))


def _graph(one: GenerationRow, other: GenerationRow) -> Iterator[Difference]:
    columns = {
        name: (getattr(one, name), getattr(other, name))
        for name in ("prompt_text", "negative_prompt", *COLUMNS)
        if getattr(one, name) != getattr(other, name)
    }
    for name, (before, after) in columns.items():
        yield _change(_kind(name), name, before, after)
    for change, field in _nodes(one.workflow_json, other.workflow_json):
        names = columns if field in _VAGUE else (_COLUMNS.get(field, field), "prompt_text", "negative_prompt")
        if (change.before, change.after) not in [columns.get(name) for name in names]:
            yield change


def _kind(name: str) -> Any:
    return {"prompt_text": "prompt", "negative_prompt": "prompt", "seed": "seed"}.get(name, "parameter")


def _nodes(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[tuple[Difference, str]]:
    """What differs in the graphs, each with the input that it is about.

    A link that leads to a node that was added, or came from one that was removed, is told with that node.
    """
    for node_id in [*first, *(one for one in second if one not in first)]:
        before, after = first.get(node_id), second.get(node_id)
        if before is None or after is None or before["class_type"] != after["class_type"]:
            names = [f"{title(node)} (node {node_id})" if node else None for node in (before, after)]
            verb = "added" if before is None else "removed" if after is None else "replaced"
            shown = names[1] if before is None else names[0]
            told = "" if after is None else _values(after) if before is None else f" by {names[1]}"
            text = f"{shown} {verb}{told}"
            yield Difference(what="node", name=node_id, before=names[0], after=names[1], text=text), ""
            continue
        for field in sorted(inputs(before).keys() | inputs(after).keys()):
            left, right = inputs(before).get(field), inputs(after).get(field)
            if left != right and not _follows(left, right, first, second):
                is_link = as_link(left) is not None or as_link(right) is not None
                name = f"{title(after)} (node {node_id}).{field}"
                yield _change("link" if is_link else "seed" if "seed" in field else "node", name, left, right), field


def _follows(left: Any, right: Any, first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether a link only moved because the node behind it was added, removed or put in another one's place."""
    was, now = as_link(left), as_link(right)
    if was is None or now is None:
        return False
    if was.node_id not in second:
        return now.node_id not in first or now in [link for _, link in links(first[was.node_id])]
    return now.node_id not in first and was in [link for _, link in links(second[now.node_id])]


def _values(node: Mapping[str, Any]) -> str:
    """What a node is set to: `: lora_name "a.safetensors", strength_model 1.0`."""
    set_to = [f"{name} {_shown(value)}" for name, value in inputs(node).items() if as_link(value) is None]
    return f": {', '.join(set_to[:SHOWN_VALUES])}" if set_to else ""


def _models(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[Difference]:
    """Files that changed under their name. That another one is named is a change of the graph."""
    for name in sorted(first.keys() & second.keys()):
        before, after = first[name], second[name]
        for field, words in _WORDS.items():
            left, right = before.get(field), after.get(field)
            if left is not None and right is not None and left != right:
                text = f"{name} is another file now: {words}"
                yield Difference(what="model", name=name, before=left, after=right, text=text)
                break


def _inputs(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[Difference]:
    for name in sorted(first.keys() & second.keys()):
        left, right = first[name].get("sha256"), second[name].get("sha256")
        if left != right and left and right:
            text = f"the input {name} is another picture now"
            yield Difference(what="input", name=name, before=left, after=right, text=text)


def _server(first: Mapping[str, Any] | None, second: Mapping[str, Any] | None) -> Iterator[Difference]:
    if first is None or second is None:
        return
    for name in sorted(first.keys() | second.keys()):
        if first.get(name) != second.get(name):
            yield _change("server", name, first.get(name), second.get(name))


def _packages(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[Difference]:
    before, after = first.get("packages") or {}, second.get("packages") or {}
    for name in sorted(before.keys() & after.keys()):
        if before[name] != after[name]:
            yield _change("package", name, before[name], after[name])
    digests = first.get("classes_sha256"), second.get("classes_sha256")
    if before.keys() == after.keys() and None not in digests and digests[0] != digests[1]:
        text = "the server describes the node classes of this graph differently now"
        yield Difference(what="package", name="object_info", before=digests[0], after=digests[1], text=text)


def _change(what: Any, name: str, before: Any, after: Any) -> Difference:
    text = f"{name} {_shown(before)} -> {_shown(after)}"
    return Difference(what=what, name=name, before=before, after=after, text=text)


def _shown(value: Any) -> str:
    if value is None:
        return "(none)"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def _named(rows: Any) -> dict[str, Any]:
    return {str(row["name"]): row for row in rows or () if isinstance(row, Mapping) and "name" in row}

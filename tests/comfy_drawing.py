"""Small workflows as ComfyUI's page saves them, for tests to say what matters and nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]


def slot(name: str, type_: str, link: int | None = None, *, widget: bool = False) -> Json:
    """An input of a node; with `widget` it stands in for the value of its name."""
    return {"name": name, "type": type_, "link": link} | ({"widget": {"name": name}} if widget else {})


def node(
    node_id: Any, type_: str, values: Any = None, ins: Sequence[Json] = (), outs: Sequence[str] = (), **rest: Any
) -> Json:
    """A node; `outs` are the types of its outputs."""
    outputs = [{"name": one, "type": one, "links": []} for one in outs]
    saved = {} if values is None else {"widgets_values": values}
    return {"id": node_id, "type": type_, "mode": 0, "inputs": list(ins), "outputs": outputs, **saved, **rest}


def workflow(*nodes: Json, links: Sequence[Any] = (), subgraphs: Sequence[Json] = (), **rest: Any) -> Json:
    """A file with lists as links: `[id, origin, slot, target, slot, type]`."""
    return {
        "version": 0.4,
        "nodes": list(nodes),
        "links": list(links),
        "definitions": {"subgraphs": list(subgraphs)},
    } | rest


def subgraph(
    definition_id: str,
    *nodes: Json,
    links: Sequence[tuple[int, int, int, int, int]] = (),
    ins: Mapping[str, str] | None = None,
    outs: Mapping[str, str] | None = None,
) -> Json:
    """A definition with objects as links: `(id, origin, slot, target, slot)`. -10 is its inputs, -20 its outputs."""
    names = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
    return {
        "id": definition_id,
        "name": definition_id,
        "nodes": list(nodes),
        "links": [dict(zip(names, link, strict=True)) for link in links],
        "inputs": [
            {"name": name, "type": type_, "linkIds": [one[0] for one in links if one[1:3] == (-10, index)]}
            for index, (name, type_) in enumerate((ins or {}).items())
        ],
        "outputs": [
            {"name": name, "type": type_, "linkIds": [one[0] for one in links if one[3:5] == (-20, index)]}
            for index, (name, type_) in enumerate((outs or {}).items())
        ],
    }


def loader(node_id: Any = 1, **rest: Any) -> Json:
    """A checkpoint loader: MODEL, CLIP and VAE."""
    return node(node_id, "CheckpointLoaderSimple", ["tiny.safetensors"], outs=["MODEL", "CLIP", "VAE"], **rest)


def image(node_id: Any = 1, **rest: Any) -> Json:
    """A node with an IMAGE to give."""
    return node(node_id, "LoadImage", ["example.png", "image"], outs=["IMAGE", "MASK"], **rest)


def preview(node_id: Any, link: int | None, **rest: Any) -> Json:
    """A node that takes an IMAGE."""
    return node(node_id, "PreviewImage", ins=[slot("images", "IMAGE", link)], **rest)

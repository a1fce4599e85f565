"""Group nodes, the forerunner of subgraphs: each becomes an instance of a subgraph definition of its own.

A file keeps them in `extra.groupNodes[name]` as `{"nodes", "links", "external", "config"}`, and a node of the type
`workflow>name` (once `workflow/name`) stands for one. Links in there are `[node index, slot, node index, slot, ...]`,
and the inner nodes' ids in the graph that runs are `group:index`. After `groupNode.ts` of the page.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from spoonkernel.comfy.convert.layout import MISSING, Layout, Widget, layout
from spoonkernel.comfy.convert.values import laid_out
from spoonkernel.comfy.convert.workflow import MAX_NODES
from spoonkernel.comfy.object_info import ObjectInfo
from spoonkernel.errors import ValidationFailed

PREFIXES = ("workflow>", "workflow/")
PRIMITIVE = Widget("value", "*")


def ungrouped(raw: Any, info: ObjectInfo) -> Any:
    """The workflow with its group nodes as subgraph instances; as it is where there are none.

    Raises:
        ValidationFailed: a group's definition is malformed, or contains itself; the message names the node.
    """
    extra = raw.get("extra") if isinstance(raw, Mapping) else None
    groups = extra.get("groupNodes") if isinstance(extra, Mapping) else None
    if not isinstance(groups, Mapping) or not groups or not isinstance(raw.get("nodes"), list):
        return raw
    made: list[dict[str, Any]] = []
    count = len(raw["nodes"])
    waiting: list[tuple[list[Any], tuple[str, ...]]] = [(nodes := list(raw["nodes"]), ())]
    while waiting:
        holder, inside = waiting.pop()
        for place, node in enumerate(holder):
            name = _group_name(node, groups)
            if name is None:
                continue
            if name in inside:
                raise ValidationFailed(f"Node {node.get('id')} ({node['type']}): the group contains itself")
            group = _Group(f"{node['type']}#{len(made)}", node, groups[name], info)
            made.append(group.definition())
            count += len(made[-1]["nodes"])
            if count > MAX_NODES:
                raise ValidationFailed(
                    f"Node {node.get('id')}: with its groups the workflow has over {MAX_NODES} nodes"
                )
            holder[place] = {**node, "type": group.id, "widgets_values": [], "title": node.get("title") or name}
            waiting.append((made[-1]["nodes"], (*inside, name)))
    given = raw.get("definitions")
    definitions = dict(given) if isinstance(given, Mapping) else {}
    given = definitions.get("subgraphs")
    subgraphs = given if isinstance(given, list) else []
    return {**raw, "nodes": nodes, "definitions": {**definitions, "subgraphs": [*subgraphs, *made]}}


def _group_name(node: Any, groups: Mapping[str, Any]) -> str | None:
    kind = node.get("type") if isinstance(node, Mapping) else None
    if not isinstance(kind, str) or not kind.startswith(PREFIXES):
        return None
    name = kind[len(PREFIXES[0]) :]
    return name if name in groups else None


class _Group:
    """One group node being opened."""

    def __init__(self, definition_id: str, node: Mapping[str, Any], data: Any, info: ObjectInfo) -> None:
        self.id, self._node, self._info = definition_id, node, info
        if not isinstance(data, Mapping) or not isinstance(data.get("nodes"), list):
            raise self._malformed("has no list of nodes")
        self._data = data
        self._inner: list[dict[str, Any]] = []
        for index, one in enumerate(data["nodes"]):
            if not isinstance(one, Mapping) or not isinstance(one.get("type"), str):
                raise self._malformed(f"has no type for its node {index}")
            slots = [dict(slot, link=None) for slot in one.get("inputs") or () if isinstance(slot, Mapping)]
            self._inner.append({**one, "id": index, "inputs": slots})
        self._layouts = [self._layout(one) for one in self._inner]
        self._links: list[dict[str, Any]] = []
        self._fed: set[tuple[int, str]] = set()
        self._read: set[tuple[int, int]] = set()

    def definition(self) -> dict[str, Any]:
        """The subgraph, with the group node's values written into its nodes."""
        for origin, origin_slot, target, target_slot in self._inner_links():
            name = str(self._inner[target]["inputs"][target_slot].get("name"))
            self._link(origin, origin_slot, target, name)
            self._fed.add((target, name))
            self._read.add((origin, origin_slot))
        exposed = list(self._exposed())
        self._write(exposed)
        ports = []
        for port, (name, index, inner, widget) in enumerate(exposed):
            if widget is None or inner in {one.name for one in self._main(index)}:
                ports.append(
                    {"name": name, "type": self._type(index, inner), "linkIds": [self._link(-10, port, index, inner)]}
                )
            else:
                ports.append({"name": "", "type": "*", "linkIds": []})
        outputs = list(self._outputs())
        return {"id": self.id, "nodes": self._inner, "links": self._links, "inputs": ports, "outputs": outputs}

    def _inner_links(self) -> Iterator[tuple[int, int, int, int]]:
        count = len(self._inner)
        for link in self._data.get("links") or ():
            if not isinstance(link, list) or len(link) < 4:
                raise self._malformed(f"has a malformed link: {str(link)[:80]}")
            if link[0] is None:  # from outside of the group
                continue
            numbers = [one for one in link[:4] if isinstance(one, int) and not isinstance(one, bool) and one >= 0]
            if len(numbers) < 4 or numbers[0] >= count or numbers[2] >= count:
                raise self._malformed(f"has a malformed link: {str(link)[:80]}")
            if numbers[3] < len(self._inner[numbers[2]]["inputs"]):
                yield numbers[0], numbers[1], numbers[2], numbers[3]

    def _link(self, origin: int, origin_slot: int, target: int, name: str) -> int:
        """Adds a link to the slot of that name, which is made where the file has none."""
        slots = self._inner[target]["inputs"]
        place = next((index for index, slot in enumerate(slots) if slot.get("name") == name), len(slots))
        if place == len(slots):
            slots.append({"name": name, "type": self._type(target, name), "widget": {"name": name}})
        slots[place]["link"] = link_id = len(self._links)
        self._links.append(
            {"id": link_id, "origin_id": origin, "origin_slot": origin_slot, "target_id": target, "target_slot": place}
        )
        return link_id

    def _exposed(self) -> Iterator[tuple[str, int, str, Widget | None]]:
        """The group node's inputs and widgets in its order: its name for each, the inner node and its name there."""
        seen: dict[str, int] = {}
        later: list[tuple[int, Widget]] = []
        for index, node in enumerate(self._inner):
            converted = (
                {slot.get("name") for slot in node["inputs"] if slot.get("widget")} if self._layouts[index] else set()
            )
            owner = ""
            for widget in self._widgets(index):
                owner = widget.name if widget in self._main(index) else owner
                if owner in converted:
                    later += [(index, widget)]
                else:
                    yield (self._name(index, widget.name, seen), index, widget.name, widget)
            for name in self._sockets(index):
                if (index, name) not in self._fed:
                    called = self._name(index, name, seen)
                    if self._config(index, "input", name).get("visible") is not False:
                        yield called, index, name, None
        for index, widget in later:
            if (index, widget.name) not in self._fed:
                yield self._name(index, widget.name, seen), index, widget.name, widget

    def _name(self, index: int, inner: str, seen: dict[str, int]) -> str:
        """What the group node calls an input: by the node's title too where two have the same name."""
        node = self._inner[index]
        label = next((slot.get("label") for slot in node["inputs"] if slot.get("name") == inner), None)
        name = key = str(self._config(index, "input", inner).get("name") or label or inner)
        if name in seen or (node["type"] == "PrimitiveNode" and node.get("title")):
            prefix = f"{node.get('title') or node['type']} "
            name = key = f"{prefix}{inner}"
            if name in seen:
                name = f"{prefix}{seen[name]} {inner}"
        seen[key] = seen.get(key, 1) + 1
        return name

    def _write(self, exposed: list[tuple[str, int, str, Widget | None]]) -> None:
        """Puts the group node's saved values into the inner nodes."""
        own = [laid_out(one, node.get("widgets_values")) if one else {}
               for one, node in zip(self._layouts, self._inner, strict=True)]  # fmt: skip
        saved = self._node.get("widgets_values")
        following = iter(saved if isinstance(saved, list) else [])
        for _, index, inner, widget in exposed:
            if widget is not None and widget.saved and (value := next(following, MISSING)) is not MISSING:
                own[index][inner] = value
        for one, node, values in zip(self._layouts, self._inner, own, strict=True):
            kept = {name: value for name, value in values.items() if value is not MISSING}
            if one is not None:
                node["widgets_values"] = kept
            elif node["type"] == "PrimitiveNode" and "value" in kept:
                node["widgets_values"] = [kept["value"]]

    def _outputs(self) -> Iterator[dict[str, Any]]:
        external = {
            (one[0], one[1]) for one in self._data.get("external") or () if isinstance(one, list) and len(one) > 1
        }
        port = 0
        for index, node in enumerate(self._inner):
            spec = self._info.get(node["type"])
            types = list(spec.outputs) if spec else [one.get("type") for one in node.get("outputs") or ()]
            for slot, type_ in enumerate(types):
                hidden = (index, slot) in self._read and (index, slot) not in external
                visible = self._config(index, "output", str(slot)).get("visible")
                if hidden if visible is None else not visible:
                    continue
                link_id = len(self._links)
                self._links.append(
                    {"id": link_id, "origin_id": index, "origin_slot": slot, "target_id": -20, "target_slot": port}
                )
                yield {"name": f"{index}.{slot}", "type": type_, "linkIds": [link_id]}
                port += 1

    def _layout(self, node: Mapping[str, Any]) -> Layout | None:
        spec = self._info.get(node["type"])
        return layout(node["type"], spec, node.get("widgets_values")) if spec else None

    def _widgets(self, index: int) -> tuple[Widget, ...]:
        """All widgets of an inner node. A primitive has a value and, for numbers and choices, its control."""
        known = self._layouts[index]
        if known is not None:
            return known.widgets
        if self._inner[index]["type"] != "PrimitiveNode":
            return ()
        saved = self._inner[index].get("widgets_values")
        controls = len(saved) - 1 if isinstance(saved, list) else 0
        return (PRIMITIVE, *(Widget(f"control {number}", "COMBO", sent=False) for number in range(controls)))

    def _main(self, index: int) -> tuple[Widget, ...]:
        """The widgets that have a slot, which those behind a seed have not."""
        known = self._layouts[index]
        if known is None:
            return ()
        slots = {slot.widget for slot in known.slots}
        return tuple(widget for widget in known.widgets if widget.name in slots)

    def _sockets(self, index: int) -> list[str]:
        known = self._layouts[index]
        if known is not None:
            return [slot.name for slot in known.slots if slot.widget is None]
        return [str(slot.get("name")) for slot in self._inner[index]["inputs"]]

    def _type(self, index: int, name: str) -> str:
        known = self._layouts[index]
        named = [slot.type for slot in known.slots if slot.name == name] if known else []
        return named[0] if named else "*"

    def _config(self, index: int, side: str, name: str) -> Mapping[str, Any]:
        """What the group's maker set for an input or output: another name, or that it is hidden."""
        found: Any = self._data.get("config")
        for key in (str(index), side, name):
            found = found.get(key) if isinstance(found, Mapping) else None
        return found if isinstance(found, Mapping) else {}

    def _malformed(self, problem: str) -> ValidationFailed:
        return ValidationFailed(f"Node {self._node.get('id')} ({self._node.get('type')}): the group {problem}")

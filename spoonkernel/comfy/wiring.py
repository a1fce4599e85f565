"""One graph read together with the server's node classes: what runs, which types flow, where a value is really set.

Where the server did not tell of a class (custom nodes, or no server at all), types are taken from the other end of the
link, then guessed from ComfyUI's own habits of naming inputs (`model`, `positive`, `latent_image`, ...).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from spoonkernel.comfy.graph import Graph, Input, Link, as_link, consumers, inputs, is_ui_workflow, reachable, title
from spoonkernel.comfy.object_info import InputSpec, NodeSpec, ObjectInfo

T = TypeVar("T")

VALUES = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "NUMBER", "*"})
"""Types whose content can be typed in; `*` is what reroutes and switches say, `NUMBER` what some custom nodes say."""

CARRIED_NAMES = re.compile(
    r"^(|value|input|any|any_\d+|int|float|number|num|string|text|prompt|bool|boolean)$", re.IGNORECASE
)
"""The one input of a node that only hands a value on, for classes that the server did not tell of."""

SEED_NAMES = re.compile(r"(^|_)seed(_?\d+)?$", re.IGNORECASE)
"""`seed`, `noise_seed`, `Seed`, `image_seed`, `seed_2`; not `seed_behavior`."""

SPOKEN_TYPES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), kind)
    for pattern, kind in (
        (r"^(positive|negative|conditioning|cond|uncond)\w*$", "CONDITIONING"),
        (r"^(model|unet)(_\w+)?$", "MODEL"),
        (r"^guider$", "GUIDER"),
        (r"^(latent|samples)\w*$", "LATENT"),
        (r"^sigmas$", "SIGMAS"),
        (r"^sampler$", "SAMPLER"),
        (r"^noise$", "NOISE"),
        (r"^(clip|clip_l|clip_g)$", "CLIP"),
        (r"^vae$", "VAE"),
        (r"^(image|images|pixels)\d*$", "IMAGE"),
        (r"^(video|audio|mask|mesh|svg)$", "MEDIA"),
        (r"^\w*pipe$", "PIPE"),
        (r"^\w*embeds$", "EMBEDS"),
    )
)


class Wiring:
    """A graph with its links followed in both directions. It never changes the graph, and keeps what it has worked out.

    Args:
        graph: in API format, or as the page saves it (then it is converted first).
        object_info: the raw answer of `/object_info`, an `ObjectInfo`, or None for a server that told nothing.
    """

    def __init__(self, graph: Mapping[str, Any], object_info: Mapping[str, Any] | ObjectInfo | None) -> None:
        self.info = object_info if isinstance(object_info, ObjectInfo) else ObjectInfo(object_info)
        self.graph: Graph = api_graph(graph, self.info)
        running = reachable(self.graph, self.info)
        self.running: tuple[str, ...] = tuple(node_id for node_id in self.graph if node_id in running)
        self._consumers = consumers(self.graph)
        self._order = {node_id: number for number, node_id in enumerate(self.running)}
        self._types: dict[Input, str] = {}
        self._once: dict[str, Any] = {}
        self._inputs = {node_id: tuple(_standing(node_id, node)) for node_id, node in self.graph.items()}

    def spec(self, node_id: str) -> NodeSpec | None:
        """What the server says of a node's class."""
        node = self.graph.get(node_id)
        return self.info.get(node["class_type"]) if node is not None else None

    def input_spec(self, where: Input) -> InputSpec | None:
        """What the server says of an input."""
        spec = self.spec(where.node_id)
        return spec.inputs.get(where.field) if spec else None

    def value(self, where: Input) -> Any:
        """What stands in an input: a plain value, a link as a list, or None."""
        return inputs(self.graph[where.node_id]).get(where.field) if where.node_id in self.graph else None

    def link(self, where: Input) -> Link | None:
        """The link that stands in an input, if it leads to a node of this graph."""
        link = as_link(self.value(where))
        return link if link and link.node_id in self.graph else None

    def inputs(self, node_id: str) -> tuple[tuple[Input, Any], ...]:
        """The inputs that stand in a node, in its order."""
        return self._inputs[node_id]

    def once(self, question: str, answer: Callable[[], T]) -> T:
        """The answer to a question about the whole graph that several others build on, worked out when first asked."""
        if question not in self._once:
            self._once[question] = answer()
        found: T = self._once[question]
        return found

    def fed_by(self, node_id: str) -> list[Input]:
        """Who reads any output of a node, among the nodes that run."""
        found = [one for link, who in self._consumers.items() if link.node_id == node_id for one in who]
        return [one for one in found if one.node_id in self._order]

    def type_of(self, where: Input) -> str:
        """The type of an input, from the server, the link's other end, its name, or its value, in this order."""
        if where not in self._types:
            self._types[where] = self._type(where)
        return self._types[where]

    def _type(self, where: Input) -> str:
        spec = self.input_spec(where)
        if spec is not None and spec.type != "*":
            return spec.type
        value = self.value(where)
        if (link := as_link(value)) is not None:
            return self._told_output(link) or _spoken(where.field)
        return _plain_type(value)

    def type_out(self, link: Link) -> str:
        """The type of an output, from the server, from who reads it, or from the names of the inputs that read it."""
        if told := self._told_output(link):
            return told
        readers = self._consumers.get(link, ())
        for reader in readers:
            spec = self.input_spec(reader)
            if spec is not None and spec.type != "*":
                return spec.type
        return next((kind for reader in readers if (kind := _spoken(reader.field)) != "*"), "*")

    def outputs(self, node_id: str) -> tuple[tuple[str, str], ...]:
        """The outputs of a node as (type, name); those that anybody reads where the server told nothing."""
        if spec := self.spec(node_id):
            return tuple(zip(spec.outputs, spec.output_names, strict=True))
        slots = [link.slot for link in self._consumers if link.node_id == node_id]
        return tuple((self.type_out(Link(node_id, slot)), "") for slot in range(max(slots, default=-1) + 1))

    def _told_output(self, link: Link) -> str | None:
        spec = self.spec(link.node_id)
        if spec is None or not 0 <= link.slot < len(spec.outputs) or spec.outputs[link.slot] == "*":
            return None
        return spec.outputs[link.slot]

    def origin(self, where: Input) -> Input | None:
        """The input in which this one's value is set: itself, or the far end of the link behind nodes that only carry
        a value on (`PrimitiveInt`, seed nodes, reroutes). None where the value is computed and cannot be set."""
        path = self.path(where)
        return path[-1] if path else None

    def path(self, where: Input) -> tuple[Input, ...]:
        """The inputs from this one back to its origin, both included; empty where the value is computed."""
        path = [where]
        while (link := as_link(self.value(path[-1]))) is not None:
            carrying = self.carrying(link)
            if carrying is None or carrying in path:
                return ()
            path.append(carrying)
        return tuple(path)

    def readers(self) -> dict[Input, tuple[Input, ...]]:
        """By origin, the linked inputs of running nodes that get its value, and those it passes through."""
        return self.once("readers", self._read_by)

    def _read_by(self) -> dict[Input, tuple[Input, ...]]:
        found: dict[Input, list[Input]] = {}
        for where, value in (one for node_id in self.running for one in self.inputs(node_id)):
            linked = as_link(value) is not None and self.type_of(where) in VALUES
            if path := self.path(where) if linked else ():
                found.setdefault(path[-1], []).extend(path[:-1])
        return {origin: tuple(dict.fromkeys(who)) for origin, who in found.items()}

    def carrying(self, link: Link) -> Input | None:
        """The input that an output hands on unchanged, or None for an output that its node makes itself."""
        if link.node_id not in self.graph:
            return None
        fields = [where for where, _ in self.inputs(link.node_id) if self._counts(where)]
        spec = self.spec(link.node_id)
        if len(fields) == 1 and (self._same(fields[0], link) if spec else CARRIED_NAMES.match(fields[0].field)):
            return fields[0]
        numbers = [one for one in fields if self.type_of(one) in {"INT", "FLOAT", "NUMBER", "*"}]
        wanted = self.type_out(link) in {"INT", "NUMBER", "*"}
        if wanted and len(numbers) == 1 and SEED_NAMES.search(numbers[0].field) and not self._reads_media(fields):
            return numbers[0]
        return self._namesake(fields, link) if spec else None

    def _same(self, where: Input, link: Link) -> bool:
        kind = self.type_of(where)
        return kind in VALUES and (kind == self.type_out(link) or "*" in {kind, self.type_out(link)})

    def _namesake(self, fields: list[Input], link: Link) -> Input | None:
        """The plain input with an output's own name and type, as the width of a node that lists what it was given."""
        outputs = self.outputs(link.node_id)
        if not 0 <= link.slot < len(outputs):
            return None
        kind, name = outputs[link.slot]
        if name.upper() == kind.upper() or self._reads_media(fields):
            return None
        return next((one for one in fields if one.field.lower() == name.lower() and self.type_of(one) == kind), None)

    def _reads_media(self, fields: list[Input]) -> bool:
        return any(self.type_of(one) not in VALUES for one in fields if as_link(self.value(one)))

    def _counts(self, where: Input) -> bool:
        """Whether an input takes part: not the page's own decoration, such as what a seed does after a run."""
        spec = self.spec(where.node_id)
        return where.field != "control_after_generate" and (spec is None or where.field in spec.inputs)

    def order(self, node_id: str) -> int:
        """The place of a running node in the graph."""
        return self._order[node_id]

    def name(self, where: Input) -> str:
        """An input as people find it: the node's title and id, and the field."""
        return f"{title(self.graph[where.node_id])} (node {where.node_id}), {where.field}"


def api_graph(graph: Mapping[str, Any], object_info: Mapping[str, Any] | ObjectInfo | None) -> Graph:
    """The graph in API format; what the page saves is converted."""
    if not is_ui_workflow(graph):
        return graph
    from spoonkernel.comfy.convert import as_graph

    return as_graph(graph, object_info)


def edited(graph: Graph, values: Mapping[Input, Any]) -> dict[str, Any]:
    """A new graph with these inputs set; everything else is the same, and the given graph stays as it was. Both share
    their links and whatever else a value is made of."""
    new = {
        node_id: {**node, "inputs": {**inputs(node)}} if "inputs" in node else {**node}
        for node_id, node in graph.items()
    }
    for (node_id, field), value in values.items():
        new[node_id].setdefault("inputs", {})[field] = value
    return new


def _standing(node_id: str, node: Mapping[str, Any]) -> Iterator[tuple[Input, Any]]:
    for name, value in inputs(node).items():
        yield Input(node_id, name), value


def _spoken(field: str) -> str:
    return next((kind for pattern, kind in SPOKEN_TYPES if pattern.match(field)), "*")


def _plain_type(value: Any) -> str:
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, int):
        return "INT"
    if isinstance(value, float):
        return "FLOAT"
    return "STRING" if isinstance(value, str) else "*"

"""What can be set in a graph, for forms and records: `extracted_parameters` of the API reference, and its values."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from spoonkernel.comfy.fill import Filling, fill, plan
from spoonkernel.comfy.graph import Input, as_link, title
from spoonkernel.comfy.limits import limits_of
from spoonkernel.comfy.object_info import ObjectInfo
from spoonkernel.comfy.roles import Roles, is_image, loras, roles_of
from spoonkernel.comfy.wiring import Wiring

__all__ = ["Filling", "Parameter", "ParameterType", "extract", "fill", "plan", "read_values", "values_of"]

ParameterType = Literal["seed", "number", "string", "boolean", "choice", "image"]

JSON_SAFE = 2**53 - 1
"""JavaScript rounds larger integers, so they travel as strings."""

KINDS: Mapping[str, ParameterType] = {
    "INT": "number",
    "FLOAT": "number",
    "NUMBER": "number",
    "STRING": "string",
    "BOOLEAN": "boolean",
    "COMBO": "choice",
}

RECORDED = (
    ("prompt", "prompt_text"),
    ("negative_prompt", "negative_prompt"),
    *((role, role) for role in ("width", "height", "steps", "cfg_scale", "seed", "sampler_name", "scheduler")),
    *((role, role) for role in ("batch_size", "checkpoint_name", "denoise")),
)
"""Roles that a generation records, and the reference's names for them."""

VAGUE_FIELDS = frozenset({"value", "text", "string", "prompt", "int", "float", "boolean"})
"""Fields that say less than their node's title."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One value that stands in a graph. `min`, `max`, `step` and `options` where the server told of them; `role` is the
    reference's name for it (`steps`, `cfg_scale`, ...) where it has one."""

    node_id: str
    field: str
    type: ParameterType
    value: Any
    label: str
    min: int | float | None = None
    max: int | float | None = None
    step: int | float | None = None
    options: tuple[Any, ...] | None = None
    role: str | None = None
    node: str | None = None
    """Its node's title, else what the server calls the node's class."""
    integer: bool | None = None
    multiline: bool | None = None
    display: str | None = None
    tooltip: str | None = None
    labels: tuple[str, str] | None = None
    """What a boolean's node says of it when it is off, and when it is on."""

    def to_wire(self) -> dict[str, Any]:
        """As the reference prints it: `nodeId`, and only what is known; integers beyond 2^53-1 as strings."""
        named = {
            "nodeId": self.node_id,
            "field": self.field,
            "type": self.type,
            "value": _safe(self.value),
            "label": self.label,
            "min": _safe(self.min),
            "max": _safe(self.max),
            "step": self.step,
            "options": None if self.options is None else list(self.options),
            "role": self.role,
            "node": self.node,
            "integer": self.integer,
            "multiline": self.multiline,
            "display": self.display,
            "tooltip": self.tooltip,
            "labels": None if self.labels is None else list(self.labels),
        }
        return {key: value for key, value in named.items() if value is not None}


def extract(graph: Mapping[str, Any], object_info: Mapping[str, Any] | ObjectInfo | None) -> list[Parameter]:
    """The plain values of the nodes that run, in the graph's order; a linked input appears where its link starts."""
    wiring = Wiring(graph, object_info)
    roles = roles_of(wiring)
    found = list(_found(wiring, roles))
    labels = _labels(wiring, [(where, role) for where, _, role in found])
    groups = {one.origin: one for one in roles.seeds.settable}
    parameters = []
    for (where, kind, role), label in zip(found, labels, strict=True):
        limits, group = limits_of(wiring, where), groups.get(where)
        parameters.append(
            Parameter(
                *where,
                kind,
                wiring.value(where),
                label,
                group.minimum if group else limits.minimum if kind == "number" else None,
                group.maximum if group else limits.maximum if kind == "number" else None,
                limits.step if kind == "number" else None,
                limits.choices if kind == "choice" else None,
                role,
                **_looks(wiring, where, limits.type),
            )
        )
    return parameters


def read_values(graph: Mapping[str, Any], object_info: Mapping[str, Any] | ObjectInfo | None) -> dict[str, Any]:
    """The reference's parameters as they stand in a graph, read from the primary sampler's chain.

    Keys: `prompt_text`, `negative_prompt`, `width`, `height`, `steps`, `cfg_scale`, `seed`, `sampler_name`,
    `scheduler`, `batch_size`, `checkpoint_name`, `denoise` (those that the graph has), and always `loras`: a list of
    `{"name", "strength_model", "strength_clip"}`. Different texts heard by one sampler are joined with a line break.
    """
    return values_of(Wiring(graph, object_info))


def values_of(wiring: Wiring) -> dict[str, Any]:
    """The same of a graph that has been read already."""
    roles = roles_of(wiring)
    values: dict[str, Any] = {}
    for role, name in RECORDED:
        if role in roles.inputs:
            values[name] = _read(wiring, roles, role)
    sampler = roles.primary
    values["loras"] = [lora for _, lora in loras(wiring, sampler)] if sampler else []
    return values


def _read(wiring: Wiring, roles: Roles, role: str) -> Any:
    inputs = roles.inputs[role]
    if role == "seed":
        return roles.seeds.primary.value if roles.seeds.primary else None
    if role not in {"prompt", "negative_prompt"}:
        return wiring.value(inputs[0])
    heard = {where for one in roles.prompts.samplers if one.node_id == roles.primary for where in _heard(one, role)}
    texts = [wiring.value(one) for one in inputs if one in heard] or [wiring.value(inputs[0])]
    return "\n".join(dict.fromkeys(str(text) for text in texts))


def _heard(sampler: Any, role: str) -> Iterable[Input]:
    heard: tuple[Input, ...] = sampler.positive if role == "prompt" else sampler.negative
    return heard


def _found(wiring: Wiring, roles: Roles) -> Iterator[tuple[Input, ParameterType, str | None]]:
    by_input = roles.of()
    seeds = {one.origin for one in roles.seeds.settable}
    for node_id in wiring.running:
        for where, value in wiring.inputs(node_id):
            if as_link(value) is not None or not isinstance(value, str | int | float | bool):
                continue
            if where in seeds:
                yield where, "seed", by_input.get(where)
            elif (kind := _kind(wiring, where)) is not None:
                yield where, kind, by_input.get(where)


def _kind(wiring: Wiring, where: Input) -> ParameterType | None:
    if is_image(wiring, where):
        return "image"
    known = wiring.input_spec(where) is not None or wiring.spec(where.node_id) is None
    if not known and "." not in where.field:
        return None  # the class has no such input (any more): the server ignores it, and so do players and previews
    return KINDS.get(limits_of(wiring, where).type)


def _looks(wiring: Wiring, where: Input, kind: str) -> dict[str, Any]:
    """How a form shows an input: what its server says beside the limits. Nothing is in it that is not told."""
    node, spec = wiring.graph[where.node_id], wiring.spec(where.node_id)
    named = title(node)
    looks: dict[str, Any] = {"node": spec.display_name if spec and named == node["class_type"] else named}
    inputs = (wiring.input_spec(one) for one in (where, *wiring.readers().get(where, ())))
    told = next((one.options for one in inputs if one is not None and one.type != "*"), {})
    looks |= {"integer": True} if kind == "INT" else {}
    looks |= {"multiline": True} if told.get("multiline") else {}
    looks |= {name: told[name] for name in ("display", "tooltip") if isinstance(told.get(name), str)}
    if told.get("label_on") or told.get("label_off"):
        looks["labels"] = (str(told.get("label_off") or "off"), str(told.get("label_on") or "on"))
    return looks


def _labels(wiring: Wiring, found: list[tuple[Input, str | None]]) -> list[str]:
    """The field's name; with the node's title where several share it, and the node's id where that is not enough."""
    plain = [_label(wiring, where, role) for where, role in found]
    counts = Counter(plain)
    titled = [
        label if counts[label] == 1 else f"{title(wiring.graph[where.node_id])}: {_words(where.field)}"
        for label, (where, _) in zip(plain, found, strict=True)
    ]
    counts = Counter(titled)
    return [
        label if counts[label] == 1 else f"{label} ({where.node_id})"
        for label, (where, _) in zip(titled, found, strict=True)
    ]


def _label(wiring: Wiring, where: Input, role: str | None) -> str:
    if role in {"prompt", "negative_prompt"}:
        return _words(role)
    return title(wiring.graph[where.node_id]) if where.field in VAGUE_FIELDS else _words(where.field)


def _words(name: str) -> str:
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def _safe(value: Any) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if whole and abs(value) > JSON_SAFE else value

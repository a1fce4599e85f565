"""The fields of a workflow: what can be set in it, under which name, and in which group people look for it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from spoonkernel.types.workflows import WorkflowParameter

PROMPTS = ("prompt", "negative_prompt")

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Prompt": PROMPTS,
    "Image": ("image",),
    "Sampler": ("seed", "steps", "cfg_scale", "guidance", "sampler_name", "scheduler", "denoise"),
    "Size": ("width", "height", "batch_size", "length"),
    "Model": ("checkpoint_name", "lora"),
    "Output": ("filename_prefix",),
}
"""Groups in the order in which they are shown, with the roles in each; nodes without a role come before the last."""

LABELS: Mapping[str, str] = {
    "prompt": "Prompt",
    "negative_prompt": "Negative",
    "seed": "Seed",
    "sampler_name": "Sampler",
    "batch_size": "Images",
    "checkpoint_name": "Checkpoint",
    "filename_prefix": "File name",
}
"""Shorter words than the inputs' own names, by role."""


@dataclass(frozen=True, slots=True)
class Field:
    """One value that can be set. `key` is the name under which `parameters` of a generation set it: a role, which may
    stand for several inputs, or `node.field`. `own` is what the graph itself holds."""

    key: str
    kind: str
    label: str
    group: str
    node: str
    addresses: tuple[str, ...]
    own: Any
    minimum: int | float | None = None
    maximum: int | float | None = None
    step: float | None = None
    options: tuple[Any, ...] = ()
    integer: bool = False
    multiline: bool = False
    display: str | None = None
    tooltip: str | None = None
    labels: tuple[str, ...] = ()

    @property
    def is_missing(self) -> bool:
        """Whether the graph names a choice (a model file) that its server does not have."""
        return self.kind == "choice" and bool(self.options) and self.own not in self.options


def fields_of(parameters: Iterable[WorkflowParameter]) -> list[Field]:
    """One field for each role and each other input, in the order in which they are shown."""
    found: dict[str, Field] = {}
    groups = _groups(parameters := list(parameters))
    for one in parameters:
        address = f"{one.node_id}.{one.field}"
        key = one.role or address
        if (known := found.get(key)) is not None:
            found[key] = replace(known, addresses=(*known.addresses, address))
        else:
            found[key] = _field(key, address, one, groups[one.node_id] if one.role is None else _group(one.role))
    return _unlike(sorted(found.values(), key=_rank(found.values())))


def _field(key: str, address: str, one: WorkflowParameter, group: str) -> Field:
    label = one.label or one.field
    if one.role and one.role in LABELS:
        label = LABELS[one.role]
    elif one.role == "cfg_scale" and one.field == "cfg":
        label = "Cfg scale"
    elif one.node and label.startswith(f"{one.node}: "):
        label = label.removeprefix(f"{one.node}: ")
    return Field(
        key=key,
        kind=one.type,
        label=label,
        group=group,
        node=one.node or "Node",
        addresses=(address,),
        own=number_of(one.value) if one.type in {"number", "seed"} else one.value,
        minimum=number_of(one.min),
        maximum=number_of(one.max),
        step=one.step,
        options=tuple(one.options or ()),
        integer=bool(one.integer) or one.type == "seed",
        multiline=bool(one.multiline) or one.role in PROMPTS,
        display=one.display,
        tooltip=one.tooltip,
        labels=tuple(one.labels or ()),
    )


def _groups(parameters: list[WorkflowParameter]) -> dict[str, str]:
    """The group of each node: that of its inputs with a role, so that a LoRA's strength stays beside its file; else
    the node's own title."""
    groups: dict[str, str] = {}
    for one in parameters:
        if one.role is not None:
            groups.setdefault(one.node_id, _group(one.role))
    for one in parameters:
        groups.setdefault(one.node_id, one.node or "Other")
    return groups


def _group(role: str) -> str:
    plain = role.rpartition("_")[0] if role.rpartition("_")[2].isdigit() else role
    return next((name for name, roles in GROUPS.items() if plain in roles), "Other")


def _rank(fields: Iterable[Field]) -> Any:
    """Known groups in their order, the others between them in the graph's; roles in the order of their group."""
    names = [*GROUPS]
    others = [one.group for one in fields if one.group not in GROUPS]
    names[-1:-1] = list(dict.fromkeys(others))
    roles = [role for named in GROUPS.values() for role in named]

    def rank(one: Field) -> tuple[int, int]:
        return names.index(one.group), roles.index(one.key) if one.key in roles else len(roles)

    return rank


def _unlike(fields: list[Field]) -> list[Field]:
    """The same with the node's title before labels that a group has twice."""
    counts = Counter((one.group, one.label) for one in fields)
    return [
        one if counts[one.group, one.label] == 1 else replace(one, label=f"{one.node}: {one.label}") for one in fields
    ]


def nodes_of(fields: Iterable[Field]) -> str:
    """Where the fields of a group stand, for people: `KSampler, node 3`."""
    by_title: dict[str, dict[str, None]] = {}
    for one in fields:
        for address in one.addresses:
            by_title.setdefault(one.node, {})[address.partition(".")[0]] = None
    return ". ".join(
        f"{title}, node{'s' if len(ids) > 1 else ''} {' and '.join(ids)}" for title, ids in by_title.items()
    )


def number_of(value: Any) -> int | float | None:
    """A number as the wire brings it: large whole ones come as digits."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return value
    text = str(value)
    return int(text) if text.lstrip("-").isdigit() else None

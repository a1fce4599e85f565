"""What a ComfyUI server says of its node classes (`GET /object_info`), typed.

One entry of that answer (recorded from 0.3.64): `{"input": {"required": {name: spec}, "optional": {...}, "hidden":
{...}}, "input_order": {...}, "output": [types], "output_node": bool, "display_name", "python_module", ...}`. An input's
spec is `[type, options]`. A choice comes in two forms: `[[choice, ...], options]` and `["COMBO", {"options": [...]}]`.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

WIDGETS = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"})
"""Types whose value is typed into the node itself; every other type only comes through a link."""

SEED_MAX = 2**64 - 1
"""The largest seed of ComfyUI's own samplers; an input's own `max` may be smaller."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input of a node class. `type` is `COMBO` for both forms of a choice."""

    name: str
    type: str
    required: bool
    options: Mapping[str, Any] = field(default_factory=dict)
    choices: tuple[Any, ...] | None = None
    """What a choice offers; None for other types, and for choices that the server fetches from elsewhere."""

    @property
    def is_widget(self) -> bool:
        """Whether a value may be written into it (it may be linked all the same)."""
        return self.type in WIDGETS and not self.options.get("forceInput")

    @property
    def default(self) -> Any:
        """The server's default; the first choice where a choice has none; None where nothing is said."""
        if "default" in self.options:
            return self.options["default"]
        return self.choices[0] if self.choices else None

    @property
    def draws_seeds(self) -> bool:
        """Whether ComfyUI's own page changes it after each run: the surest sign of a seed."""
        return bool(self.options.get("control_after_generate"))


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """One node class. `inputs` are in the server's order, the required ones first."""

    class_type: str
    inputs: Mapping[str, InputSpec]
    outputs: tuple[str, ...]
    display_name: str
    is_output: bool
    python_module: str
    is_api_node: bool = False
    output_names: tuple[str, ...] = ()
    """What the server calls each output; its type where it has no name of its own."""


class ObjectInfo(Mapping[str, NodeSpec]):
    """The node classes of one server by `class_type`, each read when it is first asked for.

    Args:
        raw: the answer of `/object_info` as JSON, or another `ObjectInfo`, whose reading is shared; None is a server
            that told nothing.
    """

    def __init__(self, raw: "Mapping[str, Any] | ObjectInfo | None") -> None:
        self._raw: Mapping[str, Any]
        self._read: dict[str, NodeSpec]
        if isinstance(raw, ObjectInfo):
            self._raw, self._read = raw._raw, raw._read
        else:
            self._raw, self._read = raw or {}, {}

    def __getitem__(self, class_type: str) -> NodeSpec:
        found = self._read.get(class_type)
        if found is None:
            found = self._read[class_type] = _node(class_type, self._raw[class_type])
        return found

    def __contains__(self, class_type: object) -> bool:
        return class_type in self._raw

    def __iter__(self) -> Any:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)

    @property
    def is_recent(self) -> bool:
        """Whether the server is newer than those of 2025: its entries tell `is_input_list`. True for no entries."""
        return not self._raw or any("is_input_list" in one for one in self._raw.values() if isinstance(one, Mapping))

    def digest(self, classes: Iterable[str]) -> str:
        """SHA-256 of what the server says of these classes: it changes when one of them does."""
        told = {name: self._raw[name] for name in sorted(set(classes)) if name in self._raw}
        return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def input(self, class_type: str, name: str) -> InputSpec | None:
        """One input, or None where the class or the input is not known."""
        node = self.get(class_type)
        return node.inputs.get(name) if node else None


def _node(class_type: str, entry: Mapping[str, Any]) -> NodeSpec:
    sections = entry.get("input") or {}
    order = entry.get("input_order") or {}
    inputs: dict[str, InputSpec] = {}
    for section in ("required", "optional"):
        named = sections.get(section) or {}
        for name in [*(one for one in order.get(section) or () if one in named), *named]:
            if name not in inputs:
                inputs[name] = _input(name, named[name], required=section == "required")
    outputs = tuple("COMBO" if isinstance(one, list) else str(one) for one in entry.get("output") or ())
    names = tuple(str(one) for one in entry.get("output_name") or ())
    return NodeSpec(
        class_type,
        inputs,
        outputs,
        str(entry.get("display_name") or class_type),
        bool(entry.get("output_node")),
        str(entry.get("python_module") or ""),
        bool(entry.get("api_node")),
        (*names, *outputs[len(names) :])[: len(outputs)],
    )


def _input(name: str, spec: Any, *, required: bool) -> InputSpec:
    kind, options = _split(spec)
    if isinstance(kind, list):
        return InputSpec(name, "COMBO", required, options, tuple(kind))
    if kind == "COMBO":
        choices = options.get("options")
        return InputSpec(name, "COMBO", required, options, tuple(choices) if isinstance(choices, list) else None)
    return InputSpec(name, str(kind), required, options)


def _split(spec: Any) -> tuple[Any, Mapping[str, Any]]:
    """Type and options of a spec; a custom node may print a bare type, or no options."""
    if not isinstance(spec, Sequence) or isinstance(spec, str):
        return spec, {}
    kind = spec[0] if spec else "*"
    options = spec[1] if len(spec) > 1 and isinstance(spec[1], Mapping) else {}
    return kind, options

"""What a node's widgets hold: its saved `widgets_values` by name, and how the page sends one value.

A list holds a value for each widget in the page's order, control widgets and buttons included; some custom nodes save
an object by name instead. A class that is not known has its widgets named by its own inputs (`inputs[].widget`).
"""

from collections.abc import Mapping
from typing import Any

from spoonkernel.comfy.convert.layout import MISSING, SHOWN, Layout, Widget
from spoonkernel.comfy.convert.text import FILE_SAVERS, Find, Texts
from spoonkernel.comfy.convert.workflow import Node
from spoonkernel.errors import ValidationFailed

CONTROLS = frozenset({"fixed", "increment", "decrement", "randomize", "increment-wrap"})
"""What the control widget behind a seed holds."""

UNSENT = frozenset({"control_after_generate", "upload", "videopreview"})
"""Names in an object of values that are the page's own."""


def held(node: Node) -> dict[str, Any]:
    """The values of a node's widgets by name, as the page holds them after loading; not those of its links.

    Raises:
        ValidationFailed: the class is not known and the values cannot be named; the message names node and class.
    """
    return laid_out(node.layout, node.values) if node.layout else _by_slots(node)


def laid_out(layout: Layout, values: Any) -> dict[str, Any]:
    """Saved values by the names of a class's widgets; what was not saved is the widget's default."""
    if isinstance(values, Mapping):
        return {one.name: _set(one, values.get(one.name, MISSING)) for one in layout.widgets}
    saved = values if isinstance(values, list) else []
    if len(layout.forced) == len(saved):  # saved when inputs without a widget still had one
        saved = [value for value, forced in zip(saved, layout.forced, strict=True) if not forced]
    following = iter(saved)
    return {one.name: _set(one, next(following, MISSING) if one.saved else MISSING) for one in layout.widgets}


def _set(widget: Widget, value: Any) -> Any:
    """A widget's value after it was set to a saved one."""
    if value is MISSING:
        return widget.default
    if widget.type in SHOWN:
        return value if isinstance(value, str) and widget.type.startswith("LOAD") else ""
    if value is None and (widget.type == "MARKDOWN" or widget.options.get("multiline")):
        return ""  # a text area has no null
    return value


def _by_slots(node: Node) -> dict[str, Any]:
    """For a class that is not known: the values that the node's own inputs name."""
    names = [slot.widget for slot in node.inputs if slot.widget]
    if isinstance(node.values, Mapping):
        keep = names or [key for key in node.values if key not in UNSENT]
        return {name: node.values[name] for name in keep if name in node.values}
    values = node.values if isinstance(node.values, list) else []
    if not values:
        return {}
    found, rest = _paired(names, values)
    if len(found) < len(names) or any(value not in (None, "", "image") for value in rest):
        raise ValidationFailed(
            f"{node}: the class {node.type!r} is not among the server's node classes, and the workflow does not name "
            f"all of the node's {len(values)} values. Install the custom node that brings it, or export the workflow "
            "for the API in ComfyUI"
        )
    return found


def _paired(names: list[str], values: list[Any]) -> tuple[dict[str, Any], list[Any]]:
    """Names with values in their order, and the values left over. The control behind a seed is passed over."""
    found: dict[str, Any] = {}
    place = 0
    for name in names:
        if place >= len(values):
            break
        value = found[name] = values[place]
        place += 1
        number = isinstance(value, int) and not isinstance(value, bool)
        if number and place < len(values) and isinstance(values[place], str) and values[place] in CONTROLS:
            place += 1
    return found, values[place:]


def as_sent(value: Any) -> Any:
    """A value as the graph holds it: a list is wrapped, as it would be taken for a link."""
    return {"__value__": value} if isinstance(value, list) else value


def serialised(node: Node, name: str, value: Any, texts: Texts, find: Find) -> Any:
    """A widget's value as the page sends it: prompts without comments and with their choices made, and the nodes'
    values put into file names."""
    widget = next((one for one in node.layout.widgets if one.name == name), None) if node.layout else None
    if isinstance(value, str) and widget is not None:
        if widget.options.get("dynamicPrompts"):
            return texts.prompt(value)
        if name == "filename_prefix" and node.type in FILE_SAVERS:
            return texts.replaced(value, find)
    return as_sent(value)

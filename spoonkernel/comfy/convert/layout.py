"""The widgets and input slots that the page gives a node of a known class, in its order.

After `litegraphService.ts`, `widgets.ts`, the widget composables and the core extensions of ComfyUI's page. A saved
node's `widgets_values` are positions in this list of widgets, so every widget counts, also those that are never sent.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from spoonkernel.comfy.object_info import InputSpec, NodeSpec, ObjectInfo

DYNAMIC = "COMFY_DYNAMICCOMBO_V3"
"""A choice that brings its own further inputs (newer servers)."""

SHOWN = frozenset(
    {"AUDIO_UI", "AUDIO_RECORD", "LOAD_3D", "LOAD_3D_ANIMATION", "PREVIEW_3D", "PREVIEW_3D_ANIMATION", "WEBCAM"}
)
"""Widgets that show or capture something in the browser: outside of one their value is an empty text."""

TYPED = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "MARKDOWN", "COLOR", "IMAGEUPLOAD", "AUDIOUPLOAD"}
    | {"BOUNDING_BOX", "BOUNDING_BOXES", "CHART", "GALLERIA", "PAINTER", "TEXTAREA", "CURVE", "RANGE", "COLORS"}
)  # fmt: skip
WIDGET_TYPES = TYPED | SHOWN | {DYNAMIC}

AUDIO_PLAYERS = frozenset({"LoadAudio", "SaveAudio", "PreviewAudio", "SaveAudioMP3", "SaveAudioOpus"})
MODEL_VIEWERS = {
    "SaveGLB": "PREVIEW_3D",
    "Preview3D": "PREVIEW_3D",
    "Preview3DAnimation": "PREVIEW_3D_ANIMATION",
}
UPLOADS = ("image_upload", "animated_image_upload", "video_upload")
SEEDS = frozenset({"seed", "noise_seed"})
LOAD_3D_BUTTONS = {
    "upload 3d model": "upload3dmodel",
    "upload extra resources": "uploadExtraResources",
    "clear": "clear",
}


class Missing:
    """The type of `MISSING`."""


MISSING: Final = Missing()
"""JavaScript's `undefined`: such a value does not get into JSON."""


@dataclass(frozen=True, slots=True)
class Widget:
    """One widget of a node.

    `sent` says whether its value goes into the graph, `saved` whether it takes a place in `widgets_values`.
    """

    name: str
    type: str
    default: Any = MISSING
    sent: bool = True
    saved: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)


class Socket(NamedTuple):
    """An input slot, with the widget that it belongs to, if any. Its fields are those of `workflow.Slot`."""

    name: str
    type: str
    link: None = None
    widget: str | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """What the page makes of a class. `forced` has an entry for each value that a file older than page 1.16 holds:
    True where it belongs to an input that is a socket only by now."""

    slots: tuple[Socket, ...]
    widgets: tuple[Widget, ...]
    forced: tuple[bool, ...]

    @property
    def names(self) -> frozenset[str]:
        """The widgets' names."""
        return frozenset(widget.name for widget in self.widgets)


def layout(class_type: str, spec: NodeSpec, values: Any) -> Layout:
    """The page's slots and widgets for a node. `values` are the node's saved ones: a dynamic choice depends on them."""
    specs = [*spec.inputs.values(), *_added(class_type, spec)]
    slots = [Socket(one.name, one.type) for one in specs if not _is_widget(one)]
    widgets: list[Widget] = []
    for one in specs:
        if _is_widget(one):
            for name, kind in _placed(one, values, widgets):
                slots.append(Socket(name, kind, None, name))
    if class_type == "PreviewAny":
        widgets.append(Widget("preview", "STRING", "", saved=False))
    if class_type == "WebcamCapture":
        widgets.append(Widget("waiting for camera...", "BUTTON", sent=False))
    forced: list[bool] = []
    for one in specs:
        if one.options.get("forceInput") or _is_widget(one):
            forced += [bool(one.options.get("forceInput")), *([False] if one.draws_seeds else [])]
    return Layout(tuple(slots), tuple(widgets), tuple(forced))


def _added(class_type: str, spec: NodeSpec) -> Iterator[InputSpec]:
    """The inputs that the page's own extensions add to a class."""
    if class_type in AUDIO_PLAYERS:
        yield InputSpec("audioUI", "AUDIO_UI", True)
    audio = spec.inputs.get("audio")
    if audio is not None and audio.options.get("audio_upload") is True:
        yield InputSpec("upload", "AUDIOUPLOAD", True)
    if class_type in MODEL_VIEWERS:
        yield InputSpec("image", MODEL_VIEWERS[class_type], True)
    if any(one.required and any(one.options.get(key) for key in UPLOADS) for one in spec.inputs.values()):
        yield InputSpec("upload", "IMAGEUPLOAD", True)


def _is_widget(spec: InputSpec) -> bool:
    return _kind(spec) in WIDGET_TYPES and not spec.options.get("forceInput")


def _kind(spec: InputSpec) -> str:
    named = spec.options.get("widgetType")
    return named if isinstance(named, str) else spec.type


def _placed(spec: InputSpec, values: Any, widgets: list[Widget], depth: int = 0) -> Iterator[tuple[str, str]]:
    """Appends an input's widgets, and yields name and type of the slots that come with them."""
    kind = _kind(spec)
    if kind.startswith("LOAD_3D") and (not isinstance(values, list) or len(values) >= 4 + len(LOAD_3D_BUTTONS)):
        widgets += [Widget(name, "BUTTON", value) for name, value in LOAD_3D_BUTTONS.items()]
    if kind in SHOWN:
        widgets.append(Widget(spec.name, kind, "", saved=kind != "AUDIO_UI"))
    elif kind.endswith("UPLOAD"):
        widgets.append(Widget(spec.name, kind, sent=False))
    else:
        widgets.append(Widget(spec.name, kind, _default(spec, kind), options=spec.options))
    yield spec.name, spec.type
    if kind == DYNAMIC:
        yield from _chosen(spec, values, widgets, depth)
    else:
        widgets += _companions(spec, kind)


def _companions(spec: InputSpec, kind: str) -> Iterator[Widget]:
    """The widgets that the page puts behind another: buttons, and the control of seeds."""
    if isinstance(spec.options.get("remote"), Mapping):
        yield Widget("Auto-refresh after generation", "BOOLEAN", sent=False)
        if spec.options["remote"].get("refresh_button"):
            yield Widget("refresh", "BUTTON", "refresh")
    control = spec.options.get("control_after_generate")
    if kind == "INT" and control is None:
        control = spec.name in SEEDS
    if control and kind in ("INT", "COMBO"):
        yield Widget("control_after_generate", "COMBO", sent=False)
        if kind == "COMBO":
            yield Widget("control_filter_list", "STRING", sent=False)


def _chosen(spec: InputSpec, values: Any, widgets: list[Widget], depth: int) -> Iterator[tuple[str, str]]:
    """The inputs of a dynamic choice's chosen option, named `choice.input`."""
    place = sum(widget.saved for widget in widgets) - 1
    key = widgets[-1].default
    if isinstance(values, list) and place < len(values):
        key = values[place]
    elif isinstance(values, Mapping):
        key = values.get(spec.name, key)
    options = spec.options.get("options")
    for option in options if isinstance(options, list) else ():
        if (
            isinstance(option, Mapping) and option.get("key") == key and depth < 10
        ):  # the page nests as deep as it is told
            inner = ObjectInfo({"": {"input": option.get("inputs")}})[""].inputs
            for one in inner.values():
                named = InputSpec(f"{spec.name}.{one.name}", one.type, one.required, one.options, one.choices)
                if _is_widget(named):
                    yield from _placed(named, values, widgets, depth + 1)


def _default(spec: InputSpec, kind: str) -> Any:
    """What a new widget holds: the server's default, else the page's."""
    if kind == DYNAMIC:
        options = spec.options.get("options")
        first = options[0] if isinstance(options, list) and options else None
        return first.get("key", MISSING) if isinstance(first, Mapping) else MISSING
    if kind == "COMBO":
        if spec.options.get("default"):
            return spec.options["default"]
        if spec.choices:
            return spec.choices[0]
        return "Loading..." if spec.options.get("remote") else MISSING
    given = spec.options.get("default")
    if given is not None:
        return given
    plain: dict[str, Any] = {"INT": 0, "FLOAT": 0, "BOOLEAN": False, "STRING": "", "MARKDOWN": ""}
    return plain.get(kind, MISSING)

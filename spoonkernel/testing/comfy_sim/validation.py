"""What a server refuses before it queues anything: ComfyUI's `execution.py` (`validate_prompt`, `validate_inputs`).

Values are coerced in place ("7.5" becomes 7.5), as there.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from spoonkernel.testing.comfy_sim.catalog import Catalog

LONG_LIST = 20  # longer lists are not written out in an error
OUTPUTS_FAILED = "prompt_outputs_failed_validation"
CONVERSIONS: dict[Any, Callable[[Any], Any]] = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool}

Errors = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Either `outputs` to run, or the `error` of a 400. `node_errors` may be there in both cases."""

    outputs: list[str] = field(default_factory=list)
    error: dict[str, Any] | None = None
    node_errors: dict[str, Any] = field(default_factory=dict)


class Validator:
    """Checks graphs against a catalog.

    Args:
        is_file: whether an input file (`name`, or `name [output]`) is there.
        modern: whether to answer as 0.38.1 does.
    """

    def __init__(self, catalog: Catalog, is_file: Callable[[str], bool], *, modern: bool) -> None:
        self._catalog, self._is_file, self._modern = catalog, is_file, modern

    def check(self, prompt: Any, targets: list[str] | None) -> Verdict:
        """The verdict on a graph. Raises what ComfyUI raises on things that are no graph: its answer is a 500."""
        ends = []
        for node_id in prompt:
            if "class_type" not in prompt[node_id]:
                return self._no_class(node_id, "Cannot execute because a node is missing the class_type property.")
            class_type = prompt[node_id]["class_type"]
            if class_type not in self._catalog:
                return self._unknown_class(node_id, prompt[node_id])
            if self._catalog.is_output(class_type) and (targets is None or node_id in targets):
                ends.append(node_id)
        if not ends:
            return Verdict(error=problem("prompt_no_outputs", "Prompt has no outputs"))
        return self._outputs(prompt, ends)

    def _no_class(self, node_id: str, message: str) -> Verdict:
        return Verdict(error=problem("invalid_prompt", message, f"Node ID '#{node_id}'"))

    def _unknown_class(self, node_id: str, node: dict[str, Any]) -> Verdict:
        class_type = node["class_type"]
        if not self._modern:
            return self._no_class(node_id, f"Cannot execute because node {class_type} does not exist.")
        title = (node.get("_meta") or {}).get("title") or class_type
        told = {"node_id": node_id, "class_type": class_type, "node_title": title}
        message = f"Node '{title}' not found. The custom node may not be installed."
        return Verdict(error=problem("missing_node_type", message, f"Node ID '#{node_id}'", told))

    def _outputs(self, prompt: dict[str, Any], ends: list[str]) -> Verdict:
        good: list[str] = []
        found: dict[str, Any] = {}
        seen: dict[str, tuple[bool, Errors]] = {}
        for end in ends:
            if self._node(prompt, end, seen, ()):
                good.append(end)
                continue
            for node_id, (valid, errors) in seen.items():
                if not valid and errors:
                    class_type = prompt[node_id]["class_type"]
                    node = found.setdefault(
                        node_id, {"errors": errors, "dependent_outputs": [], "class_type": class_type}
                    )
                    node["dependent_outputs"].append(end)
        if good:
            return Verdict(outputs=good, node_errors=found)
        lines = [f"{error['message']}: {error['details']}" for node in found.values() for error in node["errors"]]
        details = "\n".join(lines) if self._modern else ""
        return Verdict(error=problem(OUTPUTS_FAILED, "Prompt outputs failed validation", details), node_errors=found)

    def _node(
        self, prompt: dict[str, Any], node_id: str, seen: dict[str, tuple[bool, Errors]], path: tuple[str, ...]
    ) -> bool:
        if node_id in seen:
            return seen[node_id][0]
        if node_id in path:
            raise RecursionError("maximum recursion depth exceeded")
        node = prompt[node_id]
        given = node["inputs"]
        errors: Errors = []
        valid = True
        for name, (section, spec) in self._catalog.inputs(node["class_type"]).items():
            if name not in given:
                if section == "required":
                    errors.append(_error("required_input_missing", "Required input is missing", name))
            elif isinstance(given[name], list):
                error, well = self._link(
                    prompt, name=name, spec=spec, link=given[name], seen=seen, path=(*path, node_id)
                )
                errors += error
                valid = valid and well
            else:
                errors += self._value(node["class_type"], name, spec, given)
        valid = valid and not errors
        seen[node_id] = (valid, errors or seen.get(node_id, (False, []))[1])  # a circle has left one there
        return valid

    def _link(
        self,
        prompt: dict[str, Any],
        *,
        name: str,
        spec: list[Any],
        link: list[Any],
        seen: dict[str, tuple[bool, Errors]],
        path: tuple[str, ...],
    ) -> tuple[Errors, bool]:
        """Errors of the link itself, and whether what it comes from is well."""
        if len(link) != 2:
            message = "Bad linked input, must be a length-2 list of [node_id, slot_index]"
            return [_error("bad_linked_input", message, name, spec, received_value=link)], True
        origin, slot = link
        received = self._catalog.outputs(prompt[origin]["class_type"])[slot]
        if not _fits(received, spec[0]):
            details = f"{name}, received_type({received}) mismatch input_type({spec[0]})"
            told = {"received_type": received, "linked_node": link}
            message = "Return type mismatch between linked nodes"
            return [_error("return_type_mismatch", message, name, spec, details=details, **told)], True
        try:
            return [], self._node(prompt, origin, seen, path)
        except (KeyError, TypeError, IndexError, RecursionError) as error:
            seen[origin] = (False, [self._inner(error, name, spec, link)])
            return [], False

    def _inner(self, error: Exception, name: str, spec: list[Any], link: list[Any]) -> dict[str, Any]:
        if self._modern and isinstance(error, RecursionError):
            return _error("dependency_cycle", "Dependency cycle detected", name, spec, linked_node=link)
        told = {
            "exception_message": str(error),
            "exception_type": type(error).__name__,
            "traceback": ['  File "/srv/comfyui/execution.py", line 808, in validate_inputs\n'],
            "linked_node": link,
        }
        message = "Exception when validating inner node"
        return _error("exception_during_inner_validation", message, name, spec, details=str(error), **told)

    def _value(self, class_type: str, name: str, spec: list[Any], given: dict[str, Any]) -> Errors:
        kind, options = spec[0], spec[1] if len(spec) > 1 else {}
        value = given[name]
        if isinstance(value, dict) and "__value__" in value:
            value = given[name] = value["__value__"]
        if isinstance(kind, str) and kind in CONVERSIONS:
            try:
                value = given[name] = CONVERSIONS[kind](value)
            except (ValueError, TypeError, OverflowError) as error:
                message = f"Failed to convert an input value to a {kind} value"
                told = {"received_value": value, "exception_message": str(error)}
                details = f"{name}, {value}, {error}"
                return [_error("invalid_input_type", message, name, spec, details=details, **told)]
        if _is_upload(options):
            return self._upload(class_type, name, value)
        if "min" in options and value < options["min"]:
            message = f"Value {value} smaller than min of {options['min']}"
            return [_error("value_smaller_than_min", message, name, spec, received_value=value)]
        if "max" in options and value > options["max"]:
            message = f"Value {value} bigger than max of {options['max']}"
            return [_error("value_bigger_than_max", message, name, spec, received_value=value)]
        choices = kind if isinstance(kind, list) else options.get("options") if kind == "COMBO" else None
        return _choice(name, spec, choices, value) if isinstance(choices, list) else []

    def _upload(self, class_type: str, name: str, value: Any) -> Errors:
        if self._is_file(str(value)):
            return []
        what = {"LoadAudio": "audio", "LoadVideo": "video"}.get(class_type, "image")
        details = f"{name} - Invalid {what} file: {value}"
        return [_error("custom_validation_failed", "Custom validation failed for node", name, details=details)]


def problem(kind: str, message: str, details: str = "", told: dict[str, Any] | None = None) -> dict[str, Any]:
    """The `error` of an answer."""
    return {"type": kind, "message": message, "details": details, "extra_info": told or {}}


def _error(
    kind: str, message: str, name: str, spec: list[Any] | None = None, details: str | None = None, **told: Any
) -> dict[str, Any]:
    extra = {"input_name": name, **({"input_config": spec} if spec is not None else {}), **told}
    return {"type": kind, "message": message, "details": name if details is None else details, "extra_info": extra}


def _choice(name: str, spec: list[Any], choices: list[Any], value: Any) -> Errors:
    if value in choices:
        return []
    long = len(choices) > LONG_LIST
    listed = f"(list of length {len(choices)})" if long else str(choices)
    error = _error("value_not_in_list", "Value not in list", name, spec, details=f"{name}: '{value}' not in {listed}")
    error["extra_info"] |= {"received_value": value} | ({"input_config": None} if long else {})
    return [error]


def _is_upload(options: dict[str, Any]) -> bool:
    return any(options.get(name) for name in ("image_upload", "audio_upload", "video_upload"))


def _fits(received: Any, wanted: Any) -> bool:
    """Whether an output may be linked to an input: equal, `*`, or one of a comma list."""
    if received == wanted or "*" in (received, wanted):
        return True
    if not isinstance(received, str) or not isinstance(wanted, str):
        return {type(received), type(wanted)} == {list, str} and "COMBO" in (received, wanted)
    return not {part.strip() for part in received.split(",")}.isdisjoint(part.strip() for part in wanted.split(","))

"""Why ComfyUI would not take or finish a graph, in words: node, field and reason. Pure; every shape is recorded.

`POST /prompt` answers 400 with `{"error": {"type", "message", "details", "extra_info"}, "node_errors": {node_id:
{"class_type", "errors": [{"type", "message", "details", "extra_info": {"input_name", "input_config",
"received_value"}}]}}}`. 0.3.64 leaves `error.details` empty, so the text is built from `node_errors`.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

MAX_REASONS = 4  # told in one error; the rest are counted
MAX_CHOICES = 5
MAX_VALUE = 80
MAX_SENTENCE = 1_000
_LENGTH = re.compile(r"\(list of length (\d+)\)")  # how the server shortens more than 20 choices
_NODE = re.compile(r"Node ID '#(.{1,100})'")


def refused_text(answer: Any) -> str | None:
    """Why a graph was refused, from the JSON of a 400; None when that is no answer of ComfyUI's."""
    if not isinstance(answer, Mapping):
        return None
    reasons = node_reasons(answer.get("node_errors"))
    if reasons:
        more = [f"and {len(reasons) - MAX_REASONS} more"] if len(reasons) > MAX_REASONS else []
        return "; ".join([*reasons[:MAX_REASONS], *more])[:MAX_SENTENCE]
    error = answer.get("error")
    if isinstance(error, str) and error.strip():
        return _line(error, MAX_SENTENCE)
    return _whole_graph(error) if isinstance(error, Mapping) else None


def node_reasons(node_errors: Any) -> tuple[str, ...]:
    """One line for each thing that is wrong: `KSampler (node 3): steps: 0 is smaller than the minimum 1`.

    Also for an answer of 200 that carries some: the outputs behind those nodes were left out.
    """
    found: list[str] = []
    for node_id, entry in node_errors.items() if isinstance(node_errors, Mapping) else ():
        errors = entry.get("errors") if isinstance(entry, Mapping) else None
        where = _where(entry.get("class_type"), node_id) if errors else ""
        found += [
            f"{where}: {_reason(error)}"
            for error in (errors if isinstance(errors, list) else ())
            if isinstance(error, Mapping)
        ]
    return tuple(found)


def failed_text(node_type: str | None, node_id: str | None, exception_type: str, exception_message: str) -> str:
    """Why a run failed: `VAEDecode (node 8): RuntimeError: expected 4 channels`. Never a traceback."""
    kind = exception_type.rpartition(".")[2]
    said = ": ".join(part for part in (kind, _line(exception_message, MAX_SENTENCE)) if part)
    where = _where(node_type, node_id) if node_id or node_type else "ComfyUI"
    return f"{where}: {said or 'failed without saying why'}"[:MAX_SENTENCE]


def _where(class_type: Any, node_id: Any) -> str:
    name = _line(class_type, MAX_VALUE) if class_type else "A node"
    return f"{name} (node {_line(node_id, MAX_VALUE)})" if node_id else name


def _reason(error: Mapping[str, Any]) -> str:
    info = error.get("extra_info")
    extra = info if isinstance(info, Mapping) else {}
    name = _line(extra.get("input_name") or "", MAX_VALUE)
    read = _REASONS.get(str(error.get("type")))
    said = read(error, extra) if read else None
    if said is None:
        details = _line(error.get("details") or "", MAX_VALUE * 3)
        said = _line(error.get("message") or error.get("type") or "is not accepted", MAX_VALUE * 3)
        said += f" ({details})" if details and details != name and details not in said else ""
    return f"{name}: {said}" if name else said


def _not_in_list(error: Mapping[str, Any], extra: Mapping[str, Any]) -> str:
    choices = _choices(extra.get("input_config"))
    if choices:
        shown = ", ".join(_line(choice, MAX_VALUE) for choice in choices[:MAX_CHOICES])
        among = f"{shown} and {len(choices) - MAX_CHOICES} more" if len(choices) > MAX_CHOICES else shown
        return f"{_value(extra)} is not one of its choices ({among})"
    if choices is not None:
        return f"{_value(extra)} cannot be chosen: the server has nothing to choose from"
    length = _LENGTH.search(str(error.get("details") or ""))
    return f"{_value(extra)} is not one of its {length[1]} choices" if length else f"{_value(extra)} is not a choice"


def _choices(config: Any) -> Sequence[Any] | None:
    """What an input offers, in either form of a choice; None when the answer does not tell."""
    if not isinstance(config, list) or not config:
        return None
    if isinstance(config[0], list):
        return config[0]
    options = _option(config, "options")
    return options if isinstance(options, list) else None


def _option(config: Any, name: str) -> Any:
    options = config[1] if isinstance(config, list) and len(config) > 1 else None
    return options.get(name) if isinstance(options, Mapping) else None


def _too_small(error: Mapping[str, Any], extra: Mapping[str, Any]) -> str | None:
    least = _option(extra.get("input_config"), "min")
    return None if least is None else f"{_value(extra)} is smaller than the minimum {_line(least, MAX_VALUE)}"


def _too_big(error: Mapping[str, Any], extra: Mapping[str, Any]) -> str | None:
    most = _option(extra.get("input_config"), "max")
    return None if most is None else f"{_value(extra)} is larger than the maximum {_line(most, MAX_VALUE)}"


def _wrong_type(error: Mapping[str, Any], extra: Mapping[str, Any]) -> str | None:
    config = extra.get("input_config")
    kind = config[0] if isinstance(config, list) and config and isinstance(config[0], str) else None
    return f"{_value(extra)} is not of type {_line(kind, MAX_VALUE)}" if kind else None


def _missing(error: Mapping[str, Any], extra: Mapping[str, Any]) -> str:
    return "is required and missing"


def _mismatch(error: Mapping[str, Any], extra: Mapping[str, Any]) -> str | None:
    config, link = extra.get("input_config"), extra.get("linked_node")
    if not isinstance(config, list) or not config or not isinstance(link, list) or not link:
        return None
    gives, takes = _line(extra.get("received_type"), MAX_VALUE), _line(config[0], MAX_VALUE)
    return f"takes {takes}, but node {_line(link[0], MAX_VALUE)} gives it {gives}"


def _bad_link(error: Mapping[str, Any], extra: Mapping[str, Any]) -> str:
    return f"{_value(extra)} is not a link; one is [node id, output slot]"


def _raised(error: Mapping[str, Any], extra: Mapping[str, Any]) -> str:
    """The check of a node raised. A KeyError of the server's own names a node that is not in the graph."""
    kind, said = extra.get("exception_type"), _line(extra.get("exception_message") or "", MAX_VALUE * 3)
    if kind == "KeyError" and re.fullmatch(r"'[^']+'", said):
        return f"could not be checked: it is linked to node {said[1:-1]}, which is not in the graph"
    return f"could not be checked: {': '.join(part for part in (_line(kind or '', MAX_VALUE), said) if part)}"


def _custom(error: Mapping[str, Any], extra: Mapping[str, Any]) -> str | None:
    """`image - Invalid image file: x.png`: the node's own words behind the input's name."""
    name, details = str(extra.get("input_name") or ""), str(error.get("details") or "")
    said = details.removeprefix(name).removeprefix(" - ").strip()
    return _line(said, MAX_VALUE * 3) if said else None


_REASONS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], str | None]] = {
    "value_not_in_list": _not_in_list,
    "value_smaller_than_min": _too_small,
    "value_bigger_than_max": _too_big,
    "invalid_input_type": _wrong_type,
    "required_input_missing": _missing,
    "return_type_mismatch": _mismatch,
    "bad_linked_input": _bad_link,
    "exception_during_inner_validation": _raised,
    "custom_validation_failed": _custom,
}


def _whole_graph(error: Mapping[str, Any]) -> str | None:
    kind, info = error.get("type"), error.get("extra_info")
    extra = info if isinstance(info, Mapping) else {}
    details = str(error.get("details") or "")
    found = _NODE.search(details)
    node_id = extra.get("node_id") or (found[1] if found else None)
    if kind == "missing_node_type" and extra.get("class_type"):
        return f"{_where(extra['class_type'], node_id)}: the server has no such node; install the package it is in"
    if kind == "prompt_no_outputs":
        return "the graph has no output node, such as SaveImage"
    if kind == "no_prompt":
        return "the request held no graph"
    said = ". ".join(_parts(str(error.get("message") or ""), details, node_id))
    return _line(said, MAX_SENTENCE) or (_line(kind, MAX_VALUE) if kind else None)


def _parts(message: str, details: str, node_id: Any) -> Iterator[str]:
    """What the server says, with its `Node ID '#3'` as `node 3`, and nothing twice."""
    said = message.strip().rstrip(".")
    if said:
        yield f"{said} (node {_line(node_id, MAX_VALUE)})" if node_id else said
    if details and details != message and not _NODE.fullmatch(details):
        yield details


def _value(extra: Mapping[str, Any]) -> str:
    value = extra.get("received_value")
    return _line(repr(value) if isinstance(value, str) else value, MAX_VALUE)


def _line(value: Any, most: int) -> str:
    """Anything on one line of at most so many characters."""
    text = " ".join(str(value)[: most * 4].split())
    return text if len(text) <= most else f"{text[: most - 3]}..."

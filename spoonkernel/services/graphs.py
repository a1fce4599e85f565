"""From a stored workflow and what somebody asks of it to the graph that is submitted, and to what is recorded of it.

The values lie over each other: the graph's own, the workflow's defaults, the session's last ones, the request's. Only a
seed is never taken over from the graph or the session: without one, each run draws its own. What is recorded is read
back from the finished graph, so the row says what ran.
"""

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from pydantic.alias_generators import to_snake

from spoonkernel.comfy.filenames import with_filenames
from spoonkernel.comfy.graph import Input, inputs, is_ui_workflow, title
from spoonkernel.comfy.limits import as_number
from spoonkernel.comfy.object_info import SEED_MAX, ObjectInfo
from spoonkernel.comfy.parameters import plan, values_of
from spoonkernel.comfy.roles import roles_of
from spoonkernel.comfy.seeds import SeedMap
from spoonkernel.comfy.wiring import Wiring, edited
from spoonkernel.errors import ValidationFailed
from spoonkernel.services.templates import Template, replaced

COLUMNS = (
    "width",
    "height",
    "steps",
    "cfg_scale",
    "seed",
    "sampler_name",
    "scheduler",
    "batch_size",
    "checkpoint_name",
)
PROMPTS = ("prompt_text", "negative_prompt")
LONGEST_NAME, LARGEST_INTEGER = 255, 2**31 - 1  # of the columns
_NAMED = frozenset({"sampler_name", "scheduler", "checkpoint_name"})


@dataclass(frozen=True, slots=True)
class Prepared:
    """A graph ready to be submitted, and what its row will say."""

    graph: dict[str, Any]
    running: frozenset[str]
    """The nodes that will run."""
    titles: Mapping[str, str]
    values: dict[str, Any]
    """Columns of the row that are read from the graph."""
    parameters: dict[str, Any]
    seeds: dict[str, int]
    """Every seed by `node.input`."""
    drawn: tuple[str, ...]
    """Those among them that were drawn here."""
    ui_workflow: dict[str, Any] | None = None
    warnings: tuple[str, ...] = field(default=())


UNHEARD = "The prompt was left out: the workflow shows none"


def graph_hash(graph: Mapping[str, Any]) -> str:
    """SHA-256 of the graph with its keys in order and without what ComfyUI ignores (`_meta`)."""
    bare = {key: {name: node[name] for name in ("class_type", "inputs") if name in node} for key, node in graph.items()}
    return hashlib.sha256(json.dumps(bare, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def prepare(
    template: Template,
    *layers: Mapping[str, Any],
    prompt_text: str | None,
    negative_prompt: str | None,
    needs_prompt: bool = True,
    now: datetime | None = None,
) -> Prepared:
    """Fill a workflow.

    Args:
        layers: parameters, the later ones over the earlier ones: the names of the reference, or `"node.input"`.
        prompt_text: None and "" leave the workflow's own text.
        negative_prompt: None leaves the workflow's own text.
        needs_prompt: whether a prompt that the workflow does not show is an error; else it is left out with a warning.
        now: the time that names of files tell (`%date:yyyy-MM-dd%`); None is this moment, in local time.

    Raises:
        ValidationFailed: naming the field, the node or the class that does not fit.
    """
    roles = roles_of(template.wiring)
    is_unheard = bool(prompt_text) and not needs_prompt and not roles.prompts.write_positive
    prompts: dict[str, Any] = {"prompt_text": prompt_text} if prompt_text and not is_unheard else {}
    prompts |= {} if negative_prompt is None else {"negative_prompt": negative_prompt}
    filled = _filled(template.wiring, _passes(layers, prompts), roles.seeds)
    filled.graph = with_filenames(filled.graph, now or datetime.now().astimezone())
    _check_classes(filled.graph, template.wiring.info)
    ignored = [f"{name} was left out: the workflow has no such value" for name in dict.fromkeys(filled.ignored)]
    return _recorded(
        filled.graph,
        template.wiring.info,
        workflow_json=template.workflow_json,
        exact={key: _value(filled.graph, where) for where, key in filled.owners.items() if "." in key},
        drawn=tuple(
            f"{one.node_id}.{one.field}" for one, seed in filled.drawn.items() if _value(filled.graph, one) == seed
        ),
        warnings=(
            *([UNHEARD] if is_unheard else []),
            *replaced(template, filled.graph),
            *ignored,
            *filled.warnings,
            *roles.seeds.warnings,
        ),
    )


def again(graph: Mapping[str, Any], object_info: ObjectInfo, *, parameters: Mapping[str, Any]) -> Prepared:
    """A recorded graph as it is, ready to be submitted once more."""
    return _recorded(
        {key: dict(node) for key, node in graph.items()},
        object_info,
        workflow_json={},
        exact={name: value for name, value in parameters.items() if "." in name},
        drawn=(),
        warnings=(),
    )


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters laid over each other, the last on top, their names spelled as the reference prints them."""
    values: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            if value is not None:
                values[name if "." in name else _NAMES.get(to_snake(name), to_snake(name))] = value
    return values


_NAMES = {"cfg": "cfg_scale", "sampler": "sampler_name", "checkpoint": "checkpoint_name", "prompt": "prompt_text"}


@dataclass(slots=True)
class _Filled:
    """A graph with every layer of values in it. `owners`: which key each input was written by, last."""

    graph: dict[str, Any]
    owners: dict[Input, str] = field(default_factory=dict)
    drawn: dict[Input, int] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def _passes(layers: Sequence[Mapping[str, Any]], prompts: dict[str, Any]) -> list[dict[str, Any]]:
    """What is written, one after the other. Within one pass an exact address wins over a name, wherever it came from;
    so layers stay apart where a lower one holds addresses. A seed that nobody gave lies below everything."""
    named = [merged(layer) for layer in layers]
    drawn = {} if any("seed" in layer for layer in named) else {"seed": -1}
    if not any("." in name for layer in named[:-1] for name in layer):
        return [drawn | merged(*named) | prompts]
    for lower, upper in pairwise(named):
        if "seed" not in upper:  # which is laid over what the lower one leaves
            for name in [name for name in lower if "." in name and name in upper]:
                del lower[name]
    return [drawn | named[0], *named[1:-1], named[-1] | prompts]


def _filled(template: Wiring, passes: list[dict[str, Any]], seeds: SeedMap) -> _Filled:
    filled = _Filled(edited(template.graph, {}))
    wiring: Wiring | None = template
    are_drawn = all(one.value is None or one.value >= 0 for one in seeds.settable)
    draw = random.SystemRandom().randint
    apart = len({one.value for one in seeds.settable}) > 1
    for values in passes:
        if values.get("seed") == -1 and not seeds.settable:
            del values["seed"]  # a workflow without one needs no random one
        if not values and are_drawn:
            continue
        wiring = wiring or Wiring(filled.graph, template.info)
        done = plan(wiring, values, seed_mode="offset" if apart else "same", draw=draw)
        filled.graph, wiring = done.graph, None
        filled.owners |= {where: key for key, written in done.written.items() for where in written}
        filled.drawn |= done.drawn
        filled.ignored += done.ignored
        filled.warnings += done.warnings
    return filled


def _value(graph: Mapping[str, Any], where: Input) -> Any:
    return inputs(graph[where.node_id]).get(where.field)


def _recorded(
    graph: dict[str, Any],
    object_info: ObjectInfo,
    *,
    workflow_json: Mapping[str, Any],
    exact: Mapping[str, Any],
    drawn: tuple[str, ...],
    warnings: tuple[str, ...],
) -> Prepared:
    wiring = Wiring(graph, object_info)
    ran = values_of(wiring)
    columns = {name: _column(name, ran.get(name)) for name in COLUMNS}
    parameters = {name: value for name, value in columns.items() if value is not None} | {
        name: value for name, value in ran.items() if name == "denoise" and value is not None
    }
    return Prepared(
        graph=graph,
        running=frozenset(wiring.running),
        titles={key: title(node) for key, node in graph.items()},
        values=columns
        | {
            "prompt_text": ran.get("prompt_text") or "",
            "negative_prompt": ran.get("negative_prompt"),
            "loras_used": ran.get("loras") or [],
        },
        parameters=parameters | dict(exact),
        seeds={
            f"{one.origin.node_id}.{one.origin.field}": one.value
            for one in roles_of(wiring).seeds.groups
            if one.value is not None
        },
        drawn=drawn,
        ui_workflow=dict(workflow_json) if is_ui_workflow(workflow_json) else None,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _column(name: str, value: Any) -> Any:
    """A value as its column holds it; None for what does not belong there, which ComfyUI will refuse by name."""
    if name in _NAMED:
        return value if isinstance(value, str) and len(value) <= LONGEST_NAME and "\0" not in value else None
    number = as_number(value)
    if number is None or name == "cfg_scale":
        return number
    largest = SEED_MAX if name == "seed" else LARGEST_INTEGER
    return int(number) if number == int(number) and 0 <= number <= largest else None


def _check_classes(graph: Mapping[str, Any], object_info: ObjectInfo) -> None:
    """Name what the server lacks before it says so less clearly. Nothing is known while no server has answered."""
    if not len(object_info):
        return
    for node_id, node in graph.items():
        if node["class_type"] not in object_info:
            raise ValidationFailed(
                f"{title(node)} (node {node_id}): this ComfyUI has no node class {node['class_type']}; "
                "install the custom node that brings it, or use another workflow"
            )

"""Values written into a graph, by parameter name or by address, each where its link starts and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spoonkernel.comfy.graph import Input
from spoonkernel.comfy.limits import fitting
from spoonkernel.comfy.object_info import ObjectInfo
from spoonkernel.comfy.roles import ALIASES, Roles, roles_of
from spoonkernel.comfy.samplers import plain, samplers
from spoonkernel.comfy.seeds import DRAWN_MAX, Draw, Mode, SeedGroup, as_seed, checked, planned, resolve
from spoonkernel.comfy.wiring import Wiring, edited
from spoonkernel.errors import ValidationFailed


@dataclass(frozen=True, slots=True)
class Filling:
    """A filled graph and what was done to it.

    `written` holds, for each given key, the inputs that got its value; `ignored` the keys for which the graph has no
    place; `drawn` the seeds that were drawn because a negative one stood there.
    """

    graph: dict[str, Any]
    written: dict[str, tuple[Input, ...]] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    drawn: dict[Input, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def fill(
    graph: Mapping[str, Any],
    values: Mapping[str, Any],
    object_info: Mapping[str, Any] | ObjectInfo | None,
    *,
    draw: Draw | None = None,
) -> dict[str, Any]:
    """A new graph that differs from the given one only in the inputs that `values` name; see `plan`."""
    return plan(graph, values, object_info, draw=draw).graph


def plan(
    graph: Mapping[str, Any] | Wiring,
    values: Mapping[str, Any],
    object_info: Mapping[str, Any] | ObjectInfo | None = None,
    *,
    seed_mode: Mode | None = None,
    draw: Draw | None = None,
) -> Filling:
    """What `fill` writes, and what it leaves.

    Args:
        graph: in API format or as the page saves it; or one that has been read already.
        values: by parameter name (`prompt` or `prompt_text`, `negative_prompt`, `seed`, `steps`, `cfg_scale` or `cfg`,
            `width`, ...; see `Roles`) or by address (`"3.steps"`, `"65:3.text"`). An address wins over a name. None is
            a value that was not given. Numbers may come as strings of digits.
        object_info: the raw answer of `/object_info`, an `ObjectInfo`, or None; not used with a `Wiring`.
        seed_mode: how a seed spreads over several groups (`seeds.set_seeds`). Without it: `same`, or `offset` where the
            groups have different values in the given graph.
        draw: draws seeds of -1, both in `values` and those that the graph still holds. Without it, the graph's own
            are left (`seeds.resolve_random` draws them) and one in `values` is refused.

    Raises:
        ValidationFailed: a value does not fit; a prompt, or an address, that the graph has no place for.
    """
    wiring = graph if isinstance(graph, Wiring) else Wiring(graph, object_info)
    writing = _Writing(wiring, roles_of(wiring), draw, seed_mode)
    given = {key: value for key, value in values.items() if value is not None}
    for key, value in given.items():
        if "." not in key:
            writing.role(key, value)
    for key, value in given.items():
        if "." in key:
            writing.address(key, value)
    return writing.done()


class _Writing:
    """The edits of one filling, gathered before any is made."""

    def __init__(self, wiring: Wiring, roles: Roles, draw: Draw | None, seed_mode: Mode | None) -> None:
        self._wiring, self._roles, self._draw = wiring, roles, draw
        values = {one.value for one in roles.seeds.settable}
        self._seed_mode: Mode = seed_mode or ("offset" if len(values) > 1 else "same")
        self._seeds = {one.origin: one for one in roles.seeds.settable}
        self._edits: dict[Input, Any] = {}
        self._written: dict[str, tuple[Input, ...]] = {}
        self._ignored: list[str] = []
        self._drawn: dict[Input, int] = {}

    def role(self, key: str, value: Any) -> None:
        """One value by the name of its parameter."""
        role = ALIASES.get(key, key)
        targets = self._roles.inputs.get(role, ())
        if not targets:
            if role in {"prompt", "negative_prompt"} and str(value).strip():
                raise ValidationFailed(_no_prompt(key, role, self._roles))
            self._ignored.append(key)
        elif role == "seed":
            self._seed(key, value)
        else:
            self._put(key, {where: fitting(self._wiring, where, value) for where in targets})

    def address(self, key: str, value: Any) -> None:
        """One value by node and field; where that is a link, it goes to where the link starts."""
        where = self._located(key)
        origin = self._wiring.origin(where)
        if origin is None:
            raise ValidationFailed(f"{self._wiring.name(where)}: it is computed by another node and cannot be set")
        group = self._seeds.get(origin)
        self._put(key, {origin: fitting(self._wiring, origin, value) if group is None else self._one(group, value)})

    def done(self) -> Filling:
        """The graph with every edit made."""
        if self._draw is not None:
            for origin, group in self._seeds.items():
                if origin not in self._edits and group.value is not None and group.value < 0:
                    self._edits[origin] = self._one(group, group.value)
        return Filling(
            edited(self._wiring.graph, self._edits),
            self._written,
            tuple(self._ignored),
            self._drawn,
            tuple(self._stages()),
        )

    def _put(self, key: str, edits: Mapping[Input, Any]) -> None:
        for other, found in self._written.items():
            self._written[other] = tuple(one for one in found if one not in edits)
        self._edits |= edits
        self._written[key] = tuple(edits)

    def _seed(self, key: str, value: Any) -> None:
        number = as_seed(value)
        if number < 0 and self._draw is not None:
            number = resolve(number, self._roles.seeds.maximum, self._draw)
            edits = planned(self._roles.seeds, number, self._seed_mode)
            self._drawn |= edits
        else:
            edits = planned(self._roles.seeds, number, self._seed_mode)
        self._put(key, edits)

    def _one(self, group: SeedGroup, value: Any) -> int:
        number = as_seed(value)
        if number < 0:
            if self._draw is None:
                raise ValidationFailed(f"{group.name}: {number} means a random seed; draw one before it is set")
            number = self._draw(group.minimum, max(group.minimum, min(DRAWN_MAX, group.maximum)))
            self._drawn[group.origin] = number
        return checked(group, number)

    def _located(self, key: str) -> Input:
        """The input that an address names. Node ids hold no dot as a rule, fields sometimes do."""
        cuts = [number for number, letter in enumerate(key) if letter == "."]
        for cut in cuts:
            node_id, name = key[:cut], key[cut + 1 :]
            if node_id not in self._wiring.graph:
                continue
            where = Input(node_id, name)
            standing = [one.field for one, _ in self._wiring.inputs(node_id)]
            spec = self._wiring.input_spec(where)
            if name in standing or (spec is not None and spec.is_widget):
                return where
            raise ValidationFailed(
                f"{key}: node {node_id} ({self._wiring.graph[node_id]['class_type']}) has no input {name!r}; "
                f"it has {', '.join(standing) or 'none'}"
            )
        raise ValidationFailed(f"{key}: the workflow has no node {key[: cuts[0]]!r}")

    def _stages(self) -> list[str]:
        """Samplers of later stages that a new number of steps leaves with nothing to do."""
        notes = []
        for node_id in samplers(self._wiring):
            steps_at, start = (
                self._wiring.origin(Input(node_id, "steps")),
                plain(self._wiring, node_id, "start_at_step"),
            )
            steps = self._edits.get(steps_at) if steps_at else None
            if isinstance(steps, int) and isinstance(start, int) and start > 0 and steps <= start:
                where = Input(node_id, "start_at_step")
                notes.append(f"{self._wiring.name(where)}: it starts at step {start} of {steps} and so does nothing")
        return notes


def _no_prompt(key: str, role: str, roles: Roles) -> str:
    if role == "prompt":
        return (
            f"{key}: no text input of this workflow reaches a sampler as its prompt; set a field by its address instead"
        )
    if roles.prompts.shared:
        return f"{key}: this workflow's negative input hears the same text as the positive one; leave it empty"
    return f"{key}: no text input of this workflow reaches a sampler as its negative prompt; leave it empty"

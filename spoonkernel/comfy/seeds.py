"""Every seed of a graph: found, grouped by where it is set, and set without cutting a link.

An input is a seed when the server says that the page changes it after each run (`control_after_generate`), else by its
name and type. `-1` ("random" to some custom nodes) is only understood by the page; a graph that we send never holds it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from spoonkernel.comfy.graph import Graph, Input, as_link
from spoonkernel.comfy.object_info import SEED_MAX, ObjectInfo
from spoonkernel.comfy.samplers import plain, primary, schedule
from spoonkernel.comfy.wiring import SEED_NAMES, Wiring, api_graph, edited
from spoonkernel.errors import ValidationFailed

DRAWN_MAX = 2**32 - 1
"""Drawn seeds stay below this: it fits A1111, InvokeAI and nearly every API node."""

Mode = Literal["same", "offset", "primary", "keep"]
Draw = Callable[[int, int], int]
"""Draws a number between two bounds, both included: `random.SystemRandom().randint`."""

COUNTERS = re.compile(r"(^|_)(index|idx|frame|step|steps|batch|page|line|row|count)(_|$)", re.IGNORECASE)
"""The page may also count these up after a run; they are no seeds."""

GLOBAL_SEEDS = {"GlobalSeed //Inspire": "value", "easy globalSeed": "value"}
"""Nodes that overwrite other nodes' seeds when a prompt is queued, and the input that holds their own."""

PAGE_SEEDS = ("rgthree", "Seed Everywhere", "mxSeed")
"""Seed nodes that draw in the page: what the server gets is only the last number drawn there."""


@dataclass(frozen=True, slots=True)
class SeedGroup:
    """One seed: the input it is set in and all the inputs that get it.

    `minimum` and `maximum` are what the origin and every consumer accept together (0 to 2^64-1 where nothing is said).
    `settable` is False where the value is computed by another node; then `origin` is the first consumer.
    """

    origin: Input
    value: int | None
    consumers: tuple[Input, ...]
    minimum: int = 0
    maximum: int = SEED_MAX
    is_primary: bool = False
    settable: bool = True
    warnings: tuple[str, ...] = ()
    name: str = ""
    """Node title, id and field, for people."""


@dataclass(frozen=True, slots=True)
class SeedMap:
    """The seeds of one graph, in the graph's order."""

    groups: tuple[SeedGroup, ...] = ()

    @property
    def settable(self) -> tuple[SeedGroup, ...]:
        """The groups whose seed can be set."""
        return tuple(one for one in self.groups if one.settable)

    @property
    def primary(self) -> SeedGroup | None:
        """The group that decides the picture."""
        return next((one for one in self.groups if one.is_primary), None)

    @property
    def maximum(self) -> int:
        """The largest seed that every group accepts: the bound to draw one below."""
        return min((one.maximum for one in self.settable), default=SEED_MAX)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know about these seeds, each thing once."""
        return tuple(dict.fromkeys(text for one in self.groups for text in one.warnings))


def seed_map(graph: Mapping[str, Any], object_info: Mapping[str, Any] | ObjectInfo | None) -> SeedMap:
    """The seeds of the nodes that run."""
    return seeds_of(Wiring(graph, object_info))


def seeds_of(wiring: Wiring) -> SeedMap:
    """The seeds of a graph that has been read already."""
    paths: dict[Any, list[tuple[Input, ...]]] = {}
    for where in [one for node_id in wiring.running for one, _ in wiring.inputs(node_id) if _is_seed(wiring, one)]:
        path = wiring.path(where)
        paths.setdefault(path[-1] if path else wiring.link(where), []).append(path or (where,))
    groups = [_group(wiring, key, found) for key, found in paths.items()]
    chosen = _primary(wiring, groups)
    return SeedMap(tuple(replace(one, is_primary=one is chosen) for one in groups))


def resolve(seed: int | str | None, maximum: int, draw: Draw) -> int:
    """The seed to use: the given one, or for None and every negative one a drawn one.

    Drawn seeds lie between 0 and the smaller of 2^32-1 and `maximum`; a given one is checked where it is set.
    """
    number = None if seed is None else as_seed(seed)
    return draw(0, min(DRAWN_MAX, maximum)) if number is None or number < 0 else number


def as_seed(value: Any) -> int:
    """A seed as a number; JSON clients send large ones as strings of digits.

    Raises:
        ValidationFailed: it is not a whole number.
    """
    number = _number(value)
    if number is None:
        raise ValidationFailed(f"seed: {value!r} is not a whole number; give 0 to {SEED_MAX}, or -1 to have one drawn")
    return number


def set_seeds(
    graph: Mapping[str, Any], found: SeedMap, seed: int | str, mode: Mode = "same", object_info: Any = None
) -> Graph:
    """A new graph with this seed; only origins of groups change.

    Args:
        graph: what `found` was read from.
        found: its seeds.
        seed: at least 0; draw one with `resolve` first where it may be -1.
        mode: `same` sets it everywhere. `offset` gives it to the primary group; the others get seed+1, seed+2, ... in
            the order in which their values differ (equal values stay equal), wrapped into their own range. `primary`
            sets only the primary group. `keep` changes nothing. In the last two a negative seed that the template
            still holds gets the value that `offset` would give it.
        object_info: what `found` was read with; only needed for a graph as the page saves it.

    Raises:
        ValidationFailed: the seed lies outside what a node takes; names node, field and range.
    """
    return edited(api_graph(graph, object_info), planned(found, seed, mode))


def planned(found: SeedMap, seed: int | str, mode: Mode) -> dict[Input, int]:
    """What `set_seeds` would write, by origin."""
    number = as_seed(seed)
    if number < 0:
        raise ValidationFailed(f"seed: {number} means a random seed; draw one before it is set")
    first = found.primary
    steps: dict[int | None, int] = {first.value if first else None: 0}
    values: dict[Input, int] = {}
    for group in found.settable:
        distance = steps.setdefault(group.value, len(steps))
        if mode == "same" or (group.is_primary and mode in {"offset", "primary"}):
            values[group.origin] = checked(group, number)
        elif mode == "offset" or (group.value is not None and group.value < 0):
            values[group.origin] = _wrapped(group, number + distance)
    return values


def resolve_random(
    graph: Mapping[str, Any], found: SeedMap, draw: Draw, object_info: Any = None
) -> tuple[Graph, dict[Input, int]]:
    """A new graph in which every negative seed is drawn, and what was drawn; seeds of 0 and more stay."""
    drawn = {
        group.origin: draw(group.minimum, max(group.minimum, min(DRAWN_MAX, group.maximum)))
        for group in found.settable
        if group.value is not None and group.value < 0
    }
    return edited(api_graph(graph, object_info), drawn), drawn


def checked(group: SeedGroup, seed: int) -> int:
    """The seed if the group takes it.

    Raises:
        ValidationFailed: it lies outside the group's range.
    """
    if not group.minimum <= seed <= group.maximum:
        raise ValidationFailed(f"{group.name}: {seed} is outside {group.minimum} to {group.maximum}")
    return seed


def _wrapped(group: SeedGroup, seed: int) -> int:
    return group.minimum + (seed - group.minimum) % (group.maximum - group.minimum + 1)


def _number(value: Any) -> int | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        return int(value) if re.fullmatch(r"\s*-?\d{1,20}\s*", value, re.ASCII) else None
    return value if isinstance(value, int) else None


def _is_seed(wiring: Wiring, where: Input) -> bool:
    if GLOBAL_SEEDS.get(wiring.graph[where.node_id]["class_type"]) == where.field:
        return wiring.link(where) is None
    spec = wiring.input_spec(where)
    if spec is not None:
        named = SEED_NAMES.search(where.field) or (spec.draws_seeds and not COUNTERS.search(where.field))
        if spec.type != "INT" or not named:
            return False
    elif not SEED_NAMES.search(where.field) or wiring.type_of(where) not in {"INT", "NUMBER", "*", "STRING"}:
        return False
    if as_link(wiring.value(where)) is None and _number(wiring.value(where)) is None:
        return False
    return not _hands_on(wiring, where)


def _hands_on(wiring: Wiring, where: Input) -> bool:
    """Whether a node only passes the value to others: it counts where it arrives, not here."""
    links = [link for one in wiring.fed_by(where.node_id) if (link := wiring.link(one)) is not None]
    return any(link.node_id == where.node_id and wiring.carrying(link) == where for link in links)


def _group(wiring: Wiring, key: Any, paths: list[tuple[Input, ...]]) -> SeedGroup:
    consumers = tuple(path[0] for path in paths)
    settable = isinstance(key, Input)
    origin = key if isinstance(key, Input) else consumers[0]
    low, high = 0, SEED_MAX
    for where in {one for path in paths for one in path}:
        spec = wiring.input_spec(where)
        low = max(low, _bound(spec.options.get("min") if spec else None, low))
        high = min(high, _bound(spec.options.get("max") if spec else None, high))
    warnings = [text for one in dict.fromkeys((*consumers, origin)) for text in _warnings(wiring, one)]
    if not settable:
        warnings.insert(0, f"{wiring.name(origin)}: the seed is computed by another node and is left as it is")
    elif low > high:
        settable = False
        warnings.insert(0, f"{wiring.name(origin)}: the nodes that share this seed accept no common value")
    value = _number(wiring.value(origin)) if settable else None
    return SeedGroup(
        origin, value, consumers, low, high, False, settable, tuple(dict.fromkeys(warnings)), wiring.name(origin)
    )


def _bound(said: Any, otherwise: int) -> int:
    return int(said) if isinstance(said, int | float) and not isinstance(said, bool) else otherwise


def _warnings(wiring: Wiring, where: Input) -> list[str]:
    name, kind = wiring.name(where), wiring.graph[where.node_id]["class_type"]
    spec = wiring.input_spec(where)
    said = str(spec.options.get("tooltip") or "").lower() if spec else ""
    add_noise = plain(wiring, where.node_id, "add_noise")
    number = _number(wiring.value(where))
    other = next((one for one in wiring.running if wiring.graph[one]["class_type"] in GLOBAL_SEEDS), None)
    facts = (
        (add_noise in ("disable", False), "add_noise is off: the seed only matters for samplers that add noise later"),
        (number is not None and number < 0, f"{number} is drawn by the page only; a seed is drawn before it is sent"),
        (any(one in kind for one in PAGE_SEEDS), "the page draws this node's seed; here it is set before it is sent"),
        ("nondeterministic" in said, "results differ from run to run whatever the seed"),
        ("0 for random" in said, "0 means a random seed to this service"),
        (other not in {None, where.node_id}, f"node {other} sets the seeds of other nodes when a prompt is queued"),
        (other == where.node_id, "sets the seeds of other nodes when a prompt is queued"),
    )
    return [f"{name}: {text}" for holds, text in facts if holds]


def _primary(wiring: Wiring, groups: list[SeedGroup]) -> SeedGroup | None:
    sampler = primary(wiring)
    able = [one for one in groups if one.settable]
    near = schedule(wiring, sampler) if sampler else []
    for node_id in near:
        for group in able:
            if any(one.node_id == node_id for one in group.consumers):
                return group
    return able[0] if able else None

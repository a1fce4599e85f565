"""Which text inputs a sampler hears as its prompt, and which as its negative prompt.

The walk goes back from each sampler through everything that carries a prompt (guiders, guidance, ControlNet, combine
nodes, pipes), keeping the side it came from: an output called `negative`, or the second of a pair, goes on through the
input of that side. Conditioning that is zeroed out shows no text, so the walk ends there.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from spoonkernel.comfy.graph import Input, Link, as_link, title
from spoonkernel.comfy.object_info import ObjectInfo
from spoonkernel.comfy.samplers import PROMPT_FIELDS, is_bundle, samplers
from spoonkernel.comfy.wiring import Wiring

Side = Literal["positive", "negative"]

NEGATIVE = re.compile(r"(^|_|\b)(neg\w*|uncond\w*)|(?<=\w)-$", re.IGNORECASE)
POSITIVE = re.compile(r"(^|_|\b)pos\w*|(?<=\w)\+$", re.IGNORECASE)
"""Sides by name: `negative`, `negative_NEW`, `text_negative`, `uncond`, `CONDITIONING-`."""

MIDDLE_CONDITION = re.compile(r"^cond_?2$", re.IGNORECASE)
"""`DualCFGGuider.cond2` holds the negative text together with the reference image."""

UNHEARD = re.compile(r"^empty", re.IGNORECASE)
"""Inputs whose text must stay empty (`PerpNegGuider.empty_conditioning`)."""

SILENT_CLASSES = re.compile(r"ZeroOut|Zero Out|EmptyConditioning", re.IGNORECASE)
"""Nodes that keep the shape of conditioning and drop what it says."""

ENCODED_FIELDS = re.compile(
    r"^(clip_?[lgh]|t5\w*|mt5\w*|bert|llama|qwen\w*|caption|string|instruction)$|(^|_)(positive|negative|pos|neg)(_|$)",
    re.IGNORECASE,
)
"""Further names of prompt text in text encoders, one for each language model."""

NO_PROSE = re.compile(
    r"delim|separator|find|replace|regex|pattern|mode|format|path|file|name|model|key|suffix_of|exclude|tracks",
    re.IGNORECASE,
)
"""Text inputs of text nodes that steer them and are not part of the text."""

OTHER_TEXT = re.compile(r"lyric|system|style|background|speaker", re.IGNORECASE)
"""Text that is heard, yet is not where a prompt is written."""

CAPTION_SOURCES = frozenset({"IMAGE", "VIDEO", "AUDIO", "MASK"})


class _Leaf(NamedTuple):
    """A text input found by the walk. `main`: a prompt may be written there and reads as meant."""

    where: Input
    side: Side
    main: bool


@dataclass(frozen=True, slots=True)
class SamplerPrompts:
    """The text inputs that one sampler (or API node) hears, in the order in which they are heard."""

    node_id: str
    positive: tuple[Input, ...] = ()
    negative: tuple[Input, ...] = ()


@dataclass(frozen=True, slots=True)
class PromptRoles:
    """The prompts of a graph. Every input named here is where the text really stands, behind all links.

    `positive` and `negative` hold what any sampler hears on that side; `shared` is in both. `write_positive` and
    `write_negative` are where a prompt is to be written: the whole prompt into each of them. Not among them: lyrics and
    system prompts beside a prompt, the other parts of joined text, and text that the other side hears too (unless a
    sampler has no other prompt: then it is written as the positive one, never as the negative).
    """

    samplers: tuple[SamplerPrompts, ...] = ()
    positive: tuple[Input, ...] = ()
    negative: tuple[Input, ...] = ()
    shared: tuple[Input, ...] = ()
    write_positive: tuple[Input, ...] = ()
    write_negative: tuple[Input, ...] = ()


def prompt_roles(graph: Mapping[str, Any], object_info: Mapping[str, Any] | ObjectInfo | None) -> PromptRoles:
    """Where the prompts of a graph stand."""
    return prompts_of(Wiring(graph, object_info))


def prompts_of(wiring: Wiring) -> PromptRoles:
    """The prompts of a graph that has been read already."""
    walk = _Walk(wiring)
    heard = {node_id: list(dict.fromkeys(walk.sampler(node_id))) for node_id in samplers(wiring)}
    every = [leaf for leaves in heard.values() for leaf in leaves]
    positive, negative = _side(every, "positive"), _side(every, "negative")
    shared = tuple(one for one in positive if one in set(negative))
    write: list[Input] = []
    for leaves in heard.values():
        mains = [leaf.where for leaf in leaves if leaf.side == "positive" and leaf.main]
        write.extend([one for one in mains if one not in shared] or mains)
    return PromptRoles(
        tuple(SamplerPrompts(one, _side(found, "positive"), _side(found, "negative")) for one, found in heard.items()),
        positive,
        negative,
        shared,
        tuple(dict.fromkeys(write)),
        tuple(one for one in _side([leaf for leaf in every if leaf.main], "negative") if one not in shared),
    )


def _side(leaves: list[_Leaf], side: Side) -> tuple[Input, ...]:
    return tuple(dict.fromkeys(leaf.where for leaf in leaves if leaf.side == side))


def side_of(name: str) -> Side | None:
    """The side that a name speaks of, if any."""
    if NEGATIVE.search(name):
        return "negative"
    return "positive" if POSITIVE.search(name) else None


class _Walk:
    """Back from a sampler to text. Every step takes the side wanted so far; None takes both, as a pipe holds them."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def sampler(self, node_id: str) -> Iterator[_Leaf]:
        """What one sampler hears."""
        for where, _ in self._wiring.inputs(node_id):
            kind = self._wiring.type_of(where)
            if self._is_conditioning(where, kind):
                yield from self._into(where, kind, None, frozenset())
        if not any(is_bundle(self._wiring.type_of(where)) for where, _ in self._wiring.inputs(node_id)):
            for where in self._texts(node_id, passes_on=True):
                yield from self._text(where, side_of(where.field) or "positive", frozenset())

    def _into(self, where: Input, kind: str, wanted: Side | None, seen: frozenset[Link]) -> Iterator[_Leaf]:
        """Through one conditioning input of a node that ends the way of conditioning (a sampler or a guider)."""
        if UNHEARD.match(where.field):
            return
        side = side_of(where.field) or ("negative" if MIDDLE_CONDITION.match(where.field) else None)
        if side is None and kind == "CONDITIONING":
            side = "positive"
        link = self._wiring.link(where)
        if link is not None and not (wanted and side and wanted != side):
            yield from self._link(link, wanted or side, seen)

    def _link(self, link: Link, wanted: Side | None, seen: frozenset[Link]) -> Iterator[_Leaf]:
        node = self._wiring.graph[link.node_id]
        if link in seen or SILENT_CLASSES.search(node["class_type"]):
            return
        seen |= {link}
        if self._wiring.type_out(link) == "GUIDER":
            for where, _ in self._wiring.inputs(link.node_id):
                kind = self._wiring.type_of(where)
                if self._is_conditioning(where, kind):
                    yield from self._into(where, kind, wanted, seen)
            return
        bundles = [w for w, _ in self._wiring.inputs(link.node_id) if self._is_conditioning(w, self._wiring.type_of(w))]
        texts = self._texts(link.node_id, passes_on=bool(bundles))
        out = self._out_side(link)
        for where in self._matching(bundles, out, wanted):
            if (onward := self._wiring.link(where)) is not None:
                side = side_of(where.field)
                yield from self._link(onward, wanted or side, seen)
        for where in self._matching(texts, out, wanted):
            found = self._text(where, wanted or side_of(where.field) or "positive", seen)
            yield from (leaf._replace(main=leaf.main and not bundles) for leaf in found)

    def _is_conditioning(self, where: Input, kind: str) -> bool:
        return is_bundle(kind) or (kind == "*" and self._wiring.link(where) is not None and self._is_reroute(where))

    def _is_reroute(self, where: Input) -> bool:
        """Whether an input without a type is all that its node has: it then hands on whatever comes."""
        return sum(1 for _ in self._wiring.inputs(where.node_id)) == 1

    def _out_side(self, link: Link) -> Side | None:
        """The side of an output: by its name, else by its place where a node has several of the same type."""
        outputs = self._wiring.outputs(link.node_id)
        if not 0 <= link.slot < len(outputs):
            return None
        kind, name = outputs[link.slot]
        twins = [slot for slot, (one, _) in enumerate(outputs) if one == kind]
        if len(twins) == 1 and name.upper() == kind.upper():
            return None
        if side := side_of(name):
            return side
        if len(twins) < 2 or (name and any(side_of(other) for _, other in outputs)):
            return None
        return "positive" if link.slot == twins[0] else "negative" if link.slot == twins[1] else None

    @staticmethod
    def _matching(fields: list[Input], out: Side | None, wanted: Side | None) -> list[Input]:
        """The inputs of a node that an output speaks for. Without inputs of both sides, all of them."""
        sides = {side_of(one.field) for one in fields}
        side = out or wanted
        if side is None or not {"positive", "negative"} & sides:
            return fields
        if out is None and not {"positive", "negative"} <= sides:
            return fields
        return [one for one in fields if side_of(one.field) in {side, None}]

    def _texts(self, node_id: str, *, passes_on: bool) -> list[Input]:
        """The prompt texts of a node. One that also passes conditioning on counts only what is named as a prompt."""
        fields = [where for where, value in self._wiring.inputs(node_id) if self._is_text(where, value)]
        named = [one for one in fields if PROMPT_FIELDS.search(one.field) or ENCODED_FIELDS.search(one.field)]
        if named or passes_on:
            return named
        prose = [one for one in fields if (spec := self._wiring.input_spec(one)) and _is_prose(spec.options)]
        return prose or (fields if len(fields) == 1 else [])

    def _is_text(self, where: Input, value: Any) -> bool:
        spec = self._wiring.input_spec(where)
        if spec is not None:
            return spec.type == "STRING" and not NO_PROSE.search(where.field)
        if self._wiring.spec(where.node_id) is not None or NO_PROSE.search(where.field):
            return False
        link = as_link(value)
        return isinstance(value, str) if link is None else self._wiring.type_of(where) in {"STRING", "*"}

    def _text(self, where: Input, side: Side, seen: frozenset[Link]) -> list[_Leaf]:
        """The inputs in which the text of an input really stands."""
        main = not OTHER_TEXT.search(where.field)
        link = as_link(self._wiring.value(where))
        if link is None:
            return [_Leaf(where, side, main)]
        if link in seen or link.node_id not in self._wiring.graph:
            return []
        seen |= {link}
        if (carrying := self._wiring.carrying(link)) is not None:
            return [leaf._replace(main=leaf.main and main) for leaf in self._text(carrying, side, seen)]
        if any(self._wiring.type_of(one) in CAPTION_SOURCES for one, _ in self._wiring.inputs(link.node_id)):
            return []
        values = [one for one, value in self._wiring.inputs(link.node_id) if self._is_text(one, value)]
        parts = [self._text(one, side, seen) for one in self._matching(values, self._out_side(link), None)]
        return self._joined([one for one in parts if one], main)

    def _joined(self, parts: list[list[_Leaf]], main: bool) -> list[_Leaf]:
        """Parts of one text: the prompt is written to the one that reads most like the prompt, the first of equals."""
        best = max(parts, key=self._likeness, default=[])
        return [leaf._replace(main=leaf.main and main and part is best) for part in parts for leaf in part]

    def _likeness(self, part: list[_Leaf]) -> tuple[int, bool]:
        where = part[0].where
        called = title(self._wiring.graph[where.node_id]).lower()
        text = str(self._wiring.value(where) or "").lower()
        score = 2 if re.search(r"\b(prompt|positive|negative|subject)\b", called) else 0
        score -= 3 if re.search(r"system|style|prefix|suffix|trigger|quality|lyric", called) else 0
        score -= 4 if text.startswith(("you are ", "system:")) else 0
        return score, not re.search(
            r"concat|join|combine", self._wiring.graph[where.node_id]["class_type"], re.IGNORECASE
        )


def _is_prose(options: Mapping[str, Any]) -> bool:
    return bool(options.get("multiline") or options.get("dynamicPrompts"))

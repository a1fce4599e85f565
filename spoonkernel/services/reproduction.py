"""Running a generation again, and saying how the outcome compares and what changed meanwhile."""

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spoonkernel.comfy.graph import Link, as_link, inputs, links, reachable
from spoonkernel.comfy.object_info import ObjectInfo
from spoonkernel.errors import Conflict, ProviderConnectionError, ProviderRefused, SpoonError, ValidationFailed
from spoonkernel.media import MediaFolder
from spoonkernel.services.comfy_profiles import ComfyProfiles
from spoonkernel.services.differences import differences, unknown
from spoonkernel.services.graphs import Prepared, again
from spoonkernel.services.ingredients import STEP_NOISE
from spoonkernel.services.submissions import Submissions, Watches
from spoonkernel.store.generations import GenerationRepo, GenerationRow, as_generation
from spoonkernel.types.generations import (
    Generation,
    GenerationDiff,
    ImageComparison,
    Reproduction,
    Verdict,
)

RERUN_INPUT = "spoon_rerun"
"""An input that no node has. ComfyUI accepts it, hands it to nobody and counts it into the node's cache key."""

_ORDER: tuple[Verdict, ...] = ("IDENTICAL", "CLOSE", "DIFFERENT")


class Reproducer:
    def __init__(
        self,
        rows: GenerationRepo,
        servers: ComfyProfiles,
        runs: Submissions,
        watch: Watches,
        media: MediaFolder,
    ) -> None:
        self._rows, self._servers, self._runs = rows, servers, runs
        self._watch, self._media = watch, media

    async def reproduce(self, row: GenerationRow, timeout_s: float) -> Reproduction:
        if not _pictures(row):
            raise Conflict(f"Generation {row.id} made no picture to compare with")
        profile = await self._servers.get(row.profile_id)
        self._servers.doubt(profile)  # what has changed is the question
        info = await self._servers.object_info(profile)
        prepared = _as_recorded(row, info)
        made = await self._runs.store_and_submit(
            profile,
            prepared,
            {"session_id": row.session_id, "workflow_id": row.workflow_id, "reproduces": row.id},
            graph=past_cache(prepared.graph, info),
        )
        await self._watch.ended(made.id, timeout_s)
        new = await self._rows.get(made.id)
        if new.status == "failed":
            raise ProviderRefused(f"The new run {new.id} failed: {new.error}")
        if new.status != "complete":
            raise ProviderConnectionError(
                f"The new run {new.id} has not ended in {timeout_s:.0f} s; it goes on, compare with `diff` once it has"
            )
        found = await self.diff(row, new)
        return Reproduction(
            generation=as_generation(new), verdict=found.verdict or "DIFFERENT", summary=found.summary, diff=found
        )

    async def diff(self, one: GenerationRow, other: GenerationRow) -> GenerationDiff:
        changes = differences(one, other)
        first, second = _beside(one, other)
        images = [await self._compare(index, *pair) for index, pair in enumerate(zip(first, second, strict=False))]
        verdict: Verdict | None = None
        if images:
            verdict = _ORDER[max(_ORDER.index(image.verdict) for image in images)]
            if len(first) != len(second):
                verdict = "DIFFERENT"
        return GenerationDiff(
            generation_id=one.id,
            other_id=other.id,
            verdict=verdict,
            summary=_summary(verdict, images, (len(first), len(second)), [change.text for change in changes]),
            changes=changes,
            images=images,
            unknown=unknown(one, other),
        )

    async def remake(self, row: GenerationRow, index: int) -> Generation:
        size = row.batch_size or 1
        if not 0 <= index < size:
            raise ValidationFailed(f"index: generation {row.id} made a batch of {size}, so 0 to {size - 1}")
        profile = await self._servers.get(row.profile_id)
        info = await self._servers.object_info(profile)
        graph = one_of_batch(row.workflow_json, index, info)
        prepared = again(graph, info, parameters=row.parameters)
        notes = list(prepared.warnings)
        if STEP_NOISE.search(row.sampler_name or ""):
            notes.append(f"{row.sampler_name} draws noise at each step for a whole batch: this image will differ")
        values = _columns(row) | {"batch_size": 1}
        prepared = replace(
            prepared,
            values=prepared.values | values,
            parameters=prepared.parameters | {"batch_size": 1},
            warnings=tuple(notes),
        )
        return await self._runs.store_and_submit(
            profile,
            prepared,
            {
                "session_id": row.session_id,
                "workflow_id": row.workflow_id,
                "reproduces": row.id,
                "batch_index": index,
            },
        )

    async def _compare(self, index: int, one: str, other: str) -> ImageComparison:
        from spoonkernel.media.comparison import compare_pictures

        try:
            contents = [(await self._media.open(path)).content for path in (one, other)]
            found = await asyncio.to_thread(compare_pictures, *contents)
        except SpoonError as error:
            return ImageComparison(index=index, verdict="DIFFERENT", reason=error.message)
        return ImageComparison(
            index=index,
            verdict=found.verdict,
            max_difference=found.max_difference,
            psnr_db=found.psnr_db,
            same_file=found.same_file,
            reason=found.reason,
        )


def past_cache(graph: Mapping[str, Any], info: ObjectInfo) -> dict[str, Any]:
    """The same graph, of which ComfyUI has nothing in its cache: every node that begins a chain is new to it."""
    running, nonce = reachable(graph, info), uuid.uuid4().hex
    return {
        node_id: {**node, "inputs": {**inputs(node), RERUN_INPUT: nonce}}
        if node_id in running and not any(links(node))
        else dict(node)
        for node_id, node in graph.items()
    }


def one_of_batch(graph: Mapping[str, Any], index: int, info: ObjectInfo) -> dict[str, Any]:
    """The graph with one image of its batch, drawn from the noise that it had in the batch (`LatentFromBatch`).

    Raises:
        Conflict: not exactly one node makes the batch.
    """
    running = reachable(graph, info)
    sources = [node_id for node_id in graph if node_id in running and _makes_batch(graph[node_id])]
    if len(sources) != 1:
        raise Conflict(f"The batch of this graph is made by {len(sources)} nodes: one image of it cannot be made alone")
    source = sources[0]
    numbers = [int(node_id) for node_id in graph if node_id.isdigit()]
    inserted = str(max(numbers, default=0) + 1)
    whole = Link(source, 0)
    rewired = {
        node_id: {
            **node,
            "inputs": {
                name: [inserted, 0] if as_link(value) == whole else value for name, value in inputs(node).items()
            },
        }
        for node_id, node in graph.items()
    }
    rewired[inserted] = {
        "class_type": "LatentFromBatch",
        "inputs": {"samples": [source, 0], "batch_index": index, "length": 1},
        "_meta": {"title": f"Image {index} of the batch"},
    }
    return rewired


def _makes_batch(node: Mapping[str, Any]) -> bool:
    size = inputs(node).get("batch_size")
    return isinstance(size, int) and not isinstance(size, bool) and "width" in inputs(node)


def _as_recorded(row: GenerationRow, info: ObjectInfo) -> Prepared:
    prepared = again(row.workflow_json, info, parameters=row.parameters)
    return replace(prepared, values=prepared.values | _columns(row), ui_workflow=row.ui_workflow)


def _columns(row: GenerationRow) -> dict[str, Any]:
    names = ("prompt_text", "negative_prompt", "batch_size", "loras_used")
    return {name: getattr(row, name) for name in names}


def _pictures(row: GenerationRow) -> list[str]:
    return [one["content"] for one in row.outputs if one["kind"] == "image" and one.get("content")]


def _beside(one: GenerationRow, other: GenerationRow) -> tuple[list[str], list[str]]:
    """The pictures of both in the order in which they are compared: one that was made alone beside the one that it was
    in its batch."""
    first, second = _pictures(one), _pictures(other)
    if other.reproduces == one.id and other.batch_index is not None:
        first = first[other.batch_index : other.batch_index + 1]
    if one.reproduces == other.id and one.batch_index is not None:
        second = second[one.batch_index : one.batch_index + 1]
    return first, second


def _summary(
    verdict: Verdict | None, images: list[ImageComparison], counts: tuple[int, int], changed: list[str]
) -> str:
    count = f"{len(images)} picture{'s' if len(images) != 1 else ''}"
    if counts[0] != counts[1]:
        count = f"{counts[0]} and {counts[1]} pictures"
    words = {
        None: "There are no pictures to compare",
        "IDENTICAL": f"IDENTICAL: {count}, pixel for pixel",
        "CLOSE": f"CLOSE: {count}; {_worst(images)}",
        "DIFFERENT": f"DIFFERENT: {count}; {_worst(images)}",
    }[verdict]
    what = "; ".join(changed[:8]) + (f"; and {len(changed) - 8} more" if len(changed) > 8 else "")
    return f"{words}. Changed: {what}" if changed else f"{words}. Nothing that is recorded has changed"


def _worst(images: list[ImageComparison]) -> str:
    worst = max(images, key=lambda image: (_ORDER.index(image.verdict), image.max_difference or 0))
    if worst.max_difference is None or worst.psnr_db is None:
        return worst.reason
    return f"largest difference {worst.max_difference} of 255, PSNR {worst.psnr_db:.1f} dB"

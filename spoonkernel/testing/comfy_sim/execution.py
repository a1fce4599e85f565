"""Runs one prompt after another: ComfyUI's `main.py` (`prompt_worker`) and `execution.py` (`PromptExecutor`)."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from spoonkernel.testing.comfy_sim import frames, nodes, pictures
from spoonkernel.testing.comfy_sim.caching import ExecutionList, is_link, signatures
from spoonkernel.testing.comfy_sim.catalog import Catalog
from spoonkernel.testing.comfy_sim.faults import Faults
from spoonkernel.testing.comfy_sim.files import Files
from spoonkernel.testing.comfy_sim.nodes.context import NodeContext, Outcome, Picture
from spoonkernel.testing.comfy_sim.queue import Item, PromptQueue
from spoonkernel.testing.comfy_sim.sockets import Sockets

READ_AGAIN = {"LoadImage": "image", "LoadImageMask": "image", "LoadAudio": "audio", "LoadLatent": "latent"}
"""Classes that run again when the content of their file has changed."""


class Interrupted(Exception):
    """Somebody has interrupted the run: `InterruptProcessingException` there."""


@dataclass(slots=True)
class Run:
    """One prompt while it runs."""

    item: Item
    signatures: dict[str, str]
    messages: list[list[Any]] = field(default_factory=list)
    executed: list[str] = field(default_factory=list)
    progress: dict[str, tuple[float, float, str]] = field(default_factory=dict)
    started_at: float = 0.0


class Executor:
    """Takes prompts from the queue, for ever. `started` is told each prompt that begins."""

    def __init__(
        self,
        *,
        queue: PromptQueue,
        sockets: Sockets,
        catalog: Catalog,
        files: Files,
        faults: Faults,
        model_bytes: dict[str, bytes],
        seconds_per_step: Callable[[], float],
        previews: bool,
        started: Callable[[str], None],
    ) -> None:
        self._queue, self._sockets, self._catalog, self._files = queue, sockets, catalog, files
        self._faults, self._model_bytes, self._started = faults, model_bytes, started
        self._seconds_per_step, self._previews = seconds_per_step, previews
        self._outputs: dict[str, tuple[Any, ...]] = {}
        self._ui: dict[str, dict[str, Any]] = {}
        self.interrupted = False

    async def work(self) -> None:
        """Run what comes, until cancelled."""
        while True:
            item = await self._queue.get()
            run, success = await self._run(item)
            await self._pause(self._faults.history_delay_s)
            shown = {node_id: self._ui[mark] for node_id, mark in run.signatures.items() if mark in self._ui}
            outputs = {node_id: ui["output"] for node_id, ui in shown.items()}
            meta = {node_id: ui["meta"] for node_id, ui in shown.items()}
            status = {
                "status_str": "success" if success else "error",
                "completed": success,
                "messages": run.messages,
            }
            self._queue.done(item, outputs, meta, status)
            if self._sockets.client_id is not None:
                told = {"node": None, "prompt_id": item.prompt_id}
                self._sockets.post("executing", told, self._sockets.client_id)
            await self._pause(0)

    async def _run(self, item: Item) -> tuple[Run, bool]:
        self._started(item.prompt_id)
        self.interrupted = False
        self._sockets.client_id = item.extra_data.get("client_id")
        marks = signatures(item.prompt, self._catalog, self._changed)
        run = Run(item, marks)
        await self._tell(run, "execution_start", {})
        for kept in (self._outputs, self._ui):
            for mark in set(kept) - set(marks.values()):
                del kept[mark]
        cached = [node_id for node_id, mark in marks.items() if mark in self._outputs]
        await self._tell(run, "execution_cached", {"nodes": cached})
        if self._faults.prompt_s:
            await self._pause(self._faults.prompt_s)
        waiting = ExecutionList(item.prompt, self._catalog, lambda node_id: marks.get(node_id) in self._outputs)
        for output in item.outputs:
            waiting.add(output)
        while waiting:
            node_id = waiting.next()
            try:
                await self._node(run, node_id)
            except Interrupted:
                await self._tell(run, "execution_interrupted", self._where(run, node_id), broadcast=True)
                break
            except Exception as error:  # noqa: BLE001  # whatever a node raises is told to the client, as there
                await self._tell(run, "execution_error", self._where(run, node_id) | _failure(run, node_id, error))
                break
            waiting.done(node_id)
        else:
            await self._tell(run, "execution_success", {})
        self._sockets.last_node_id = None
        return run, not waiting

    async def _node(self, run: Run, node_id: str) -> None:
        mark, item = run.signatures[node_id], run.item
        client = self._sockets.client_id
        if mark in self._outputs:
            if client is not None:
                shown = self._ui.get(mark, {}).get("output")
                told = {"node": node_id, "display_node": node_id, "output": shown, "prompt_id": item.prompt_id}
                self._sockets.post("executed", told, client)
            await self._progress(run, node_id, 1, 1, "finished")
            return
        await self._progress(run, node_id, 0.0, 1.0, "running")
        if client is not None:
            self._sockets.last_node_id = node_id
            self._sockets.post(
                "executing", {"node": node_id, "display_node": node_id, "prompt_id": item.prompt_id}, client
            )
        if self.interrupted:
            raise Interrupted
        outcome = await self._called(run, node_id)
        if outcome.ui:
            meta = {"node_id": node_id, "display_node": node_id, "parent_node": None, "real_node_id": node_id}
            self._ui[mark] = {"meta": meta, "output": outcome.ui}
            if client is not None:
                told = {"node": node_id, "display_node": node_id, "output": outcome.ui, "prompt_id": item.prompt_id}
                self._sockets.post("executed", told, client)
        self._outputs[mark] = outcome.outputs
        most = run.progress[node_id][1]
        await self._progress(run, node_id, most, most, "finished")
        run.executed.append(node_id)

    async def _called(self, run: Run, node_id: str) -> Outcome:
        node = run.item.prompt[node_id]
        declared = self._catalog.inputs(node["class_type"])  # others count for the cache alone (`get_input_data`)
        given = {
            name: self._outputs[run.signatures[value[0]]][int(value[1])] if is_link(value) else value
            for name, value in node["inputs"].items()
            if name in declared or is_link(value)
        }
        self._faults.check_node(node["class_type"])

        async def step(value: int, most: int, picture: Picture | None) -> None:
            await self._step(run, node_id, value, most, picture)

        async def rest() -> None:
            await self._pause(self._seconds_per_step())

        context = NodeContext(
            node_id=node_id,
            class_type=node["class_type"],
            prompt=run.item.prompt,
            extra_data=run.item.extra_data,
            catalog=self._catalog,
            files=self._files,
            model_bytes=self._model_bytes,
            step=step,
            rest=rest,
        )
        return await nodes.run(context, given)

    async def _step(self, run: Run, node_id: str, value: int, most: int, picture: Picture | None) -> None:
        if self.interrupted:
            raise Interrupted
        client, prompt_id = self._sockets.client_id, run.item.prompt_id
        await self._progress(run, node_id, value, most, "running")
        frame = self._frame(run, node_id, value / most, picture) if picture and self._sockets.hears(client) else None
        metadata_first = self._sockets.knows_metadata(client)
        if frame and metadata_first:
            self._sockets.post_bytes(frame, client)
        self._sockets.post("progress", {"value": value, "max": most, "prompt_id": prompt_id, "node": node_id}, client)
        if frame and not metadata_first:
            self._sockets.post_bytes(frame, client)
        await self._pause(0)

    def _frame(self, run: Run, node_id: str, done: float, picture: Picture) -> bytes | None:
        if not picture.final and not self._previews:
            return None
        image_format = "PNG" if picture.final else "JPEG"
        image = pictures.png(picture.draw()) if picture.final else pictures.preview(picture.draw(), done)
        if self._sockets.knows_metadata(self._sockets.client_id):
            return frames.preview_with_metadata(image, image_format, run.item.prompt_id, node_id)
        return frames.preview(image, image_format)

    async def _progress(self, run: Run, node_id: str, value: float, most: float, state: str) -> None:
        run.progress[node_id] = value, most, state
        told = frames.progress_state(run.item.prompt_id, run.progress)
        self._sockets.post("progress_state", told, self._sockets.client_id)
        await self._pause(0)

    async def _tell(self, run: Run, kind: str, data: dict[str, Any], *, broadcast: bool = False) -> None:
        told = {**data, "prompt_id": run.item.prompt_id, "timestamp": int(time.time() * 1000)}
        run.messages.append([kind, told])
        if self._sockets.client_id is not None or broadcast:
            self._sockets.post(kind, told, self._sockets.client_id)
        await self._pause(0)

    async def _pause(self, seconds: float) -> None:
        """Let others run, for so long and while the server is frozen. An interrupt ends no step, as there."""
        await asyncio.sleep(seconds)
        await self._faults.thawed()

    def _where(self, run: Run, node_id: str) -> dict[str, Any]:
        class_type = run.item.prompt[node_id]["class_type"]
        return {"node_id": node_id, "node_type": class_type, "executed": list(run.executed)}

    def _changed(self, class_type: str, inputs: dict[str, Any]) -> Any:
        if class_type == "SaveImageWebsocket":
            return time.monotonic_ns()
        if name := READ_AGAIN.get(class_type):
            with contextlib.suppress(OSError, TypeError):
                return self._files.read(inputs[name])
        return None


def _failure(run: Run, node_id: str, error: Exception) -> dict[str, Any]:
    inputs = {
        name: ["<a linked value>" if is_link(value) else str(value)]
        for name, value in run.item.prompt[node_id]["inputs"].items()
    }
    return {
        "exception_message": str(error),
        "exception_type": type(error).__name__,
        "traceback": ['  File "/srv/comfyui/execution.py", line 496, in execute\n'],
        "current_inputs": inputs,
        "current_outputs": list(run.item.prompt),  # every node that could be in the cache, as there
    }

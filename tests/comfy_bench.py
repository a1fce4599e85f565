"""A workbench with a simulated ComfyUI, for tests of what happens between the two."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import comfy_graphs
from spoonkernel.config import Config
from spoonkernel.testing.comfy_sim import SimulatedComfyUI
from spoonkernel.types.generations import Generation
from spoonkernel.workbench import Workbench


@dataclass
class Bench:
    """A workbench whose `COMFYUI_URL` is the simulation's."""

    workbench: Workbench
    sim: SimulatedComfyUI

    async def submit(self, workflow: dict[str, Any] | str | None = None, prompt: str = "", **parameters: Any) -> Any:
        """The row of a run as it is once ComfyUI has it, in a session of its own.

        `workflow` is a graph (that of `comfy_graphs` without one), or the id of a workflow.
        """
        if not isinstance(workflow, str):
            kept = await self.workbench.workflows.create(name="w", workflow_json=workflow or comfy_graphs.graph())
            workflow = kept.id
        session = await self.workbench.sessions.create(title="t")
        return await self.workbench.sessions.generate(
            session.id, prompt_text=prompt, workflow_id=workflow, parameters=parameters
        )

    async def run(self, *args: Any, **parameters: Any) -> Generation:
        """The same, once it has ended well."""
        row = await self.ended(await self.submit(*args, **parameters))
        assert row.status == "complete", row.error
        return row

    async def ended(self, row: Generation) -> Generation:
        done = await self.workbench.generations.get(row.id, wait_s=20)
        assert done.status in {"complete", "failed"}
        return done

    async def graph_of(self, row: Generation) -> dict[str, Any]:
        """The graph as the simulation got it."""
        past = self.sim.queue.history[row.prompt_id]["prompt"][2]
        assert isinstance(past, dict)
        return past


@asynccontextmanager
async def opened(folder: Path, sim: SimulatedComfyUI | None, **settings: Any) -> AsyncIterator[Bench]:
    settings = {"comfyui_url": sim.url if sim else None, "stop_deadline_s": 0} | settings
    async with Workbench(Config(data_dir=folder, **settings)) as workbench:
        yield Bench(workbench, sim)  # type: ignore[arg-type]  # tests without a ComfyUI do not ask for it

"""The simulated ComfyUI of this process: started when it is first wanted, and one for all panes and workbenches."""

import asyncio
import threading
from functools import cache
from typing import TYPE_CHECKING

from spoonkernel.api import WorkbenchAPI
from spoonkernel.errors import ProviderConnectionError, SpoonError
from spoonkernel.types.profiles import Profile

if TYPE_CHECKING:
    from spoonkernel.testing.comfy_sim import SimulatedComfyUI

NAME = "Simulated ComfyUI"
NOTE = "Placeholder pictures without a GPU. It runs in the process of the notebook that started it."
STEP_S = 0.05
"""How long its steps take: slow enough to watch, 20 steps in a second."""

_starting = threading.Lock()  # two workbenches have two loops


def simulated() -> "SimulatedComfyUI":
    """Blocks for the half second of its start. It ends with the process."""
    with _starting:
        return _start()


async def simulated_profile(workbench: WorkbenchAPI) -> Profile:
    """Start the simulated ComfyUI, or find the one that runs, and have a profile for it.

    Raises:
        ProviderConnectionError: the workbench cannot reach it: it is a server on another machine.
    """
    sim = await asyncio.to_thread(simulated)
    try:
        reached = (await workbench.profiles.test_connection(provider="comfyui", url=sim.url)).connected
    except SpoonError:
        reached = False
    if not reached:
        raise ProviderConnectionError(
            "The Spoon server cannot reach the simulated ComfyUI of this notebook. Run `spoon comfy-sim` on the "
            "server's machine, and add a profile with the address that it prints"
        )
    known = [profile for profile in await workbench.profiles.list(provider="comfyui") if profile.name == NAME]
    if not known:
        return await workbench.profiles.create(
            name=NAME,
            type="image",
            provider="comfyui",
            url=sim.url,
            description=NOTE,
            input_modalities=["text", "image"],
            output_modalities=["image", "video", "audio"],
        )
    if known[0].url != sim.url:  # of an earlier process, which has ended with it
        return await workbench.profiles.update(known[0].id, url=sim.url)
    return known[0]


@cache
def _start() -> "SimulatedComfyUI":
    from spoonkernel.testing.comfy_sim import start_simulated

    return start_simulated(seconds_per_step=STEP_S)

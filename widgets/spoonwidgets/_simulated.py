"""The simulated ComfyUI of this process: started when it is first wanted, and one for all panes and workbenches."""

import threading
from functools import cache
from typing import TYPE_CHECKING

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


@cache
def _start() -> "SimulatedComfyUI":
    from spoonkernel.testing.comfy_sim import start_simulated

    return start_simulated(seconds_per_step=STEP_S)

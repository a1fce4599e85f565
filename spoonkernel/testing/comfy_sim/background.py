"""A simulated ComfyUI beside a notebook: on a thread of its own, so that a busy cell does not hold it up."""

import atexit
from typing import Any

from spoonkernel.testing.comfy_sim.server import SimulatedComfyUI

START_S = 20.0


def start_simulated(**options: Any) -> SimulatedComfyUI:
    """Start one and return it once it answers; it ends with the process. `options` are `SimulatedComfyUI`'s."""
    from spoonkernel.portal import Portal

    portal, sim = Portal(), SimulatedComfyUI(**options)
    try:
        portal.start(sim.__aenter__()).result(START_S)
    except BaseException:
        portal.stop()
        raise

    def end() -> None:
        portal.start(sim.__aexit__(None, None, None)).result(START_S)
        portal.stop()

    atexit.register(end)
    return sim

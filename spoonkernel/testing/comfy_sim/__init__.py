"""A simulated ComfyUI: the real wire protocol, landscapes instead of pictures. For trying out and for tests."""

from spoonkernel.testing.comfy_sim.background import start_simulated
from spoonkernel.testing.comfy_sim.server import SimulatedComfyUI

__all__ = ["SimulatedComfyUI", "start_simulated"]

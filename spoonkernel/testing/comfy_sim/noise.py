"""The noise of a batch, drawn in the order of ComfyUI's `comfy/sample.py` (`prepare_noise`)."""

import random
from collections.abc import Sequence

from spoonkernel.testing.comfy_sim.values import sign

DRAWS_AGAIN = ("ancestral", "sde", "lcm", "ddpm", "seeds_", "sa_solver")
"""Samplers that draw noise at every step, for the whole batch at once."""


def batch_noise(seed: int, shape: tuple[int, int], count: int, batch_index: Sequence[int] | None) -> list[str]:
    """The noise of each latent of a batch.

    One generator for the seed; without `batch_index` it draws for the whole batch in order, with it up to the largest
    index and each latent takes the draw of its own index. So latent 2 of 4 has the same noise alone.
    """
    generator = random.Random(seed)  # noqa: S311  # reproducible noise, no secret
    wanted = list(batch_index) if batch_index is not None else list(range(count))
    drawn = [sign(generator.getrandbits(64), shape) for _ in range(max(wanted, default=-1) + 1)]
    return [drawn[index] for index in wanted]


def step_noise(sampler_name: str, seed: int, steps: int, count: int, position: int) -> str:
    """What a sampler adds at its steps: nothing, or noise that depends on the whole batch and the place in it."""
    if steps < 2 or not draws_again(sampler_name):
        return ""
    return sign(sampler_name, seed, steps, count, position)


def draws_again(sampler_name: str) -> bool:
    """Whether a sampler is an ancestral or a stochastic one: a batch cannot be taken apart with it."""
    return any(part in sampler_name for part in DRAWS_AGAIN)

"""Samplers: steps with progress and previews, and noise as ComfyUI draws it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spoonkernel.testing.comfy_sim import pictures
from spoonkernel.testing.comfy_sim.nodes.context import NodeContext, NodeFunction, Picture
from spoonkernel.testing.comfy_sim.nodes.generic import told
from spoonkernel.testing.comfy_sim.noise import batch_noise, step_noise
from spoonkernel.testing.comfy_sim.values import Latent, Sample, Thing, sign

ROUGH_PX = 64  # of the picture that a preview is made of
USUAL_STEPS = 20


async def ksampler(context: NodeContext, inputs: dict[str, Any]) -> tuple[Latent]:
    """KSampler."""
    return (await _sample(context, inputs, seed=inputs["seed"], steps=inputs["steps"]),)


async def ksampler_advanced(context: NodeContext, inputs: dict[str, Any]) -> tuple[Latent]:
    """KSamplerAdvanced: from one step to another."""
    last = min(inputs["end_at_step"], inputs["steps"])
    noise = inputs["add_noise"] != "disable"
    steps = max(0, last - inputs["start_at_step"])
    return (await _sample(context, inputs, seed=inputs["noise_seed"], steps=steps, noise=noise),)


async def sampler_custom(context: NodeContext, inputs: dict[str, Any]) -> tuple[Latent, Latent]:
    """SamplerCustom."""
    steps = int(inputs["sigmas"].facts.get("steps", USUAL_STEPS))
    done = await _sample(context, inputs, seed=inputs["noise_seed"], steps=steps, noise=inputs["add_noise"])
    return done, done


async def sampler_custom_advanced(context: NodeContext, inputs: dict[str, Any]) -> tuple[Latent, Latent]:
    """SamplerCustomAdvanced: seed, texts and cfg come through the noise and the guider."""
    steps = int(inputs["sigmas"].facts.get("steps", USUAL_STEPS))
    seed = inputs["noise"].facts.get("seed")
    done = await _sample(context, inputs, seed=seed or 0, steps=steps, noise=seed is not None)
    return done, done


async def guider(context: NodeContext, inputs: dict[str, Any]) -> tuple[Thing]:
    """CFGGuider: without a part of the negative prompt at cfg 1, as there."""
    counted = {name: value for name, value in inputs.items() if name != "negative" or inputs.get("cfg") != 1.0}
    return (Thing("GUIDER", sign(context.class_type, counted), told(inputs)),)


async def random_noise(_: NodeContext, inputs: dict[str, Any]) -> tuple[Thing]:
    """RandomNoise."""
    return (Thing("NOISE", sign("noise"), {"seed": inputs["noise_seed"]}),)


async def no_noise(_: NodeContext, __: dict[str, Any]) -> tuple[Thing]:
    """DisableNoise."""
    return (Thing("NOISE", sign("no noise")),)


async def split_sigmas(_: NodeContext, inputs: dict[str, Any]) -> tuple[Thing, Thing]:
    """SplitSigmas and SplitSigmasDenoise: the earlier and the later steps."""
    sigmas: Thing = inputs["sigmas"]
    steps = int(sigmas.facts.get("steps", USUAL_STEPS))
    first = min(steps, int(inputs["step"])) if "step" in inputs else steps - round(steps * inputs["denoise"])
    parts = {"high": first, "low": steps - first}
    early, late = (
        Thing("SIGMAS", sign(sigmas, part, count), {**sigmas.facts, "steps": count}) for part, count in parts.items()
    )
    return early, late


async def _sample(context: NodeContext, inputs: dict[str, Any], *, seed: int, steps: int, noise: bool = True) -> Latent:
    latent: Latent = inputs["latent_image"]
    facts = told(inputs) | {"seed": seed, "steps": steps}
    count = len(latent.samples)
    drawn = batch_noise(seed, (latent.width, latent.height), count, latent.batch_index) if noise else [""] * count
    made = sign(_what_counts(inputs, facts), steps, facts.get("denoise"))
    sampler = str(facts.get("sampler_name", "euler"))
    samples = tuple(
        _sampled(sample, made, drawn[place], step_noise(sampler, seed, steps, count, place), facts)
        for place, sample in enumerate(latent.samples)
    )
    for number in range(steps):
        await context.rest()
        await context.step(number + 1, steps, Picture(_rough(samples[0], latent)) if samples else None)
    return replace(latent, samples=samples)


def _what_counts(inputs: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """What shapes every latent alike. At cfg 1 ComfyUI does not look at the negative prompt."""
    left_out = {"seed", "noise_seed", "noise", "latent_image", "steps"}
    if facts.get("cfg") == 1.0:
        left_out.add("negative")
    return {name: value for name, value in inputs.items() if name not in left_out}


def _sampled(sample: Sample, made: str, noise: str, added: str, facts: dict[str, Any]) -> Sample:
    mask = sample.mask.sign if sample.mask else None
    return Sample(
        sign(made, sample, mask, noise, added),
        {**sample.facts, **facts, "noise": noise + added},
        sample.picture,
        sample.mask,
    )


def _rough(sample: Sample, latent: Latent) -> Any:
    width = ROUGH_PX
    height = max(1, ROUGH_PX * latent.height // max(1, latent.width))
    return pictures.once(lambda: pictures.landscape(sample.sign, width, height, sample.facts))


FUNCTIONS: dict[str, NodeFunction] = {
    "KSampler": ksampler,
    "KSamplerAdvanced": ksampler_advanced,
    "SamplerCustom": sampler_custom,
    "SamplerCustomAdvanced": sampler_custom_advanced,
    "CFGGuider": guider,
    "RandomNoise": random_noise,
    "DisableNoise": no_noise,
    "SplitSigmas": split_sigmas,
    "SplitSigmasDenoise": split_sigmas,
}

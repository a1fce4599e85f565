"""What other programs call ComfyUI's samplers and schedulers.

Names: `comfy/samplers.py` (ComfyUI), `modules/sd_samplers_kdiffusion.py`, `sd_samplers_timesteps.py` and
`sd_schedulers.py` (A1111 1.10), `SCHEDULER_NAME_VALUES` (InvokeAI 5). Only names of the same algorithm are paired, one
to one, so that a name written and read again is the same; every other name stays as it is.
"""

_A1111_SAMPLERS = {
    "euler": "Euler",
    "euler_ancestral": "Euler a",
    "heun": "Heun",
    "dpm_2": "DPM2",
    "dpm_2_ancestral": "DPM2 a",
    "lms": "LMS",
    "dpm_fast": "DPM fast",
    "dpm_adaptive": "DPM adaptive",
    "dpmpp_2s_ancestral": "DPM++ 2S a",
    "dpmpp_sde": "DPM++ SDE",
    "dpmpp_2m": "DPM++ 2M",
    "dpmpp_2m_sde": "DPM++ 2M SDE",
    "dpmpp_2m_sde_heun": "DPM++ 2M SDE Heun",
    "dpmpp_3m_sde": "DPM++ 3M SDE",
    "ddim": "DDIM",
    "uni_pc": "UniPC",
    "lcm": "LCM",
}
_A1111_SCHEDULERS = {
    "normal": "Normal",
    "karras": "Karras",
    "exponential": "Exponential",
    "sgm_uniform": "SGM Uniform",
    "simple": "Simple",
    "ddim_uniform": "DDIM",
    "beta": "Beta",
    "kl_optimal": "KL Optimal",
}
_OF_A1111 = {label: name for name, label in _A1111_SAMPLERS.items()}
_SCHEDULE_OF_A1111 = {label: name for name, label in _A1111_SCHEDULERS.items()}
_SUFFIXES = {" Karras": "karras", " Exponential": "exponential"}

_OF_INVOKE = {
    "euler_a": "euler_ancestral",
    "kdpm_2": "dpm_2",
    "kdpm_2_a": "dpm_2_ancestral",
    "dpm_2_a": "dpm_2_ancestral",
    "unipc": "uni_pc",
}


def to_a1111(sampler_name: str, scheduler: str) -> tuple[str, str]:
    """ComfyUI's sampler and scheduler in A1111's words, for `Sampler` and `Schedule type`."""
    return _A1111_SAMPLERS.get(sampler_name, sampler_name), _A1111_SCHEDULERS.get(scheduler, scheduler)


def from_a1111(sampler: str | None, schedule_type: str | None) -> tuple[str | None, str | None]:
    """A1111's `Sampler` and `Schedule type` in ComfyUI's words; before 1.9 the sampler's name held both.

    `Automatic` is what the sampler likes best, which has no word in ComfyUI: None. `Uniform` is ComfyUI's `normal`.
    """
    scheduler = {"Automatic": None, "Uniform": "normal"}.get(
        schedule_type or "Automatic", _SCHEDULE_OF_A1111.get(schedule_type or "", schedule_type)
    )
    if sampler is None:
        return None, scheduler
    for ending, name in _SUFFIXES.items():
        if sampler.endswith(ending) and schedule_type is None:
            sampler, scheduler = sampler.removesuffix(ending), name
    return _OF_A1111.get(sampler, sampler), scheduler


def from_invoke(scheduler: str | None) -> tuple[str | None, str | None]:
    """InvokeAI's one name, such as `dpmpp_2m_sde_k` or the older `k_euler_a`, as ComfyUI's sampler and scheduler.

    The scheduler is known only for Karras' (`_k`): the others follow each model's own settings.
    """
    if scheduler is None:
        return None, None
    name = scheduler.removeprefix("k_")
    karras = name.endswith("_k")
    name = name.removesuffix("_k")
    return _OF_INVOKE.get(name, name), "karras" if karras else None

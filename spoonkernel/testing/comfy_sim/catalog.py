"""The node classes and model files that the simulated server has.

`object_info.json` holds the core classes of ComfyUI 0.3.64 as `GET /object_info` told them, one a line, without
descriptions. Choices that depend on files are written as `@FOLDER` and filled in when they are asked for.
"""

import json
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

MODELS: Mapping[str, tuple[str, ...]] = {
    "checkpoints": (
        "sd_v1-5.safetensors",
        "sd_xl_base_1.0.safetensors",
        "sd_xl_refiner_1.0.safetensors",
        "flux1-dev-fp8.safetensors",
        "ace_step_v1_3.5b.safetensors",
        "tiny_sd15.safetensors",
        "tiny_sd15_b.safetensors",
    ),
    "loras": ("style/tiny_lora_b.safetensors", "tiny_lora.safetensors", "watercolor.safetensors"),
    "vae": ("ae.safetensors", "sdxl_vae.safetensors", "vae-ft-mse-840000-ema-pruned.safetensors"),
    "text_encoders": (
        "clip_g.safetensors",
        "clip_l.safetensors",
        "t5xxl_fp16.safetensors",
        "t5xxl_fp8_e4m3fn.safetensors",
    ),
    "diffusion_models": ("flux1-dev.safetensors", "flux1-schnell.safetensors"),
    "clip_vision": ("clip_vision_h.safetensors",),
    "style_models": ("flux1-redux-dev.safetensors",),
    "controlnet": ("control_v11p_sd15_canny.safetensors", "control_v11p_sd15_openpose.safetensors"),
    "upscale_models": ("4x-UltraSharp.pth", "RealESRGAN_x2plus.pth", "tiny_compact_x2.safetensors"),
    "embeddings": ("tiny_emb.safetensors",),
    "gligen": ("gligen_sd14_textbox_pruned.safetensors",),
    "hypernetworks": (),
    "photomaker": (),
    "diffusers": (),
    "model_patches": (),
    "audio_encoders": (),
    "vae_approx": (),
    "configs": ("v1-inference.yaml",),
    "classifiers": (),
}
"""Folder and files, as a user of the usual models has them; the tiny ones are those of the recordings."""

FOLDERS = (
    "checkpoints", "configs", "loras", "vae", "text_encoders", "diffusion_models", "clip_vision", "style_models",
    "embeddings", "diffusers", "vae_approx", "controlnet", "gligen", "upscale_models", "custom_nodes", "hypernetworks",
    "photomaker", "classifiers", "model_patches", "audio_encoders",
)  # fmt: skip
"""What `GET /models` lists, in 0.3.64's order."""

OLD_NAMES = {"unet": "diffusion_models", "clip": "text_encoders"}
SOUNDS, FILMS = (".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a"), (".mp4", ".webm", ".mkv", ".mov")


class Catalog:
    """What the server has. `models` may be changed while it runs: folder -> file names.

    Args:
        inputs: lists the files of the input folder.
    """

    def __init__(self, inputs: Callable[[], list[str]]) -> None:
        raw = json.loads(files(__package__).joinpath("object_info.json").read_text(encoding="utf-8"))
        self._lists = {name: raw.pop(name) for name in ("@samplers", "@schedulers")}
        self._raw: dict[str, Any] = raw
        self._inputs = inputs
        self.models: dict[str, list[str]] = {folder: list(names) for folder, names in MODELS.items()}

    def __contains__(self, class_type: object) -> bool:
        return class_type in self._raw

    def describe(self, class_type: str) -> dict[str, Any]:
        """One entry of `/object_info`."""
        entry = self._raw[class_type]
        inputs = {
            section: {name: self._filled(spec) for name, spec in named.items()} if section != "hidden" else named
            for section, named in entry["input"].items()
        }
        return {
            "input": inputs,
            "input_order": {section: list(named) for section, named in inputs.items()},
            "output": entry["output"],
            "output_is_list": entry.get("output_is_list") or [False] * len(entry["output"]),
            "output_name": entry.get("output_name") or entry["output"],
            "name": class_type,
            "description": "",
            **{name: value for name, value in entry.items() if name not in {"input", "output"}},
        }

    def everything(self) -> dict[str, Any]:
        """The answer of `/object_info`."""
        return {class_type: self.describe(class_type) for class_type in self._raw}

    def outputs(self, class_type: str) -> list[Any]:
        """The types of a class's outputs."""
        types: list[Any] = self._raw[class_type]["output"]
        return types

    def inputs(self, class_type: str) -> dict[str, tuple[str, list[Any]]]:
        """The inputs of a class by name: `required` or `optional`, and the spec."""
        sections = self._raw[class_type]["input"]
        return {
            name: (section, self._filled(spec))
            for section in ("required", "optional")
            for name, spec in (sections.get(section) or {}).items()
        }

    def hidden(self, class_type: str) -> dict[str, Any]:
        """The inputs that the server itself fills in."""
        hidden: dict[str, Any] = self._raw[class_type]["input"].get("hidden") or {}
        return hidden

    def is_output(self, class_type: str) -> bool:
        """Whether graphs may end in a class."""
        return bool(self._raw[class_type]["output_node"])

    def files(self, folder: str) -> list[str] | None:
        """The files of a model folder, or None where there is no such folder."""
        folder = OLD_NAMES.get(folder, folder)
        if folder not in self.models and folder not in FOLDERS:
            return None
        return sorted(self.models.get(folder, []))

    def _filled(self, spec: list[Any]) -> list[Any]:
        if isinstance(spec[0], str) and spec[0].startswith("@"):
            return [self._choices(spec[0]), *spec[1:]]
        options = spec[1].get("options") if len(spec) > 1 and isinstance(spec[1], dict) else None
        if isinstance(options, str):
            return [spec[0], {**spec[1], "options": self._choices(options)}]
        return spec

    def _choices(self, name: str) -> list[str]:
        if name in self._lists:
            choices: list[str] = self._lists[name]
            return choices
        folder = name.removeprefix("@")
        if folder.startswith("input"):
            kinds = {"input_audio": SOUNDS, "input_video": FILMS}.get(folder)
            return [file for file in self._inputs() if kinds is None or file.lower().endswith(kinds)]
        return [*(self.files(folder) or []), *(["pixel_space"] if folder == "vae" else [])]

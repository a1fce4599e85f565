"""What a picture depends on beside its graph: recorded with each generation, compared when one is reproduced.

`ingredients` of a row: `graph_sha256`, `workflow {id, updated_at}`, `seeds {"node.input": n}`, `drawn [names]`,
`batch_size`, `server {comfyui_version, pytorch_version, python_version, os, argv, devices}`, `packages {class: python
module}`, `classes_sha256`, `models [{name, folder, size_bytes, modified, hash}]`, `inputs [{name, sha256}]`, `notes`,
`missing`. A server tells no commits of custom nodes and, before 0.38, no hashes: `missing` says so.
"""

import re
from collections.abc import Mapping
from typing import Any

from spoonkernel.comfy.graph import inputs
from spoonkernel.comfy.jobs import FOLDERS, Folder
from spoonkernel.comfy.object_info import ObjectInfo
from spoonkernel.services.comfy_profiles import ComfyProfiles
from spoonkernel.services.graphs import Prepared, graph_hash
from spoonkernel.store.profiles import ProfileRow
from spoonkernel.store.workflows import WorkflowRow
from spoonkernel.types.base import format_time

MODEL_FILE = re.compile(r"\.(safetensors|sft|ckpt|pt|pth|bin|gguf|onnx)$", re.IGNORECASE)
MODEL_FOLDERS = {
    "ckpt_name": "checkpoints",
    "vae_name": "vae",
    "lora_name": "loras",
    "unet_name": "diffusion_models",
    "clip_name": "text_encoders",
    "clip_name1": "text_encoders",
    "clip_name2": "text_encoders",
    "clip_name3": "text_encoders",
    "clip_name4": "text_encoders",
    "control_net_name": "controlnet",
    "style_model_name": "style_models",
    "gligen_name": "gligen",
    "hypernetwork_name": "hypernetworks",
    "photomaker_model_name": "photomaker",
    "audio_encoder_name": "audio_encoders",
}
"""The model folder that an input of core's loaders chooses from (0.3.64)."""
FOLDERS_OF_CLASS = {"UpscaleModelLoader": "upscale_models", "CLIPVisionLoader": "clip_vision"}

STEP_NOISE = re.compile(r"ancestral|sde|ddpm|lcm|seeds_[23]|sa_solver|_cfg_pp_a", re.IGNORECASE)
"""Samplers that draw noise at each step: it belongs to the batch, not to one image's seed."""
_SERVER = ("comfyui_version", "pytorch_version", "python_version", "os", "argv")
_UNKNOWN = {"size_bytes": None, "modified": None, "hash": None}
_ANNOTATION = re.compile(r" \[(input|output|temp)\]$")


class Ingredients:
    """Gathers them. A burst of generations shares what their server tells."""

    def __init__(self, servers: ComfyProfiles) -> None:
        self._servers = servers

    async def gather(
        self, profile: ProfileRow, prepared: Prepared, info: ObjectInfo, workflow: WorkflowRow | None
    ) -> dict[str, Any]:
        """All of them, as JSON. What cannot be known is named in `missing`; nothing is raised for it."""
        missing: list[str] = []
        stats = await self._servers.stats(profile)
        if stats is None:
            missing.append("server version and devices: the server did not tell")
        classes = sorted({prepared.graph[node_id]["class_type"] for node_id in prepared.running})
        packages = {name: info[name].python_module for name in classes if name in info}
        missing += [
            f"version of {module}: ComfyUI does not tell versions of custom nodes"
            for module in sorted(set(packages.values()))
            if module.startswith("custom_nodes")
        ]
        sampler = str(prepared.values.get("sampler_name") or "")
        return {
            "graph_sha256": graph_hash(prepared.graph),
            "workflow": {"id": workflow.id, "updated_at": format_time(workflow.updated_at)} if workflow else None,
            "seeds": prepared.seeds,
            "drawn": list(prepared.drawn),
            "batch_size": prepared.values.get("batch_size"),
            "server": _server(stats) if stats else None,
            "packages": packages,
            "classes_sha256": info.digest(classes) if len(info) else None,
            "models": await self._models(profile, prepared, missing, answers=stats is not None),
            "inputs": await self._inputs(profile, prepared, info, missing, answers=stats is not None),
            "notes": [f"{sampler} draws noise at each step, for the batch as a whole"]
            if STEP_NOISE.search(sampler)
            else [],
            "missing": missing,
        }

    async def _models(
        self, profile: ProfileRow, prepared: Prepared, missing: list[str], *, answers: bool
    ) -> list[dict[str, Any]]:
        """The model files. A server that does not answer is not asked again for each of them."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for node_id in sorted(prepared.running):
            node = prepared.graph[node_id]
            for field, name in inputs(node).items():
                if not isinstance(name, str) or not MODEL_FILE.search(name):
                    continue
                folder = FOLDERS_OF_CLASS.get(node["class_type"]) or MODEL_FOLDERS.get(field, "")
                if (folder, name) not in found:
                    known = await self._model(profile, folder, name) if answers and folder else {}
                    found[folder, name] = {"name": name, "folder": folder, **_UNKNOWN, **known}
        missing += [
            f"hash of {model['name']}: the server does not tell hashes of model files"
            for model in found.values()
            if model["hash"] is None
        ]
        return list(found.values())

    async def _model(self, profile: ProfileRow, folder: str, name: str) -> dict[str, Any]:
        listed = (await self._servers.model_files(profile, folder)).get(name)
        told = {"size_bytes": listed.size_bytes, "modified": listed.modified} if listed else {}
        return told | {"hash": await self._servers.model_hash(profile, folder, name)}

    async def _inputs(
        self, profile: ProfileRow, prepared: Prepared, info: ObjectInfo, missing: list[str], *, answers: bool
    ) -> list[dict[str, Any]]:
        """The pictures and other files that the graph reads."""
        found: dict[str, str | None] = {}
        for node_id in sorted(prepared.running):
            node = prepared.graph[node_id]
            for field, value in inputs(node).items():
                spec = info.input(node["class_type"], field)
                reads = spec is not None and any(name.endswith("_upload") for name in spec.options)
                if (reads or node["class_type"] == "LoadImage") and isinstance(value, str) and value not in found:
                    found[value] = await self._input_hash(profile, value) if answers else None
        missing += [f"hash of the input {name}: the server does not have it" for name, one in found.items() if not one]
        return [{"name": name, "sha256": one} for name, one in found.items()]

    async def _input_hash(self, profile: ProfileRow, value: str) -> str | None:
        annotated = _ANNOTATION.search(value)
        path = _ANNOTATION.sub("", value)
        subfolder, _, filename = path.rpartition("/")
        folder: Folder = next((one for one in FOLDERS if annotated and one == annotated[1]), "input")
        return await self._servers.file_hash(profile, filename, subfolder, folder)


def _server(stats: Mapping[str, Any]) -> dict[str, Any]:
    system = stats.get("system") or {}
    devices = stats.get("devices") or []
    told = {name: system.get(name) for name in _SERVER}
    return told | {"devices": [{"name": one.get("name"), "type": one.get("type")} for one in devices]}

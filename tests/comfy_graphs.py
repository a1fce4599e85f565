"""One small graph in both of ComfyUI's formats: text to image, 64 px, for checkpoints that the simulated server has."""

from copy import deepcopy
from typing import Any

CHECKPOINT = "tiny_sd15.safetensors"
PROMPT, NEGATIVE = "a red fox in snow", "blurry"


def graph(**inputs: Any) -> dict[str, Any]:
    """The graph in API format; `inputs` of its sampler (node 3) may be given."""
    nodes = {
        "3": _node(
            "KSampler",
            seed=2012915689,
            steps=4,
            cfg=7.0,
            sampler_name="euler",
            scheduler="normal",
            denoise=1.0,
            model=["4", 0],
            positive=["6", 0],
            negative=["7", 0],
            latent_image=["5", 0],
        ),
        "4": _node("CheckpointLoaderSimple", ckpt_name=CHECKPOINT),
        "5": _node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "6": _node("CLIPTextEncode", text=PROMPT, clip=["4", 1]),
        "7": _node("CLIPTextEncode", text=NEGATIVE, clip=["4", 1]),
        "8": _node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": _node("SaveImage", filename_prefix="tests/fox", images=["8", 0]),
    }
    nodes["3"]["inputs"] |= inputs
    return nodes


def ui_workflow() -> dict[str, Any]:
    """The same as ComfyUI's page saves it."""
    return deepcopy(
        {
            "last_node_id": 9,
            "last_link_id": 9,
            "nodes": [
                _ui(
                    4, "CheckpointLoaderSimple", [], ["MODEL", "CLIP", "VAE"], [CHECKPOINT], {0: [1], 1: [2, 3], 2: [8]}
                ),
                _ui(5, "EmptyLatentImage", [], ["LATENT"], [64, 64, 1], {0: [6]}),
                _ui(6, "CLIPTextEncode", [("clip", "CLIP", 2)], ["CONDITIONING"], [PROMPT], {0: [4]}),
                _ui(7, "CLIPTextEncode", [("clip", "CLIP", 3)], ["CONDITIONING"], [NEGATIVE], {0: [5]}),
                _ui(
                    3,
                    "KSampler",
                    [
                        ("model", "MODEL", 1),
                        ("positive", "CONDITIONING", 4),
                        ("negative", "CONDITIONING", 5),
                        ("latent_image", "LATENT", 6),
                    ],
                    ["LATENT"],
                    [2012915689, "randomize", 4, 7, "euler", "normal", 1],
                    {0: [7]},
                ),
                _ui(8, "VAEDecode", [("samples", "LATENT", 7), ("vae", "VAE", 8)], ["IMAGE"], [], {0: [9]}),
                _ui(9, "SaveImage", [("images", "IMAGE", 9)], [], ["tests/fox"], {}),
            ],
            "links": [
                [1, 4, 0, 3, 0, "MODEL"],
                [2, 4, 1, 6, 0, "CLIP"],
                [3, 4, 1, 7, 0, "CLIP"],
                [4, 6, 0, 3, 1, "CONDITIONING"],
                [5, 7, 0, 3, 2, "CONDITIONING"],
                [6, 5, 0, 3, 3, "LATENT"],
                [7, 3, 0, 8, 0, "LATENT"],
                [8, 4, 2, 8, 1, "VAE"],
                [9, 8, 0, 9, 0, "IMAGE"],
            ],
            "groups": [],
            "config": {},
            "extra": {},
            "version": 0.4,
        }
    )


def _node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def _ui(
    node_id: int,
    kind: str,
    inputs: list[tuple[str, str, int]],
    outputs: list[str],
    values: list[Any],
    links: dict[int, list[int]],
) -> dict[str, Any]:
    return {
        "id": node_id,
        "type": kind,
        "mode": 0,
        "order": node_id,
        "inputs": [{"name": name, "type": of, "link": link} for name, of, link in inputs],
        "outputs": [
            {"name": of, "type": of, "slot_index": slot, "links": links.get(slot, [])}
            for slot, of in enumerate(outputs)
        ],
        "properties": {"Node name for S&R": kind},
        "widgets_values": values,
    }

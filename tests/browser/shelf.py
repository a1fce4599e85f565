"""A data folder with a session of pictures, as many as a test wants: real rows in the store, real files beside them.

Rows are inserted, not generated: 10,000 take seconds. Their files are hard links to a few dozen different pictures.
"""

import os
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import Image

import spoonkernel
from spoonkernel.config import read_config
from spoonkernel.store.engine import Database
from spoonkernel.store.tables import comfyui_generations
from spoonkernel.testing.comfy_sim.pictures import landscape

TITLE = "Lighthouse studies"
DIFFERENT = 24
NOW = datetime(2026, 11, 14, 16, 20, tzinfo=UTC)
SAMPLERS = ("dpmpp_2m", "euler")
CFGS = (5.0, 7.0, 6.0, 8.5)
NODE = {"1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 7}}}


def fill(data: Path, count: int, *, url: str = "http://127.0.0.1:9", side_px: int = 512) -> str:
    """Make a session of so many pictures in a new data folder; returns its id. The newest has the seed 4100.

    Every seventh is rated, from 5 downwards. `url` is the ComfyUI of the session's profile.
    """
    with spoonkernel.open(data=data) as workbench:
        profile = workbench.profiles.create(name="Local ComfyUI", type="image", provider="comfyui", url=url).result(20)
        session = workbench.sessions.create(profile_id=profile.id, title=TITLE).result(20)
        media = read_config(data=data).media_dir
        media.mkdir(parents=True, exist_ok=True)
        originals = [_draw(media, number, side_px) for number in range(min(DIFFERENT, count))]
        rows = [
            _row(number, session.id, profile.id, _linked(media, *originals[number % DIFFERENT]))
            for number in range(count)
        ]
        workbench.start(_insert(read_config(data=data).store_url, rows)).result(120)
    return session.id


async def _insert(url: str, rows: list[dict]) -> None:
    async with Database(url) as database:
        await database.write(lambda tx: [tx.insert(comfyui_generations, **row) for row in rows])


def _draw(media: Path, number: int, side_px: int) -> tuple[Path, Path]:
    facts = {"text": f"lighthouse {number}", "noise": number, "steps": 25}
    smooth = landscape(f"sign {number}", side_px, side_px, facts)
    grain = Image.effect_noise(smooth.size, 60).convert("RGB")  # with it a thumbnail has the 10 kB that real ones have
    picture = Image.blend(smooth.convert("RGB"), grain, 0.12)
    large, small = media / f"original_{number}.webp", media / f"thumb_{number}.webp"
    picture.save(large, "WEBP", quality=80)
    picture.resize((256, 256)).save(small, "WEBP", quality=75)
    return large, small


def _linked(media: Path, large: Path, small: Path) -> dict:
    name = f"image_{uuid.uuid4().hex[:12]}"
    os.link(large, media / f"{name}.webp")
    os.link(small, media / f"{name}.thumb.webp")
    return {
        "filename": f"{name}.webp",
        "kind": "image",
        "content": f"/storage/media/{name}.webp",
        "thumbnail": f"/storage/media/{name}.thumb.webp",
        "content_type": "image/webp",
        "width": 512,
        "height": 512,
        "size_bytes": large.stat().st_size,
        "rating": None,
    }


def _row(number: int, session_id: str, profile_id: str, output: dict) -> dict:
    made = NOW - timedelta(seconds=13 * number)
    rating = 5 - number // 7 % 5 if number % 7 == 0 else None
    return {
        "id": str(uuid.uuid4()),
        "session_id": session_id,
        "profile_id": profile_id,
        "prompt_id": str(uuid.uuid4()),
        "prompt_text": "lighthouse on a basalt cliff above a calm sea, at dusk, gouache on rough paper, muted palette",
        "negative_prompt": "blurry, watermark, text, signature",
        "parameters": {},
        "width": 1024,
        "height": 1024,
        "steps": 25,
        "cfg_scale": CFGS[number % 4],
        "seed": 4100 + number,
        "sampler_name": SAMPLERS[0],
        "scheduler": "karras",
        "checkpoint_name": "juggernautXL_v9.safetensors",
        "loras_used": [],
        "workflow_json": NODE,
        "status": "complete",
        "cached": False,
        "outputs": [output | {"rating": rating}],
        "rating": rating,
        "generation_time_seconds": 12.5,
        "created_at": made,
        "completed_at": made,
        "progress": 1.0,
        "warnings": [],
    }

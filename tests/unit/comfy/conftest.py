"""What every test of the ComfyUI adapter may use: what one recorded server said of its node classes."""

import json
from pathlib import Path
from typing import Any

import pytest

RECORDINGS = Path(__file__).parents[2] / "recordings" / "comfyui"


@pytest.fixture(scope="session")
def object_info() -> dict[str, Any]:
    """The answer of `/object_info` as recorded (ComfyUI 0.3.64), as raw JSON; shared, so nobody changes it."""
    read: dict[str, Any] = json.loads((RECORDINGS / "object_info.json").read_text(encoding="utf-8"))
    return read

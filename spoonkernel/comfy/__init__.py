"""ComfyUI: what its graphs mean (pure), and how its server is spoken to (`client`, `socket`).

For other programs: `comfy.convert.to_api`, `comfy.seeds.seed_map`, `comfy.prompts.prompt_roles`, and
`comfy.parameters.extract` and `fill`. These parts are loaded when they are first named.
"""

from importlib import import_module
from types import ModuleType

PUBLIC = ("convert", "parameters", "prompts", "seeds")


def __getattr__(name: str) -> ModuleType:
    if name in PUBLIC:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *PUBLIC})

"""Models: what can be chatted with, what is loaded, and how far a download is."""

from pydantic import Field

from spoonkernel.types.base import CamelWire, Timestamp, Wire


class Model(Wire):
    """One entry of `GET /models`. `size` is for people (`4.7 GB`), empty where the provider does not say."""

    name: str
    size: str = ""
    loaded: bool = False
    capabilities: list[str] = Field(default_factory=lambda: ["chat", "text"])
    description: str = ""
    parameters: str = ""
    provider: str = ""
    """Who answers with it, and through which profile (ours, beside what the reference prints)."""
    profile_id: str | None = None


class ModelInfo(Model):
    """One model in detail; `parameters` are the defaults set in its model file."""

    template: str = ""


class ModelStatus(CamelWire):
    """Whether a model is in memory, and when Spoon last used it (None: never by this Spoon)."""

    name: str
    loaded: bool
    last_used: Timestamp | None = None


class PullProgress(CamelWire):
    """How far a download is. `total_bytes` is None until the source says it."""

    name: str
    completed_bytes: int
    total_bytes: int | None = None
    done: bool = False


def human_size(size_bytes: int) -> str:
    """A size as Ollama prints it: powers of 1000, one decimal under 10 (`4.7 GB`, `98 MB`)."""
    size, unit = float(size_bytes), "B"
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            break
        size /= 1000
    return f"{size:.1f} {unit}" if size < 10 and unit != "B" else f"{size:.0f} {unit}"

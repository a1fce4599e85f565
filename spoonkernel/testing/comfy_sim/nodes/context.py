"""What a node is given when it runs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spoonkernel.testing.comfy_sim.catalog import Catalog
from spoonkernel.testing.comfy_sim.files import Files

if TYPE_CHECKING:
    from PIL.Image import Image

Step = Callable[[int, int, "Picture | None"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that goes out with a step. `final` is a node's result as PNG, else it is a preview."""

    draw: "Callable[[], Image]"
    final: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """The values of a node's outputs, and what it shows on the page (`ui`)."""

    outputs: tuple[Any, ...] = ()
    ui: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeContext:
    """One node of one run. `step(value, most, picture)` reports progress; it raises when the run is interrupted."""

    node_id: str
    class_type: str
    prompt: dict[str, Any]
    extra_data: dict[str, Any]
    catalog: Catalog
    files: Files
    model_bytes: dict[str, bytes]
    step: Step
    rest: Callable[[], Awaitable[None]]
    """Wait as long as one step takes."""


NodeFunction = Callable[[NodeContext, dict[str, Any]], Awaitable[Outcome | tuple[Any, ...]]]

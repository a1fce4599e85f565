"""Who can answer: the workbench's models with the provider and profile that a request for them has to name."""

from dataclasses import asdict, dataclass
from typing import Any, get_args

from spoonkernel.api import WorkbenchAPI
from spoonkernel.types.base import ChatProviderName


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of the model picker. `where` is for people: the profile's name, or where the model runs."""

    provider: str
    model: str | None
    profile_id: str | None = None
    where: str = ""
    size: str = ""

    def row(self) -> dict[str, Any]:
        return asdict(self)


async def choices(workbench: WorkbenchAPI) -> list[Choice]:
    """Every model that can chat, in the order of `models.list()`."""
    return [
        Choice(model.provider, model.name, model.profile_id, model.description.rpartition(" (")[0], model.size)
        for model in await workbench.models.list()
        if model.provider in get_args(ChatProviderName) and "chat" in model.capabilities
    ]

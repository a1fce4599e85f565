"""Who can answer: the workbench's models with the provider and profile that a request for them has to name."""

from dataclasses import asdict, dataclass
from typing import Any, get_args

from spoonkernel.api import WorkbenchAPI
from spoonkernel.errors import BadRequest
from spoonkernel.types.base import ChatProviderName

NOBODY = "No model answers yet. Fetch the small local one with `spoon models pull smollm2:135m`, or add a profile"


@dataclass(frozen=True, slots=True)
class Choice:
    """One model that can chat. `where` is for people: the profile's name, or where the model runs."""

    provider: str
    model: str | None
    profile_id: str | None = None
    where: str = ""
    size: str = ""

    @property
    def name(self) -> str:
        """What to call it before its answer says which model it is."""
        return self.model or self.provider

    def fits(self, provider: str | None = None, model: str | None = None, profile_id: str | None = None) -> bool:
        """Whether it is what was named; None fits anything."""
        named = ((provider, self.provider), (model, self.model), (profile_id, self.profile_id))
        return all(wanted in (None, own) for wanted, own in named)

    def row(self) -> dict[str, Any]:
        return asdict(self)


async def choices(workbench: WorkbenchAPI) -> list[Choice]:
    """Every model that can chat, in the order of `models.list()`."""
    return [
        Choice(model.provider, model.name, model.profile_id, model.description.rpartition(" (")[0], model.size)
        for model in await workbench.models.list()
        if model.provider in get_args(ChatProviderName) and "chat" in model.capabilities
    ]


async def choose(
    workbench: WorkbenchAPI, provider: str | None, model: str | None, profile_id: str | None = None
) -> Choice:
    """Who answers a request: what it names, else the first model that can chat and fits what it names.

    Raises:
        BadRequest: there is none; the message says what there is.
    """
    if provider is not None:
        return Choice(provider, model, profile_id)
    listed = await choices(workbench)
    if fitting := [one for one in listed if one.fits(None, model, profile_id)]:
        return fitting[0]
    if not listed:
        raise BadRequest(NOBODY)
    wanted = f"model {model!r}" if model is not None else f"profile {profile_id}"
    there = ", ".join(dict.fromkeys(one.name for one in listed[:10]))
    raise BadRequest(f"No {wanted} is there to chat with. There are: {there}")

"""Who answers in a chat: the models as last listed, the one that is chosen, and the demo model on its way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from spoonkernel.api import WorkbenchAPI
from spoonkernel.errors import BadRequest, ProviderConnectionError, SpoonError
from spoonkernel.types.profiles import Profile
from spoonwidgets._base import explain, log
from spoonwidgets._choices import NOBODY, Choice, choices, picked

DEMO_MODEL = "smollm2:135m"
MOST_COMPARED = 4
SHOWN_DEFAULTS = ("temperature", "max_tokens", "top_p", "seed", "stop")


class Models:
    """Runs on the workbench's loop but for its constructor. `mark` tells the views which part changed."""

    def __init__(self, inner: WorkbenchAPI, mark: Callable[[str], None], wanted: Choice | None) -> None:
        self._inner, self._mark = inner, mark
        self._wanted = wanted
        self.choice = wanted if wanted and wanted.provider else None
        self.listed: list[Choice] | None = None
        self.compared: list[Choice] = []
        self._profiles: dict[str, Profile] = {}
        self._looking: asyncio.Task[None] | None = None
        self._trouble: dict[str, Any] | None = None
        self._pulling: asyncio.Task[None] | None = None
        self._pull: dict[str, Any] | None = None

    def rows(self) -> dict[str, Any]:
        return {
            "choice": self.choice.row() if self.choice else None,
            "choices": [choice.row() for choice in self.listed or []],
            "compared": [choice.row() for choice in self.compared],
            "defaults": self._defaults(),
            "looking": self._looking is not None,
            "look_error": self._trouble,
        }

    def pull_row(self) -> dict[str, Any] | None:
        return self._pull

    def _defaults(self) -> dict[str, Any]:
        """What the chosen profile sends with a request where the conversation says nothing."""
        profile = self._profiles.get((self.choice.profile_id if self.choice else None) or "")
        known = profile.options if profile else {}
        return {name: str(known[name]) for name in SHOWN_DEFAULTS if known.get(name) is not None}

    def look(self) -> None:
        """Ask the workbench for its models, in the background: a provider that hangs takes seconds to give up."""
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_around())
            self._mark("models")

    async def needed(self) -> Choice:
        """Who answers next. Raises `ProviderConnectionError` where nobody does."""
        if self.choice is None:
            await self._look()
            self._mark("models")
        if self.choice is None:
            raise ProviderConnectionError(NOBODY)
        return self.choice

    async def all(self) -> list[Choice]:
        if self.listed is None:
            await self._look()
        return self.listed or []

    def choose(self, provider: str, model: str | None, profile_id: str | None) -> Choice:
        self.choice = picked(self.listed or [], provider, model, profile_id)
        self._mark("models")
        return self.choice

    def prefer(self, provider: str | None, model: str | None, profile_id: str | None) -> None:
        """What a kept conversation was held with, unless the pane was made for somebody."""
        if provider and self._wanted is None:
            self._wanted = self.choice = Choice(provider, model, profile_id)
            self._settle()
            self._mark("models")

    def compare(self, wanted: list[dict[str, Any]]) -> None:
        """Whom the next question goes to at once; nobody ends comparing."""
        found = [picked(self.listed or [], row["provider"], row["model"], row["profile_id"]) for row in wanted]
        if len(found) > MOST_COMPARED:
            raise BadRequest(f"At most {MOST_COMPARED} models can be compared at once")
        self.compared = found
        self._mark("models")

    async def _look_around(self) -> None:
        self._trouble = None
        try:
            await self._look()
        except SpoonError as error:
            self._trouble = explain(error)
        except Exception:  # noqa: BLE001 - whatever happened, the page must not go on waiting
            log.exception("The models could not be listed")
            self._trouble = explain(SpoonError())
        finally:
            self._looking = None
            self._mark("models")

    async def _look(self) -> None:
        """Read the models, and settle on one that fits what the pane was made for."""
        self.listed = await choices(self._inner)
        if any(choice.profile_id for choice in self.listed):
            self._profiles = {profile.id: profile for profile in await self._inner.profiles.list()}
        self._settle()

    def _settle(self) -> None:
        wanted = self._wanted
        asked = (wanted.provider or None, wanted.model, wanted.profile_id) if wanted else (None, None, None)
        fitting = [choice for choice in self.listed or [] if choice.fits(*asked)]
        if fitting and (self.choice is None or self.choice.model is None or not self.choice.where):
            self.choice = fitting[0]

    def pull(self) -> None:
        """Fetch the demo model in the background; the part `pull` says how far it is."""
        if self._pulling is None or self._pulling.done():
            self._pull = {"name": DEMO_MODEL, "completed": 0, "total": None, "error": None}
            self._pulling = asyncio.create_task(self._fetch())
            self._mark("pull")

    def cancel_pull(self) -> None:
        if self._pulling:
            self._pulling.cancel()

    async def _fetch(self) -> None:
        try:
            pieces: AsyncIterator[Any] = self._inner.models.pull(DEMO_MODEL)
            async for piece in pieces:
                done, total = piece.completed_bytes, piece.total_bytes
                self._pull = {"name": DEMO_MODEL, "completed": done, "total": total, "error": None}
                self._mark("pull")
            await self._look()
            self._pull = None
        except asyncio.CancelledError:
            self._pull = None
        except SpoonError as error:
            self._pull = {"name": DEMO_MODEL, "completed": 0, "total": None, "error": explain(error)}
        finally:
            self._mark("pull")
            self._mark("models")

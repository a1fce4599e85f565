"""The profiles pane: who can answer, adding and testing connections, and what to do while there is none."""

import asyncio
import contextlib
import math
from collections.abc import Iterable
from typing import Any, cast

from pydantic import JsonValue

from spoonkernel.errors import BadRequest, Conflict, SpoonError, ValidationFailed
from spoonkernel.providers.registry import PROVIDERS
from spoonkernel.types.base import MediaType, ProviderName
from spoonkernel.types.profiles import Modality
from spoonwidgets._base import Pane, Workbench, esm, log
from spoonwidgets._directory import FIELDS, HOSTS, Directory, Entry, provider_rows
from spoonwidgets._offers import Offers
from spoonwidgets._snapshot import saved_note, table

WHOLE = ("concurrency", "rate_per_minute")
MODALITIES: dict[str, tuple[Modality, ...]] = {
    "comfyui": ("text", "image"),
    "openai": ("text", "image"),
    "gemini": ("text", "image"),
    "claude": ("text", "image"),
}
"""What a provider's models take, beside text."""


class Profiles(Pane):
    """The workbench's profiles: what each can do, whether it answers, and a form to add and change them.

    A key goes from the page's box to the store, where it is encrypted. It is in no trait and no notebook, and only its
    mask ever comes back.

    Args:
        workbench: what `spoonkernel.open()` returned.
        height: of the pane, in pixels.
        static: keep a plain table in the notebook, for readers without a kernel.
        directory: shared with another pane of the same workbench.
    """

    _esm = esm("profiles.js")

    def __init__(
        self, workbench: Workbench, *, height: int = 480, static: bool = True, directory: Directory | None = None
    ) -> None:
        self._directory = directory or Directory(workbench)
        self._directory.on_change(lambda: self.mark("entries", "offers"))
        self._offers = Offers(workbench, self._directory, lambda: self.mark("offers"))
        self._failure: SpoonError | None = None
        self._background: set[asyncio.Task[None]] = set()
        super().__init__(workbench, height=height, static=static)

    def __repr__(self) -> str:
        return f"<Profiles, {self._directory.answering} of {len(self._directory.entries)} answer>"

    # -- what the page asks for --------------------------------------------------------------------------------------

    async def op_hello(self) -> dict[str, Any]:
        self._start(self._look())
        return await super().op_hello()

    async def op_look(self) -> None:
        """Read the list again, and look for servers on this machine."""
        await self._look()

    async def op_test(self, id: str) -> None:
        """Test a connection; the outcome comes with its row."""
        self._directory.test(self._directory.get(id))

    async def op_test_all(self) -> None:
        for entry in self._directory.entries:
            self._directory.test(entry)

    async def op_try(
        self, provider: str, url: str | None = None, key: str | None = None, id: str | None = None
    ) -> dict[str, Any]:
        """Test what stands in the form, storing nothing."""
        outcome = await self._directory.ask(
            self._workbench.inner.profiles.test_connection(
                provider=cast(ProviderName, provider), url=url or None, api_key=key or None, profile_id=id
            )
        )
        return outcome.model_dump()

    async def op_save(
        self,
        *,
        provider: str,
        name: str,
        url: str | None = None,
        key: str | None = None,
        prompt: str | None = None,
        options: dict[str, Any] | None = None,
        id: str | None = None,
    ) -> dict[str, str]:
        """Make a profile, or change the one with this id. An empty key keeps the stored one."""
        if not name.strip():
            raise ValidationFailed("name: the profile needs one")
        entry = self._directory.get(id) if id else None
        kept = {field: value for field, value in (entry.options if entry else {}).items() if field not in FIELDS}
        fields: dict[str, Any] = {
            "name": name.strip(),
            "url": (url or "").strip() or None,
            "prompt_template": (prompt or "").strip() or None,
            "options": kept | _options(options or {}),
        }
        if key and key.strip():
            fields["api_key"] = key.strip()
        profiles = self._workbench.inner.profiles
        if entry is not None:
            await profiles.update(entry.id, **fields)
            profile_id = entry.id
        else:
            profile_id = (await profiles.create(**fields, **_kind(provider))).id
        await self._directory.look()
        saved = self._directory.get(profile_id)
        saved.check.state = "unknown"
        self._start(self._take_in(saved))
        return {"id": profile_id}

    async def op_delete(self, id: str, force: bool = False) -> dict[str, str]:
        """Delete a profile, or forget a provider's key. `used` says what hangs on it, when that keeps it there."""
        entry = self._directory.get(id)
        if entry.kind == "machine":
            raise BadRequest(f"{entry.name} is no profile: it runs on this machine, and there is nothing to delete")
        if entry.kind == "settings":
            await self._workbench.inner.settings.delete(entry.provider)
        else:
            try:
                await self._workbench.inner.profiles.delete(id, force=force)
            except Conflict:
                return {"used": await self._what_uses(id)}
        await self._directory.look()
        self._keep_copy()
        return {"used": ""}

    async def op_simulate(self) -> dict[str, str]:
        return {"id": await self._offers.simulate()}

    async def op_use_comfyui(self) -> dict[str, str]:
        return {"id": await self._offers.use_comfyui()}

    async def op_pull(self) -> None:
        self._offers.pull()

    async def op_cancel_pull(self) -> None:
        self._offers.cancel_pull()

    # -- the work ----------------------------------------------------------------------------------------------------

    def describe(self, parts: Iterable[str] | None) -> dict[str, Any]:
        whole = parts is None
        asked = set(parts or ())
        state: dict[str, Any] = {}
        if whole or "entries" in asked:
            state["looked"] = self._directory.looked
            state["failure"] = self._failure.message if self._failure else ""
            state["entries"] = [entry.row() for entry in self._directory.entries]
        if whole or "offers" in asked:
            state["offers"] = self._offers.row()
        if whole:
            state["providers"] = provider_rows()
        return state

    def _start(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _look(self) -> None:
        try:
            await self._directory.look()
            self._failure = None
        except SpoonError as error:
            self._failure = error
        except Exception:  # noqa: BLE001 - whatever happened, the page must not go on waiting
            log.exception("The profiles could not be read")
            self._failure = SpoonError()
        self.mark("entries")
        await self._offers.look()
        await self._directory.settled()
        self._keep_copy()

    async def _take_in(self, entry: Entry) -> None:
        """Test a profile that is new or changed, and list its models so that a chat can choose among them."""
        await self._directory.test(entry)
        if entry.check.state == "ok" and entry.provider not in (*HOSTS, "comfyui"):  # theirs are read live
            with contextlib.suppress(SpoonError):
                await self._workbench.inner.profiles.sync_models(entry.id)
        self._directory.changed()
        self._keep_copy()

    async def _what_uses(self, profile_id: str) -> str:
        inner = self._workbench.inner
        sessions = [session for session in await inner.sessions.list() if session.profile_id == profile_id]
        generations = sum(session.generation_count for session in sessions)
        counts = {
            "session": len(sessions),
            "generation": generations,
            "workflow": len(await inner.workflows.list(profile_id=profile_id)),
        }
        return _listed([f"{count} {what}{'' if count == 1 else 's'}" for what, count in counts.items() if count])

    def _keep_copy(self) -> None:
        if self._snapshot:
            self._snapshot.update()

    def saved(self) -> tuple[str, str]:
        rows = [
            [entry.name, PROVIDERS[entry.provider].label, entry.row()["address"], _health(entry)]
            for entry in self._directory.entries
        ]
        if not rows:
            return "", repr(self)
        text = "\n".join(" | ".join(row) for row in rows)
        head = ["Profile", "Provider", "Address", "State when saved"]
        return saved_note("Run the cell to see the profiles live.") + table(head, rows), text


def _kind(provider: str) -> dict[str, Any]:
    """What a new profile says of itself. Its type is what it makes first of all."""
    if provider not in PROVIDERS:
        raise ValidationFailed(f"provider: {provider!r} is none of {', '.join(PROVIDERS)}")
    makes: list[MediaType] = sorted(PROVIDERS[provider].makes, key=("text", "image", "video", "audio").index)
    return {
        "provider": provider,
        "type": makes[0],
        "input_modalities": list(MODALITIES.get(provider, ("text",))),
        "output_modalities": makes,
    }


def _options(given: dict[str, Any]) -> dict[str, JsonValue]:
    """The options of the form; what is empty is left out."""
    options: dict[str, JsonValue] = {}
    for field in FIELDS:
        value = given.get(field)
        if value in (None, ""):
            continue
        options[field] = str(value).strip() if field == "model" else _number(field, value)
    return options


def _number(field: str, value: Any) -> int | float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValidationFailed(f"{field}: {value!r} is no number") from None
    least = 1 if field in WHOLE else 0
    if not math.isfinite(number) or number < least or (field in WHOLE and not number.is_integer()):
        what = "a whole number of at least 1" if field in WHOLE else "a price in US dollars, 0 or more"
        raise ValidationFailed(f"{field}: {what}, not {value}")
    return int(number) if field in WHOLE else number


def _health(entry: Entry) -> str:
    match entry.check.state:
        case "ok":
            return f"answered in {entry.check.latency_ms} ms, {len(entry.models)} models"
        case "failed":
            return entry.check.words
        case _:
            return "not tested"


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else "other rows"

"""Who could answer and who does: profiles, stored keys of providers, and what runs on this machine without either.

One directory may be shared by several panes. It lives on the workbench's loop.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, cast

from spoonkernel.errors import NotFound, SpoonError
from spoonkernel.providers.registry import PROVIDERS
from spoonkernel.types.base import KeyedProviderName, ProviderName
from spoonkernel.types.profiles import Profile
from spoonkernel.types.settings import ConnectionTest, ProviderSettings
from spoonwidgets._base import Workbench

CHECK_S = 15.0
"""A provider that has not answered by then counts as silent."""
HOSTS = ("local", "ollama")
"""Providers that need neither key nor profile."""
SHOWN_MODELS = 200
FIELDS = ("model", "concurrency", "rate_per_minute", "input_usd_per_million", "output_usd_per_million")
"""The options of a profile that a page may see and change; others stay as they are."""

State = Literal["unknown", "testing", "ok", "failed"]


@dataclass(slots=True)
class Check:
    """The last connection test. `words` say why it failed, `at` is the local time of day."""

    state: State = "unknown"
    words: str = ""
    latency_ms: int | None = None
    at: str = ""


@dataclass(slots=True)
class Entry:
    """Somebody who may answer. `id` is the profile's, or `settings:PROVIDER`, or `machine:PROVIDER`."""

    id: str
    kind: Literal["profile", "settings", "machine"]
    provider: str
    name: str
    url: str | None = None
    key: str | None = None
    """The mask."""
    prompt: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)
    check: Check = field(default_factory=Check)
    checking: "asyncio.Task[None] | None" = None

    def row(self) -> dict[str, Any]:
        provider = PROVIDERS[self.provider]
        return {
            "id": self.id,
            "kind": self.kind,
            "provider": self.provider,
            "label": provider.label,
            "name": self.name,
            "url": self.url,
            "address": (self.url or provider.url or "").removeprefix("http://").removeprefix("https://"),
            "key": self.key,
            "prompt": self.prompt,
            "options": {name: self.options[name] for name in FIELDS if name in self.options},
            "makes": sorted(provider.makes),
            "models": self.models[:SHOWN_MODELS],
            "model_count": len(self.models),
            "state": self.check.state,
            "words": self.check.words,
            "latency_ms": self.check.latency_ms,
            "at": self.check.at,
        }


class Directory:
    """`entries` in the order of the list: ComfyUI first, then who chats; the oldest first."""

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench
        self._listeners: list[Callable[[], None]] = []
        self._work: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None
        self.entries: list[Entry] = []
        self.looked = False
        """Whether the profiles have been read at all."""

    def on_change(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    def changed(self) -> None:
        for listener in self._listeners:
            listener()

    def get(self, entry_id: str) -> Entry:
        for entry in self.entries:
            if entry.id == entry_id:
                return entry
        raise NotFound("This profile is not there any more; the list is read again when the pane is opened")

    def of(self, provider: str) -> list[Entry]:
        return [entry for entry in self.entries if entry.provider == provider]

    @property
    def answering(self) -> int:
        return sum(entry.check.state == "ok" for entry in self.entries)

    async def look(self) -> None:
        """Read what is stored, and test what has not been tested yet, in the background. Two at once look once."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        await asyncio.shield(self._looking)

    async def _look(self) -> None:
        known = {entry.id: entry for entry in self.entries}
        inner = self._workbench.inner
        with contextlib.suppress(SpoonError):
            await inner.workflows.list()  # where COMFYUI_URL is set, this makes its profile
        profiles = [_of_profile(profile) for profile in reversed(await inner.profiles.list())]
        settings = [_of_settings(row) for row in await inner.settings.list()]
        machine = [known[entry_id] for host in HOSTS if (entry_id := f"machine:{host}") in known]
        fresh = [_keep(known.get(entry.id), entry) for entry in [*profiles, *settings, *machine]]
        self.entries = sorted(fresh, key=lambda entry: entry.provider != "comfyui")
        self.looked = True
        self.changed()
        for entry in self.entries:
            if entry.check.state == "unknown":
                self.test(entry)
        self._background(self._look_at_machine())

    def test(self, entry: Entry) -> "asyncio.Task[None]":
        """Test a connection; a test that is under way is the one."""
        if entry.checking is None or entry.checking.done():
            entry.check.state = "testing"
            entry.checking = self._background(self._test(entry))
            self.changed()
        return entry.checking

    async def _test(self, entry: Entry) -> None:
        outcome = await self.ask(self._question(entry))
        entry.check = Check(
            state="ok" if outcome.connected else "failed",
            words=outcome.error or "",
            latency_ms=outcome.latency,
            at=f"{datetime.now().astimezone():%H:%M}",
        )
        if outcome.connected:
            entry.models = outcome.models or []
        self.changed()

    def _question(self, entry: Entry) -> Any:
        inner = self._workbench.inner
        if entry.kind == "settings":
            return inner.settings.test(entry.provider)
        profile = entry.id if entry.kind == "profile" else None
        return inner.profiles.test_connection(
            provider=cast(ProviderName, entry.provider), url=entry.url, profile_id=profile
        )

    @staticmethod
    async def ask(question: Any) -> ConnectionTest:
        """The outcome of a connection test; whatever goes wrong is an outcome too."""
        try:
            async with asyncio.timeout(CHECK_S):
                outcome: ConnectionTest = await question
                return outcome
        except TimeoutError:
            return ConnectionTest(connected=False, error=f"No answer within {CHECK_S:.0f} s")
        except SpoonError as error:
            return ConnectionTest(connected=False, error=error.message)

    async def _look_at_machine(self) -> None:
        """What answers without a profile: the local engine, and an Ollama at its usual address."""
        inner = self._workbench.inner
        wanted = [host for host in HOSTS if not any(entry.url is None for entry in self._profiles_of(host))]
        questions = [inner.profiles.test_connection(provider=cast(ProviderName, host)) for host in wanted]
        outcomes = await asyncio.gather(*(self.ask(question) for question in questions))
        self.entries = [entry for entry in self.entries if entry.kind != "machine"]
        for host, outcome in zip(wanted, outcomes, strict=True):
            if outcome.connected and outcome.models:
                check = Check("ok", latency_ms=outcome.latency, at=f"{datetime.now().astimezone():%H:%M}")
                name = PROVIDERS[host].label
                self.entries.append(Entry(f"machine:{host}", "machine", host, name, models=outcome.models, check=check))
        self.changed()

    def _profiles_of(self, provider: str) -> list[Entry]:
        return [entry for entry in self.of(provider) if entry.kind == "profile"]

    def _background(self, work: Any) -> "asyncio.Task[None]":
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._work.add(task)  # the loop alone would let go of it
        task.add_done_callback(self._work.discard)
        return task

    async def settled(self) -> None:
        """Once nothing is being tested."""
        while work := {task for task in self._work if not task.done()}:
            await asyncio.wait(work)


def _of_profile(profile: Profile) -> Entry:
    return Entry(
        profile.id,
        "profile",
        profile.provider,
        profile.name,
        url=profile.url,
        key=profile.api_key,
        prompt=profile.prompt_template,
        options=dict(profile.options),
    )


def _of_settings(row: ProviderSettings) -> Entry:
    provider: KeyedProviderName = row.provider
    return Entry(
        f"settings:{provider}",
        "settings",
        provider,
        f"{PROVIDERS[provider].label}, key in the settings",
        url=row.endpoint_url,
        key=row.api_key,
        options={"model": row.default_model} if row.default_model else {},
    )


def _keep(before: Entry | None, now: Entry) -> Entry:
    """The entry as it is stored now, with what is known of it from before as long as it is the same address and key."""
    if before is not None and (before.url, before.key, before.provider) == (now.url, now.key, now.provider):
        now.check, now.models, now.checking = before.check, before.models, before.checking
    return now


def provider_rows(names: Iterable[str] = PROVIDERS) -> list[dict[str, Any]]:
    """What a form needs to know of each provider."""
    return [
        {
            "name": name,
            "label": PROVIDERS[name].label,
            "url": PROVIDERS[name].url,
            "needs_key": PROVIDERS[name].needs_key,
            "makes": sorted(PROVIDERS[name].makes),
        }
        for name in names
    ]

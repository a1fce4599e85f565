"""Chat on this machine without any server: llama.cpp in child processes (`local_child`), spoken to in OpenAI's format.

`LocalModels` owns the processes, one for each model in memory; `Local` is the provider that uses them.
"""

import asyncio
import contextlib
import importlib.util
import json
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Self

import httpx

from spoonkernel.errors import NotFound, ProviderConnectionError, ProviderRefused
from spoonkernel.providers.base import ChatCall, ProviderModel
from spoonkernel.providers.http import Pacing, ProviderHTTP
from spoonkernel.providers.openai import OpenAI
from spoonkernel.providers.weights import KNOWN, find_weights, list_weights
from spoonkernel.types.chat import Delta

LABEL = "The local engine"
MOST_LOADED = 2
IDLE_S = 600.0
START_S = 120.0  # a model of several GB from a slow disk
TOKEN_CAP = 1024  # a small model may otherwise talk for ever; `max_tokens` overrules it
CONTEXT = 4096  # tokens, shared by the answers that run at once
SLOTS = 2
NOT_INSTALLED = "The local engine is not installed: pip install 'spoon-workbench[local]'"


class LocalModels:
    """The models of the local engine that are in memory, each in its own process. Close it, or use it as `async with`.

    A model is started by its first use and stopped when it was idle for `idle_s` seconds, when more than `most` would
    be loaded (the one used longest ago goes; one that is answering stays), and by `close`.
    """

    def __init__(
        self, models_dir: Path, *, most: int = MOST_LOADED, idle_s: float = IDLE_S, start_s: float = START_S
    ) -> None:
        self.models_dir = models_dir
        self._most, self._idle_s, self._start_s = most, idle_s, start_s
        self._children: dict[str, _Child] = {}  # the one used longest ago first
        self._changing = asyncio.Lock()  # held to start or stop a child, never while one answers
        self._freed = asyncio.Condition()
        self._idle_watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End every process, also those that are answering."""
        async with self._changing:  # so the watch, if it runs, is asleep and not half through a stop
            if self._idle_watch:
                self._idle_watch.cancel()
                await asyncio.wait([self._idle_watch])
                self._idle_watch = None
            for name in list(self._children):
                await self._stop(name)

    def loaded(self) -> set[str]:
        """The names of the models in memory now."""
        return {name for name, child in self._children.items() if child.alive}

    async def unload(self, name: str) -> None:
        """End a model's process, also while it answers; fine when it is not loaded."""
        async with self._changing:
            await self._stop(name)

    @contextlib.asynccontextmanager
    async def using(self, name: str) -> AsyncIterator["_Child"]:
        """The model's running process, started if need be, kept for as long as the block lasts.

        Raises:
            ProviderRefused: the engine is not installed.
            NotFound: there are no such weights.
            ProviderConnectionError: it does not start; the message has its last words.
        """
        child = await self._running(name)
        try:
            yield child
        finally:
            child.users -= 1
            child.used_at = asyncio.get_running_loop().time()
            async with self._freed:
                self._freed.notify_all()

    async def _running(self, name: str) -> "_Child":
        while (child := self._take(name)) is None:
            async with self._changing:
                up = self._is_up(name) or await self._start(name)
            if not up:  # every other model is answering: wait for one to end
                async with self._freed:
                    await self._freed.wait_for(self._has_room)
        return child

    def _take(self, name: str) -> "_Child | None":
        if not self._is_up(name):
            return None
        child = self._children[name] = self._children.pop(name)  # the last in the row: used last
        child.users += 1
        return child

    def _is_up(self, name: str) -> bool:
        return name in self._children and self._children[name].alive

    def _has_room(self) -> bool:
        return len(self._children) < self._most or any(c.users == 0 or not c.alive for c in self._children.values())

    async def _start(self, name: str) -> bool:
        """Start a model's process; False while there is no room for it."""
        if not is_installed():
            raise ProviderRefused(NOT_INSTALLED)
        path = await asyncio.to_thread(find_weights, name, self.models_dir)
        for other in [n for n, child in self._children.items() if not child.alive]:  # what a crash left
            await self._stop(other)
        while len(self._children) >= self._most:
            idle = next((n for n, child in self._children.items() if child.users == 0), None)
            if idle is None:
                return False
            await self._stop(idle)
        self._children[name] = await _Child.start(name, path, self._start_s)
        if self._idle_watch is None:
            self._idle_watch = asyncio.create_task(self._stop_idle(), name="idle models of the local engine")
        return True

    async def _stop(self, name: str) -> None:
        if child := self._children.pop(name, None):  # out of the row first: nobody takes it while it ends
            await child.stop()
            async with self._freed:
                self._freed.notify_all()

    async def _stop_idle(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            async with self._changing:
                late = [n for n, child in self._children.items() if child.idle_s(loop.time()) >= self._idle_s]
                for name in late:
                    await self._stop(name)
                longest = max((child.idle_s(loop.time()) for child in self._children.values()), default=0.0)
            await asyncio.sleep(max(self._idle_s - longest, 0.01))


class Local:
    """The provider `local`. `pool` is shared with the other providers and closed by its owner, as `models` is."""

    def __init__(self, models: LocalModels, pool: httpx.AsyncBaseTransport) -> None:
        self._models, self._pool = models, pool

    async def models(self) -> list[ProviderModel]:
        """The weights that are here. Raises `ProviderRefused` when the engine is not installed."""
        if not is_installed():
            raise ProviderRefused(NOT_INSTALLED)
        found = await asyncio.to_thread(list_weights, self._models.models_dir)
        return [self._described(name, path) for name, path in found.items()]

    async def info(self, name: str) -> ProviderModel:
        return self._described(name, await asyncio.to_thread(find_weights, name, self._models.models_dir))

    async def load(self, name: str) -> None:
        async with self._models.using(name):
            pass

    async def unload(self, name: str) -> None:
        await self._models.unload(name)

    async def loaded(self) -> set[str]:
        return self._models.loaded()

    async def stream(self, call: ChatCall) -> AsyncGenerator[Delta, None]:
        """See `Provider`. Starts the model first if need be. Without `max_tokens` it ends after 1,024 tokens."""
        try:
            async with self._models.using(call.model) as child, contextlib.aclosing(self._ask(child, call)) as answer:
                async for delta in answer:
                    yield delta
        except NotFound as error:
            raise ProviderRefused(error.message) from error

    async def _ask(self, child: "_Child", call: ChatCall) -> AsyncGenerator[Delta, None]:
        if known := KNOWN.get(call.model):
            call = replace(call, options={**known.sampling, **call.options})
        # llama.cpp hangs up after each stream without saying so: a connection used twice would fail every other time
        headers = {"Authorization": f"Bearer {child.key}", "Connection": "close"}
        http = ProviderHTTP(
            self._pool, f"{child.url}/v1", name=LABEL, headers=headers, secret=child.key, pacing=Pacing(retries=0)
        )
        try:
            async with contextlib.aclosing(OpenAI(http, token_cap=TOKEN_CAP).stream(call)) as answer:
                async for delta in answer:
                    yield delta
        except ProviderConnectionError as error:
            if not await child.has_ended():
                raise
            raise ProviderConnectionError(
                f"The local engine stopped while {call.model} was answering ({child.last_words()}). "
                "The next request starts it again"
            ).with_partial(error.partial or "") from error

    def _described(self, name: str, path: Path) -> ProviderModel:
        known = KNOWN.get(name)
        return ProviderModel(
            name,
            size_bytes=path.stat().st_size,
            loaded=name in self._models.loaded(),
            parameters=known.parameters if known else "",
            description=known.description if known else f"{path.name}, on this machine",
        )


def is_installed() -> bool:
    """Whether the engine's library is in this environment."""
    return importlib.util.find_spec("xllamacpp") is not None


class _Child:
    """One running process. `users` counts the answers under way, `used_at` is when the last one ended (loop time)."""

    def __init__(self, process: asyncio.subprocess.Process, log: IO[bytes]) -> None:
        self._process, self._log = process, log
        self.key = secrets.token_urlsafe(32)
        self.url = ""
        self.users = 0
        self.used_at = asyncio.get_running_loop().time()

    @classmethod
    async def start(cls, name: str, path: Path, start_s: float) -> Self:
        """Start the process and wait until the model is loaded, at most `start_s` seconds."""
        log = tempfile.TemporaryFile()  # noqa: SIM115  # open for as long as the process lives; `stop` closes it
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "spoonkernel.providers.local_child"),  # -P: nothing from the current folder
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # a signal to our group (Ctrl-C, Stop in a notebook) is for us to act on
        )
        child = cls(process, log)
        try:
            async with asyncio.timeout(start_s):
                child.url = await child._load(name, path)
        except TimeoutError as error:
            raise ProviderConnectionError(f"{name} was not loaded within {start_s:.0f} s") from error
        finally:
            if not child.url:
                await child.stop()
        return child

    async def _load(self, name: str, path: Path) -> str:
        """Hand over the settings and wait for the address."""
        settings = {"path": str(path), "name": name, "key": self.key, "threads": max(1, (os.cpu_count() or 2) - 1)}
        template = KNOWN[name].chat_template if name in KNOWN else ""
        settings |= {"context": CONTEXT, "slots": SLOTS, "chat_template": template}
        assert self._process.stdin and self._process.stdout  # noqa: S101  # both are pipes, says `start`
        with contextlib.suppress(ConnectionError):  # it died at once: the empty line below says so
            self._process.stdin.write(json.dumps(settings).encode() + b"\n")
            await self._process.stdin.drain()
        line = await self._process.stdout.readline()
        if not line:
            await self._process.wait()
            raise ProviderConnectionError(f"The local engine could not load {name} ({path.name}): {self.last_words()}")
        return str(json.loads(line)["url"])

    async def stop(self) -> None:
        """End the process at once: it holds nothing that is worth a farewell."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()
        self._log.close()

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def has_ended(self) -> bool:
        """Whether the process is gone; a connection breaks a moment before its process is known to be dead."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await self._process.wait()
        return not self.alive

    def idle_s(self, now: float) -> float:
        """Seconds since the last answer ended; 0 while one is under way."""
        return 0.0 if self.users else now - self.used_at

    def last_words(self) -> str:
        """What it wrote last, else how it ended."""
        code = self._process.returncode or 0
        ending = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        if self._log.closed:
            return ending
        self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - 2_000))
        lines = [line.strip() for line in self._log.read().decode(errors="replace").splitlines() if line.strip()]
        return " | ".join([*lines[-3:], ending])

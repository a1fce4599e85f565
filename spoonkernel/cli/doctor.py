"""`spoon doctor`: what is connected, what is missing, how to fix it. It shows neither secrets nor whole addresses."""

import argparse
import asyncio
import http.client
import importlib.util
import os
import platform
import shutil
import sqlite3
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from spoonkernel.config import PROVIDER_KEYS, Config, read_config
from spoonkernel.errors import SpoonError
from spoonkernel.providers.weights import SMOLLM2, list_weights
from spoonkernel.query.process import NEEDED

PROBE_S = 3.0
POLL_S = 0.02
OLDEST_PYTHON = (3, 11)
LITTLE_SPACE = 1_000_000_000  # bytes
EXTRAS = {
    "query": NEEDED,
    "lab": ("jupyterlab", "ipykernel", "ipywidgets", "anywidget"),
    "server": ("fastapi", "socketio", "uvicorn", "psycopg"),
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
MARKS = {"ok": "ok  ", "optional": "--  ", "away": "!   ", "broken": "FAIL"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `optional` is not set up, `away` is named and does not answer; only `broken` fails."""

    state: Literal["ok", "optional", "away", "broken"]
    what: str
    said: str
    fix: str = ""


def run(args: argparse.Namespace) -> int:
    """Print every finding; 0 when none of them is broken."""
    try:
        findings = list(examine(read_config(data=args.data)))
    except SpoonError as error:
        findings = [Finding("broken", "Settings", error.message)]
    for finding in findings:
        print(f"{MARKS[finding.state]}  {finding.what:<15}  {finding.said}")
        if finding.fix:
            print(f"{'':23}-> {finding.fix}")
    broken = [finding.what for finding in findings if finding.state == "broken"]
    print(f"\nSpoon cannot work yet: {', '.join(broken)}." if broken else "\nSpoon can work.")
    return 1 if broken else 0


def examine(config: Config) -> Iterator[Finding]:
    """Every check, in the order they are shown; they run at the same time."""
    checks: list[Callable[[Config], Finding]] = [
        *(_python, _data, _store, _encryption, _redis, _ollama, _comfyui),
        *(_engine, _weights, _keys, _questions, _lab, _server, _browser),
    ]
    with ThreadPoolExecutor(len(checks)) as pool:
        yield from pool.map(lambda check: check(config), checks)


def _python(_: Config) -> Finding:
    version = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info < OLDEST_PYTHON:
        return Finding("broken", "Python", version, "Spoon needs Python 3.11 or newer")
    return Finding("ok", "Python", version)


def _data(config: Config) -> Finding:
    folder = config.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        fix = "make it writable, or name another with --data or SPOON_DATA"
        return Finding("broken", "Data folder", f"{folder}: {error.strerror}", fix)
    said = f"{folder}, {free / 1e9:.1f} GB free"
    if free < LITTLE_SPACE:
        return Finding("away", "Data folder", said, "pictures and models will soon not fit")
    return Finding("ok", "Data folder", said)


def _store(config: Config) -> Finding:
    if config.database_url:
        return _database(config.database_url)
    file = config.store_file
    if not file.exists():
        return Finding("ok", "Store", "embedded; its file is made at the first start")
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=PROBE_S)) as store:
            store.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        return Finding(
            "broken", "Store", f"{file} cannot be read: {error}", "restore it from a backup, or move it away"
        )
    return Finding("ok", "Store", f"embedded, {file}")


def _database(url: str) -> Finding:
    if url.startswith("sqlite"):
        return Finding("ok", "Store", f"SQLite, {urlsplit(url).path}")
    where = f"Postgres at {_host(url)}"
    if importlib.util.find_spec("psycopg") is None:
        return Finding("broken", "Store", f"{where}: its driver is missing", "pip install 'spoon-workbench[server]'")
    import psycopg

    try:
        plain = "postgresql://" + url.partition("://")[2]
        with psycopg.connect(plain, connect_timeout=round(PROBE_S)) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error:  # its sentence may repeat the address as it was given
        fix = "is it running? check DATABASE_URL, or DB_HOST, DB_PORT, DB_NAME, DB_USER and DB_PASSWORD"
        return Finding("broken", "Store", f"{where} refuses or does not answer", fix)
    return Finding("ok", "Store", where)


def _encryption(config: Config) -> Finding:
    from spoonkernel.vault import Vault

    file = config.key_file
    origin = "SPOON_ENCRYPTION_KEY" if config.encryption_keys else str(file)
    if not config.encryption_keys and not file.exists():
        return Finding("ok", "Encryption key", "is made at the first start")
    try:
        if not config.encryption_keys and os.name == "posix" and file.stat().st_mode & 0o077:
            return Finding("broken", "Encryption key", f"{file} can be read by others", f"chmod 600 '{file}'")
        Vault(config.encryption_keys or file.read_text(encoding="utf-8").split())
    except SpoonError as error:
        return Finding("broken", "Encryption key", f"{origin}: {error.message}")
    except OSError as error:
        return Finding("broken", "Encryption key", f"{file}: {error.strerror}", "it must be readable by you alone")
    return Finding("ok", "Encryption key", origin)


def _redis(config: Config) -> Finding:
    if not config.redis_url:
        return Finding("optional", "Redis", "not named: tasks run in the server or notebook", "workers need REDIS_URL")
    where = _host(config.redis_url)
    if not asyncio.run(_connects(config.redis_url)):
        fix = "is it running? check REDIS_URL, or REDIS_HOST and REDIS_PORT"
        return Finding("away", "Redis", f"{where} refuses or does not answer", fix)
    return Finding("ok", "Redis", where)


async def _connects(url: str) -> bool:
    from spoonkernel.bus.redis import RedisBus

    with suppress(TimeoutError, ValueError):  # ValueError: not a Redis address at all
        async with RedisBus(url) as bus, asyncio.timeout(PROBE_S):
            while not bus.connected:  # noqa: ASYNC110  # the bus has no such event to wait for
                await asyncio.sleep(POLL_S)
            return True
    return False


def _ollama(config: Config) -> Finding:
    where = _host(config.ollama_url)
    if _answers(f"{config.ollama_url}/api/version"):
        return Finding("ok", "Ollama", where)
    fix = "start it with `ollama serve`, or set OLLAMA_URL"
    return Finding("away" if config.ollama_named else "optional", "Ollama", f"does not answer at {where}", fix)


def _comfyui(config: Config) -> Finding:
    if not config.comfyui_url:
        return Finding(
            "optional",
            "ComfyUI",
            "not named",
            "for pictures set COMFYUI_URL; `spoon comfy-sim` starts a simulated one to try",
        )
    where = _host(config.comfyui_url)
    if _answers(f"{config.comfyui_url.rstrip('/')}/system_stats"):
        return Finding("ok", "ComfyUI", where)
    return Finding("away", "ComfyUI", f"does not answer at {where}", "is it running? check COMFYUI_URL")


def _engine(_: Config) -> Finding:
    if importlib.util.find_spec("xllamacpp") is None:
        return Finding("optional", "Local engine", "not installed", "pip install 'spoon-workbench[local]'")
    return Finding("ok", "Local engine", "installed")


def _weights(config: Config) -> Finding:
    found = list_weights(config.models_dir)
    if not found:
        return Finding("optional", "Local models", "none yet", f"spoon models pull {SMOLLM2.name}")
    return Finding("ok", "Local models", ", ".join(found))


def _keys(config: Config) -> Finding:
    names = [variable for provider, variable in PROVIDER_KEYS.items() if provider in config.provider_keys]
    if not names:
        fix = "profiles hold keys too; Ollama and the local engine need none"
        return Finding("optional", "Keys", "none in the environment", fix)
    return Finding("ok", "Keys", f"in the environment: {', '.join(names)}")


def _questions(config: Config) -> Finding:
    if config.database_queries is False:
        return Finding("optional", "Questions", "switched off here", "SPOON_DATABASE_QUERIES=0 says so; unset it")
    return _extra("query", "Questions", "%%sql, wb.database, the query pane")


def _lab(_: Config) -> Finding:
    return _extra("lab", "JupyterLab", "spoon lab")


def _server(_: Config) -> Finding:
    return _extra("server", "Server", "spoon serve")


def _extra(extra: str, what: str, command: str) -> Finding:
    if missing := [name for name in EXTRAS[extra] if importlib.util.find_spec(name) is None]:
        return Finding("optional", what, f"missing: {', '.join(missing)}", f"pip install 'spoon-workbench[{extra}]'")
    return Finding("ok", what, f"installed: {command}")


def _browser(_: Config) -> Finding:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        return Finding("optional", "Chromium", "not found; only Spoon's own browser tests need it")
    return Finding("ok", "Chromium", f"{found}, for the browser tests")


def _host(url: str) -> str:
    """Host and port of an address, never its login or query."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that is none"
    return f"{parts.hostname or 'localhost'}{port}"


def _answers(url: str) -> bool:
    """Whether a GET succeeds. Without the environment's proxies, as the providers are called."""
    opener = urllib.request.OpenerDirector()  # http and https only: the usual one would open files too
    for handler in (urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
        opener.add_handler(handler())
    try:
        with opener.open(url, timeout=PROBE_S) or nullcontext() as reply:
            status = reply.status if reply else None
    except (OSError, ValueError, http.client.HTTPException):
        return False
    else:
        return status == 200

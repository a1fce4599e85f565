"""Starts the servers of a benchmark, each in a process of its own, and ends them."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
START_S = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes]) -> float:
    """Seconds until the address answers."""
    started = time.perf_counter()
    while time.perf_counter() - started < START_S:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args} ended with {process.returncode}")
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url, timeout=1).read()
            return time.perf_counter() - started
        time.sleep(0.005)
    raise TimeoutError(url)


@contextlib.contextmanager
def app(target: str, **env: str) -> Iterator[str]:
    """An ASGI app of this folder on uvicorn: `fakes:upstream`. Yields its address."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", target, "--port", str(port), "--log-level", "error", "--no-access-log"]
    with process(command, f"http://127.0.0.1:{port}/", cwd=HERE, **env) as (url, _, _):
        yield url.rstrip("/")


@contextlib.contextmanager
def spoon(data: Path, **env: str) -> Iterator[tuple[str, int, float]]:
    """`spoon serve` on a data folder. Yields its address, its process id and the seconds until it was healthy."""
    port = free_port()
    command = [sys.executable, "-m", "spoonkernel.cli", "serve", "--port", str(port), "--data", str(data)]
    with process(command, f"http://127.0.0.1:{port}/api/health", **env) as (_, pid, seconds):
        yield f"http://127.0.0.1:{port}", pid, seconds


@contextlib.contextmanager
def process(command: list[str], ready: str, cwd: Path | None = None, **env: str) -> Iterator[tuple[str, int, float]]:
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = subprocess.Popen(command, cwd=cwd, env=clean | env, stdout=subprocess.DEVNULL)
    try:
        seconds = wait_for(ready, started)
        yield ready, started.pid, seconds
    finally:
        started.terminate()
        started.wait(30)

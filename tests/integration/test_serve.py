"""`spoon serve` as a process: its ready line, its answers, and how it ends."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil

from commands import Served, serving, spoon
from spoonkernel.config import read_config
from spoonkernel.providers.weights import SMOLLM2, pull
from spoonkernel.workbench import Workbench


async def get(url: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(url)


async def test_it_answers_when_it_says_so_keeps_its_port_and_ends_cleanly(tmp_path, record_property):
    started = time.perf_counter()
    async with serving("--port", "0", "--data", str(tmp_path)) as served:
        health = await get(f"{served.url}/api/health")
        record_property("start_to_healthy_s", round(time.perf_counter() - started, 2))
        assert health.status_code == 200
        assert health.json()["data"]["services"]["database"] == "embedded"
        assert (await get(f"{served.url}/docs")).status_code == 200
        await refused_the_port_of(served, tmp_path / "other")
        assert (await get(f"{served.url}/api/health")).status_code == 200
        assert await served.end() == (0, "", "")
    assert (tmp_path / "spoon.db").exists()


async def test_the_port_comes_from_the_environment_and_ctrl_c_ends_it_as_cleanly(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with serving("--data", str(tmp_path), PORT=str(port)) as served:
        assert served.url == f"http://127.0.0.1:{port}"
        assert await served.end(signal.SIGINT) == (0, "", "")


async def refused_the_port_of(served: Served, data: Path) -> None:
    """A second server on the port of the first says so and leaves."""
    port = served.url.rpartition(":")[2]
    second = await spoon("serve", "--port", port, "--data", str(data))
    out, err = await second.communicate()
    assert (second.returncode, out) == (1, b"")
    assert err.decode().startswith(f"spoon: Cannot listen on port {port} of 127.0.0.1")


async def test_beyond_this_machine_it_refuses(tmp_path):
    process = await spoon("serve", "--host", "0.0.0.0", "--data", str(tmp_path))
    _, err = await process.communicate()
    assert process.returncode == 1
    assert b"this version has no login" in err


async def test_a_store_that_cannot_be_opened_is_one_sentence(tmp_path):
    (tmp_path / "spoon.db").write_bytes(b"this is no database" * 1000)
    process = await spoon("serve", "--port", "0", "--data", str(tmp_path))
    out, err = await process.communicate()
    assert (process.returncode, out) == (1, b"")
    assert err.decode().startswith("spoon: ")
    assert b"Traceback" not in err


async def test_an_open_stream_does_not_hold_up_the_end(tmp_path):
    async with serving("--port", "0", "--data", str(tmp_path)) as served:
        host, port = served.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /api/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{")  # and then nothing
        await writer.drain()
        started = time.perf_counter()
        code, _, _ = await served.end()
        assert code == 0
        assert time.perf_counter() - started < 20
        with contextlib.suppress(ConnectionError):  # cut with unread bytes: a reset, or the answer's end
            async with asyncio.timeout(5):
                await reader.read()  # to the end: the connection is over
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def workers(served: Served) -> list[psutil.Process]:
    """The worker processes of a server."""
    found = []
    for child in psutil.Process(served.process.pid).children():
        with contextlib.suppress(psutil.Error):  # it ends while we look
            if "worker" in child.cmdline():
                found.append(child)
    return found


async def until(true, deadline_s: float = 30.0) -> None:
    async with asyncio.timeout(deadline_s):
        while not true():
            await asyncio.sleep(0.02)


async def finished(client: httpx.AsyncClient, task_id: str) -> dict:
    async with asyncio.timeout(60):
        while True:
            task = (await client.get(f"/api/tasks/{task_id}")).json()["data"]
            if task["status"] in {"complete", "failed"}:
                return task
            await asyncio.sleep(0.05)


async def test_a_worker_that_dies_is_started_again_and_workers_run_the_tasks_and_go_with_their_server(
    tmp_path, valkey_url
):
    async for _ in pull(SMOLLM2.name, tmp_path / "models"):
        pass
    async with serving("--port", "0", "--data", str(tmp_path), "--workers", "1", REDIS_URL=valkey_url) as served:
        await until(lambda: workers(served))
        first = workers(served)[0]
        first.kill()
        await until(lambda: any(worker.pid != first.pid for worker in workers(served)))
        body = {"name": "hello", "type": "text", "provider": "local", "prompt": "Say hello."}
        body["options"] = {"model": SMOLLM2.name, "max_tokens": 5}
        async with httpx.AsyncClient(base_url=served.url, trust_env=False) as client:
            created = (await client.post("/api/tasks", json=body)).json()
            assert (await finished(client, created["data"]["id"]))["status"] == "complete"
        [worker] = workers(served)
        engine = [child for child in worker.children() if "spoonkernel.providers.local_child" in child.cmdline()]
        assert len(engine) == 1, "the worker ran it, not the server"
        code, _, err = await served.end()
        assert code == 0, err
        assert "worker 1 ended with exit code -9; starting it again" in err
        assert not worker.is_running()
        assert not engine[0].is_running()


async def test_workers_do_not_outlive_a_server_that_is_killed(tmp_path, valkey_url):
    async with serving("--port", "0", "--data", str(tmp_path), "--workers", "2", REDIS_URL=valkey_url) as served:
        lines: list[bytes] = []
        async with asyncio.timeout(60):
            while sum(b"is ready" in line for line in lines) < 2:  # the workers' own lines come on our stderr
                lines.append(await served.process.stderr.readline())
        both = workers(served)
        served.process.kill()
        await served.process.wait()
        assert len(both) == 2
        await until(lambda: not any(worker.is_running() for worker in both))


async def test_a_worker_by_itself_says_when_it_is_ready_and_ends_on_sigterm(tmp_path, valkey_url):
    worker = await spoon("worker", "--data", str(tmp_path), REDIS_URL=valkey_url)
    async with asyncio.timeout(30):
        line = (await worker.stdout.readline()).decode()
    assert line == f"Spoon worker {worker.pid} is ready: up to 8 tasks at once\n"
    worker.send_signal(signal.SIGTERM)
    async with asyncio.timeout(30):
        out, err = await worker.communicate()
    assert (worker.returncode, out, err) == (0, b"", b"")


async def test_a_worker_whose_redis_is_away_says_so_and_waits(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    worker = await spoon("worker", "--data", str(tmp_path), REDIS_URL=f"redis://:canary@127.0.0.1:{port}/0")
    async with asyncio.timeout(30):
        line = (await worker.stdout.readline()).decode()
    assert "is ready" in line
    worker.send_signal(signal.SIGTERM)
    async with asyncio.timeout(30):
        _, err = await worker.communicate()
    assert worker.returncode == 0
    assert b"Redis does not answer yet" in err
    assert b"canary" not in err


async def test_a_second_signal_ends_a_busy_worker_at_once(tmp_path, valkey_url):
    async for _ in pull(SMOLLM2.name, tmp_path / "models"):
        pass
    worker = await spoon("worker", "--data", str(tmp_path), REDIS_URL=valkey_url)
    async with (
        asyncio.timeout(60),
        Workbench(read_config({"REDIS_URL": valkey_url}, data=tmp_path), role="submit-only") as workbench,
    ):
        assert b"is ready" in await worker.stdout.readline()
        options = {"model": SMOLLM2.name, "max_tokens": 4000}
        task = await workbench.tasks.create(
            name="long", type="text", provider="local", prompt="Write a very long story.", options=options
        )
        while (await workbench.tasks.get(task.id)).status != "running":
            await asyncio.sleep(0.02)
        started = time.perf_counter()
        while worker.returncode is None:
            worker.send_signal(signal.SIGTERM)
            await asyncio.wait([asyncio.ensure_future(worker.wait())], timeout=0.1)
        assert time.perf_counter() - started < 5, "the deadline for running tasks is 10 s"
        assert worker.returncode == 128 + signal.SIGTERM
        assert (await workbench.tasks.get(task.id)).status == "running"
    await worker.communicate()


def test_the_server_loads_none_of_the_libraries_that_socketio_could_also_use():
    code = (
        "import sys, contextlib; from spoonserver.app import create_app; create_app(contextlib.nullcontext(None));"
        "print([name for name in ('tornado', 'requests', 'valkey', 'alembic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"

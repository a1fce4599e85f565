"""`spoon comfy-sim` as a user starts it."""

import asyncio
import re
import signal
import socket
import sys

import aiohttp
import pytest

from spoonkernel.cli import main

READY_S = 30.0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_says_where_it_is_and_ends_cleanly(number: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "spoonkernel.cli", "comfy-sim", "--port", "0", "--seconds-per-step", "0"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(READY_S):
            ready, use = (await process.stdout.readline()).decode(), (await process.stdout.readline()).decode()
        found = re.fullmatch(r"Simulated ComfyUI is ready at (http://127\.0\.0\.1:\d+)  .*\n", ready)
        assert found, ready
        assert use == f"Use it with: COMFYUI_URL={found[1]} spoon lab\n"
        async with aiohttp.ClientSession(found[1]) as http, http.ws_connect("/ws") as ws:
            assert "sid" in await ws.receive_str()
            async with http.get("/system_stats") as answer:
                assert (await answer.json())["system"]["comfyui_version"] == "0.3.64"
            process.send_signal(number)
            async with asyncio.timeout(READY_S):
                _, said = await process.communicate()
        assert (process.returncode, said.decode()) == (0, "")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def test_a_taken_port_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["comfy-sim", "--port", str(port)]) == 1
    assert f"port {port}" in capsys.readouterr().err


def test_it_serves_this_machine_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["comfy-sim", "--host", "0.0.0.0"]) == 1
    assert "no login" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["-1", "soon", "nan"])
def test_a_step_takes_a_time(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["comfy-sim", "--seconds-per-step", wrong])
    assert "seconds from 0" in capsys.readouterr().err

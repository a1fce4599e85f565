"""`spoon lab` as a process: a JupyterLab of this interpreter, on the user's copies of the notebooks."""

import asyncio
import json
import os
import re
import signal
import socket
import sys

import httpx
import pytest
import zmq
import zmq.asyncio
from zmq.utils.monitor import recv_monitor_message

READY = re.compile(r"JupyterLab is ready at (http://127\.0\.0\.1:\d+/)lab/tree/01_chat\.ipynb\?token=(\w+)\n")


def environment(folder) -> dict[str, str]:
    """The own environment with a Jupyter home that no developer's settings reach."""
    homes = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "JUPYTERLAB_SETTINGS_DIR")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "SPOON_", "DISPLAY"))}
    return clean | {name: str(folder / name.lower()) for name in homes}


async def spoon_lab(folder, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "spoonkernel.cli", "lab", "--data", str(folder / "data"), "--no-browser", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(folder),
    )


@pytest.fixture
async def lab(tmp_path):
    """A client that is logged in at a running lab, and the lab's process."""
    process = await spoon_lab(tmp_path, "--port", "0")
    try:
        async with asyncio.timeout(90):
            line = (await process.stdout.readline()).decode()
        ready = READY.fullmatch(line)
        assert ready, line or (await process.stderr.read()).decode()
        headers = {"Authorization": f"token {ready[2]}"}
        async with httpx.AsyncClient(base_url=ready[1], headers=headers, trust_env=False, timeout=30) as client:
            yield client, process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_it_answers_with_its_token_only_and_ends_on_sigterm(lab):
    client, process = lab
    assert (await client.get("api/status")).status_code == 200
    async with httpx.AsyncClient(base_url=client.base_url, trust_env=False) as stranger:  # without the cookie too
        assert (await stranger.get("api/contents")).status_code == 403
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(30):
        await process.wait()
    assert process.returncode == 0


async def test_the_kernel_is_this_interpreter_with_spoon_and_its_data_folder(lab, tmp_path):
    client, _ = lab
    spec = (await client.get("api/kernelspecs")).json()["kernelspecs"]["python3"]["spec"]
    assert spec["argv"][0] == sys.executable
    kernel = (await client.post("api/kernels", json={"name": "python3"})).json()["id"]
    code = "import spoonkernel, os, json; print(json.dumps([os.environ['SPOON_DATA'], spoonkernel.__name__]))"
    async with asyncio.timeout(60):
        said = await run(client, kernel, code)
    assert json.loads(said) == [str(tmp_path / "data"), "spoonkernel"]
    [port] = [json.loads(one.read_text())["iopub_port"] for one in tmp_path.rglob(f"kernel-{kernel}.json")]
    assert await is_refused(f"tcp://127.0.0.1:{port}"), "what a kernel sends out is for Jupyter, not for all users here"
    await client.delete(f"api/kernels/{kernel}")


async def is_refused(address: str) -> bool:
    """Whether somebody who has no key gets no connection with a kernel's port."""
    refused = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    with zmq.asyncio.Context() as context, context.socket(zmq.SUB) as stranger:
        stranger.linger = 0
        with stranger.get_monitor_socket(refused | zmq.EVENT_HANDSHAKE_SUCCEEDED) as monitor:
            stranger.connect(address)
            async with asyncio.timeout(30):
                event = await recv_monitor_message(monitor)
            stranger.disable_monitor()
    return bool(event["event"] & refused)


async def run(client: httpx.AsyncClient, kernel: str, code: str) -> str:
    """What the code prints in the kernel, over Jupyter's websocket."""
    import aiohttp

    message = {
        "header": {"msg_id": "1", "username": "", "session": "s", "msg_type": "execute_request", "version": "5.3"},
        "parent_header": {},
        "metadata": {},
        "content": {
            "code": code,
            "silent": False,
            "store_history": False,
            "user_expressions": {},
            "allow_stdin": False,
        },
        "channel": "shell",
        "buffers": [],
    }
    url = f"{client.base_url}api/kernels/{kernel}/channels"
    async with aiohttp.ClientSession(headers=dict(client.headers)) as session, session.ws_connect(url) as socket_:
        await socket_.send_json(message)
        async for frame in socket_:
            answer = frame.json()
            if answer["parent_header"].get("msg_id") == "1":
                assert answer["msg_type"] != "error", answer["content"]
                if answer["msg_type"] == "stream":
                    return str(answer["content"]["text"])
    raise AssertionError("the kernel went away")


async def test_it_asks_nothing_of_the_internet_unless_the_user_wants_it(lab, tmp_path):
    client, _ = lab
    listed = (await client.get("lab/api/settings")).json()["settings"]
    settings = {entry["id"]: entry["schema"].get("properties", {}) for entry in listed}
    notification = settings["@jupyterlab/apputils-extension:notification"]
    assert notification["fetchNews"]["default"] == "false"
    assert notification["checkForUpdates"]["default"] is False
    assert not (tmp_path / "jupyterlab_settings_dir").exists(), "the user's own settings are not written"
    assert '"buildCheck": false' in (await client.get("lab")).text, "no page has yarn started"


async def test_a_thread_that_jupyter_leaves_behind_does_not_keep_it(tmp_path):
    """As it does when its end cuts off a request: one of its worker threads then waits for the next one."""
    code = (
        "import sys, threading; from jupyterlab.labapp import LabApp; from spoonkernel.cli import main\n"
        "LabApp.launch_instance = lambda argv: threading.Thread(target=threading.Event().wait).start()\n"
        f"sys.exit(main(['lab', '--no-browser', '--data', {str(tmp_path / 'data')!r}]))"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, env=environment(tmp_path))
    try:
        async with asyncio.timeout(30):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_port_in_use_ends_it(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        process = await spoon_lab(tmp_path, "--port", str(other.getsockname()[1]))
        async with asyncio.timeout(60):
            out, err = await process.communicate()
    assert process.returncode == 1
    assert out == b""
    assert b"is not available" in err

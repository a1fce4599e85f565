"""`spoon lab`: JupyterLab on Spoon's notebooks, in this process and with kernels of this interpreter.

The user's own Jupyter settings are read as ever and never written: what we add lies in the data folder and is named to
Jupyter by environment variables, as defaults that the user's own choices overrule.
"""

import argparse
import contextlib
import http.client
import importlib.util
import json
import os
import secrets
import sys
import threading
import time
from pathlib import Path
from typing import Any

from spoonkernel.cli.notebooks import copy_notebooks, shipped_notebooks
from spoonkernel.config import read_config
from spoonkernel.errors import BadRequest

FIRST = "01_chat.ipynb"
NEEDED = ("jupyterlab", "ipykernel", "ipywidgets", "anywidget")
READY_S = 60.0
POLL_S = 0.05
LEAVE_S = 1.0
DEFAULTS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": True},  # a saved notebook shows its widgets again
}
PAGE = {"buildCheck": False, "buildAvailable": False}
"""Each page would have the server run yarn, where there is a Node, to see whether JupyterLab must be built anew."""


def run(args: argparse.Namespace) -> int:
    """Serve JupyterLab until it is stopped; its address is one line on stdout."""
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise BadRequest(
            f"JupyterLab is not installed ({', '.join(missing)} missing): pip install 'spoon-workbench[lab]'"
        )
    data_dir = read_config(data=args.data).data_dir
    folder = Path(args.notebooks).expanduser().resolve() if args.notebooks else data_dir / "notebooks"
    source = shipped_notebooks()
    folder.mkdir(parents=True, exist_ok=True)
    for name in copy_notebooks(source, folder) if source else []:
        print(f"spoon: kept your own {name}; the one that came with this version is {source}/{name}", file=sys.stderr)
    os.environ["SPOON_DATA"] = str(data_dir)
    os.environ.setdefault("JUPYTER_TOKEN", secrets.token_hex(24))
    _prepend("JUPYTER_PATH", _kernel(data_dir / "jupyter"))
    _prepend("JUPYTER_CONFIG_PATH", _settings(data_dir / "jupyter" / "config"))
    threading.Thread(target=_announce, daemon=True).start()
    _start_sooner()

    from jupyterlab.labapp import LabApp  # type: ignore[import-untyped]  # it ships no types

    LabApp.launch_instance(argv=_arguments(args, folder))
    _leave()
    return 0


def _leave() -> None:
    """End the process here, if a thread would keep it from ending.

    A request that the end cut off leaves a worker thread of anyio's, which waits for ever and which Python waits for.
    """
    deadline = time.monotonic() + LEAVE_S
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(0, deadline - time.monotonic()))
            if thread.is_alive():
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(0)


def _start_sooner() -> None:
    """Leave out what jsonschema would load to check `iri` formats, which no schema of Jupyter's names.

    Its import builds 38 grammars: more than half of JupyterLab's whole start. To jsonschema it is an optional package
    that is not installed.
    """
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # how Python is told that a module is not there


def _arguments(args: argparse.Namespace, folder: Path) -> list[str]:
    import zmq

    start = f"/lab/tree/{FIRST}" if (folder / FIRST).exists() else "/lab"
    arguments = [
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={folder}",
        "--ServerApp.answer_yes=True",  # Ctrl-C asks no question
        f"--LabApp.default_url={start}",
        "--LabApp.extension_manager=readonly",  # no look-ups on PyPI
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--Application.log_level=WARN",
        "--ServerApp.tornado_settings={'ws_ping_timeout': 30_000}",  # ms; its default is one that it warns of itself
    ]
    if zmq.has("curve"):  # else any user of this machine could listen to what the kernels' ports send out
        arguments.append("--KernelManager.transport_encryption=auto")
    if args.port is not None:
        arguments += [f"--ServerApp.port={args.port}", "--ServerApp.port_retries=0"]
    if args.no_browser or not has_display():
        arguments.append("--ServerApp.open_browser=False")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--ServerApp.allow_root=True")
    return arguments


def has_display() -> bool:
    """Whether a browser could be shown here."""
    return sys.platform in {"darwin", "win32"} or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _kernel(folder: Path) -> Path:
    """A `python3` kernel that is this interpreter, whatever other kernel of that name the user has."""
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Python 3 (Spoon)",
        "language": "python",
        "metadata": {"debugger": True, "supported_encryption": "curve"},
    }
    _write(folder / "kernels" / "python3" / "kernel.json", spec)
    return folder


def _settings(folder: Path) -> Path:
    _write(folder / "labconfig" / "default_setting_overrides.json", DEFAULTS)
    _write(folder / "labconfig" / "page_config.json", PAGE)
    return folder


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _prepend(variable: str, folder: Path) -> None:
    os.environ[variable] = os.pathsep.join([str(folder), *filter(None, [os.environ.get(variable)])])


def _announce() -> None:
    """Print the address once the server answers. The file that Jupyter writes knows the real port and token."""
    from jupyter_core.paths import jupyter_runtime_dir

    info = Path(jupyter_runtime_dir()) / f"jpserver-{os.getpid()}.json"
    deadline = time.monotonic() + READY_S
    while (server := _answering(info)) is None:
        if time.monotonic() > deadline:
            print(f"spoon: JupyterLab did not answer within {READY_S:.0f} s", file=sys.stderr, flush=True)
            return
        time.sleep(POLL_S)
    token = f"?token={server['token']}" if server["token"] else ""
    print(f"JupyterLab is ready at {server['url']}lab/tree/{FIRST}{token}", flush=True)


def _answering(info: Path) -> dict[str, Any] | None:
    """What Jupyter wrote about itself, if it answers there; None while it is still to come."""
    try:
        server: dict[str, Any] = json.loads(info.read_text(encoding="utf-8"))
        connection = http.client.HTTPConnection("127.0.0.1", server["port"], timeout=5)
        with contextlib.closing(connection):
            path = f"{server['base_url']}api/status"
            connection.request("GET", path, headers={"Authorization": f"token {server['token']}"})
            return server if connection.getresponse().status == 200 else None
    except (OSError, ValueError, http.client.HTTPException):  # not written, half written, not listening yet
        return None

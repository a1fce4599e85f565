"""Drive a real JupyterLab: start it, open a notebook, run cells, read Python back."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Container

from playwright.sync_api import ConsoleMessage, Page, Request, sync_playwright

TOKEN = "spoon"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

SETTINGS = {  # no news toast over the page, every output laid out, nothing saved behind a test's back
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none", "recordTiming": False},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
    "@jupyterlab/apputils-extension/themes": {"theme": "JupyterLab Light"},
}
NO_BUILD = {"buildCheck": False, "buildAvailable": False}
"""Or else each page has the server ask yarn, in a process of its own, whether JupyterLab itself must be built anew."""
START = (
    "import sys; sys.modules['rfc3987_syntax'] = None; "  # as `spoon lab` does: half of the start is its import
    "from jupyterlab.labapp import main; main(); "
    "import os; os._exit(0)"  # a request that the end cut off leaves a thread that Python would wait for, for ever
)


def write_notebook(path: pathlib.Path, *cells: str) -> pathlib.Path:
    """A notebook of format 4.5 by hand: `nbformat` takes 3 s to import, in each process that collects tests."""
    empty = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    python = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    written = [empty | {"id": f"cell-{number}", "source": cell.strip("\n")} for number, cell in enumerate(cells)]
    notebook = {"cells": written, "metadata": {"kernelspec": python}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook))
    return path


class Lab:
    """One JupyterLab server with folders of its own under `home`."""

    def __init__(self, home: pathlib.Path, **environment: str) -> None:
        self.root = home / "notebooks"
        self.root.mkdir(parents=True)
        self.home = home
        self.kernel: str | None = None
        self.base = f"http://127.0.0.1:{free_port()}"
        for plugin, values in SETTINGS.items():
            file = home / "user-settings" / f"{plugin}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(values))
        page_config = home / "config" / "labconfig" / "page_config.json"
        page_config.parent.mkdir(parents=True)
        page_config.write_text(json.dumps(NO_BUILD))
        folders = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "run",
            "IPYTHONDIR": "ipython",
            "JUPYTERLAB_SETTINGS_DIR": "user-settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        }
        self._environment = os.environ | {name: str(home / folder) for name, folder in folders.items()} | environment

    def __enter__(self) -> "Lab":
        command = [sys.executable, "-c", START, "--no-browser", "--allow-root", "--ip=127.0.0.1"]
        command += [f"--port={self.base.rsplit(':', 1)[1]}", "--ServerApp.port_retries=0"]
        command += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={self.root}"]
        command += ["--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly"]
        with (self.home / "lab.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                self.api("/api/status")
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError((self.home / "lab.log").read_text()[-2000:]) from None
                time.sleep(0.1)
            else:
                return self

    def __exit__(self, *_: object) -> None:
        self.stop_kernels()
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(20)

    def kernels(self) -> set[str]:
        return {kernel["id"] for kernel in self.api("/api/kernels")}

    def stop_kernels(self, *, keep: Container[str] = ()) -> None:
        for kernel in self.kernels():
            if kernel not in keep:
                self.api(f"/api/kernels/{kernel}", "DELETE")

    def start_session(self, name: str, kernel: str | None) -> str:
        """Let this notebook run on that kernel, or on a new one; returns the kernel's id."""
        on = {"id": kernel} if kernel else {"name": "python3"}
        return self.api("/api/sessions", "POST", {"path": name, "name": name, "type": "notebook", "kernel": on})[
            "kernel"
        ]["id"]

    def api(self, path: str, method: str = "GET", body: object = None):
        headers = {"Authorization": f"token {TOKEN}"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, headers, method=method)
        with urllib.request.urlopen(request) as answer:
            body = answer.read()
        return json.loads(body) if body else None


DEBUGGERS = "Could not restore the debugger state: Canceled future for debug_request"
"""JupyterLab's own words where a kernel is restarted before it has answered JupyterLab's debugger."""

RUN_CODE = """
async ([code, timeout]) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({code, store_history: false, silent: false, stop_on_error: false});
  let out = '', error = null;
  future.onIOPub = message => {
    if (message.header.msg_type === 'stream') out += message.content.text;
    if (message.header.msg_type === 'error') error = message.content.ename + ': ' + message.content.evalue;
  };
  const late = new Promise((_, no) => setTimeout(() => no(new Error('the kernel is busy')), timeout));
  await Promise.race([future.done, late]);
  if (error) throw new Error(error);
  return out;
}
"""
RUN_CELL = """
async ([index, wait]) => {
  const { content } = window.jupyterapp.shell.currentWidget;
  content.activeCellIndex = index;
  content.deselectAll();
  const done = window.jupyterapp.commands.execute('notebook:run-cell');
  if (wait) await done;
  return 0;
}
"""
READY = """
async () => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.revealed;
  await panel.sessionContext.ready;
  await panel.sessionContext.session?.kernel?.info;
}
"""
OPENED = "() => window.jupyterapp?.shell.currentWidget?.sessionContext"
IDLE = "() => window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"


class Notebook:
    """A notebook open in a browser page. Cells count from 0."""

    def __init__(self, page: Page, lab: Lab) -> None:
        self.page, self.lab = page, lab
        self.name = ""
        self.trouble: list[str] = []
        self.outside: list[str] = []
        self._listeners = {"console": self._heard, "pageerror": self._failed, "request": self._asked}
        for event, listener in self._listeners.items():
            page.on(event, listener)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(DEBUGGERS):
            self.trouble.append(message.text)

    def _failed(self, error: object) -> None:
        self.trouble.append(str(error))

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.lab.base, "data:", "blob:", self.lab.base.replace("http", "ws"))):
            self.outside.append(request.url)

    def leave(self) -> None:
        """What the page does from now on is not this notebook's doing."""
        for event, listener in self._listeners.items():
            self.page.remove_listener(event, listener)

    def open(self, name: str, *, kernel: bool = True) -> "Notebook":
        """Load JupyterLab with this notebook; takes 3 to 5 s."""
        self.page.goto(f"{self.lab.base}/doc/tree/{name}?token={TOKEN}&reset")
        return self._opened(name, kernel)

    def open_beside(self, name: str) -> "Notebook":
        """Open this notebook in the JupyterLab that the page has loaded already; takes 0.2 s."""
        self.command("docmanager:open", path=name)
        return self._opened(name, True)

    def _opened(self, name: str, kernel: bool) -> "Notebook":
        self.name = name
        self.page.wait_for_function(OPENED, timeout=60_000)
        if kernel:
            self.page.evaluate(READY)
            self.page.wait_for_function(IDLE, timeout=60_000)
        return self

    def command(self, name: str, **args: object) -> None:
        self.page.evaluate(
            "([name, args]) => window.jupyterapp.commands.execute(name, args).then(() => 0)", [name, args]
        )

    def run_cell(self, index: int, *, wait: bool = True) -> None:
        self.page.evaluate(RUN_CELL, [index, wait])

    def wait_cell(self, index: int) -> None:
        """Until the cell has ended. The kernel's status will not do: a widget's message makes it idle meanwhile."""
        self.page.wait_for_function(
            "index => { const { model } = window.jupyterapp.shell.currentWidget.content.widgets[index];"
            " return model.executionState === 'idle' && model.executionCount !== null; }",
            arg=index,
        )

    def output(self, index: int):
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index).locator(".jp-Cell-outputArea")

    def cells(self) -> int:
        return self.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets.length")

    def kernel(self, code: str) -> str:
        """What the code prints, run in the notebook's kernel after whatever runs there."""
        return self.page.evaluate(RUN_CODE, [code, 20_000])

    def value(self, expression: str):
        return json.loads(self.kernel(f"import json as _json; print(_json.dumps({expression}))"))

    def theme(self, name: str) -> None:
        self.command("apputils:change-theme", theme=name)
        self.page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=name)
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def find_chromium(own: str) -> str:
    """CHROMIUM, else one that is installed, else Playwright's `own`, which is fetched if need be."""
    installed = [path for name in BROWSERS if (path := shutil.which(name))]
    if path := os.environ.get("CHROMIUM") or next(iter(installed), None):
        return path
    if not pathlib.Path(own).exists():
        command = [sys.executable, "-m", "playwright", "install", "chromium"]
        if subprocess.run(command, check=False, timeout=300).returncode:
            raise RuntimeError(
                "The browser tests need Chromium: `apt-get install chromium`, or set CHROMIUM to its path. "
                "Playwright's own could not be fetched"
            )
    return own


@contextlib.contextmanager
def browser(**context: object):
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=find_chromium(playwright.chromium.executable_path),
            args=["--no-sandbox", "--disable-dev-shm-usage"],
        )
        opened = chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce", **context)
        yield opened
        opened.close()
        chromium.close()

import pathlib
import shutil
import subprocess

import pytest

from browser.jupyterlab import Lab, Notebook, browser, write_notebook
from browser.node import FRONTEND, node_and_npm

HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    home = tmp_path_factory.mktemp("lab")
    with Lab(home) as server:
        shutil.copy(HERE / "scripted.py", server.root)
        yield server


@pytest.fixture(scope="module")  # while Playwright is open its event loop counts as running, and asyncio's tests fail
def context():
    with browser() as opened:
        yield opened


@pytest.fixture
def notebook(lab, context, request, tmp_path):
    """`notebook(cell, cell, ...)` is an open notebook with an idle kernel. An error on its console fails the test."""
    opened = []

    def make(*cells):
        name = f"{request.node.name.translate(str.maketrans('[] /', '____'))}-{len(opened)}.ipynb"
        write_notebook(lab.root / name, *cells)
        page = Notebook(context.new_page(), lab).open(name)
        page.name = name
        opened.append(page)
        return page

    yield make
    for page in opened:
        page.page.screenshot(path=tmp_path / "last.png")
        page.page.close()
    lab.stop_kernels()
    assert [trouble for page in opened for trouble in page.trouble] == []
    assert [url for page in opened for url in page.outside] == []


@pytest.fixture(scope="session")
def axe():
    """The source of axe-core, a dev dependency of the front end."""
    script = FRONTEND / "node_modules/axe-core/axe.min.js"
    if not script.exists():
        _, npm = node_and_npm()
        subprocess.run([*npm, "ci", "--ignore-scripts"], cwd=FRONTEND, check=True)
    return script.read_text()

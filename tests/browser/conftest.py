"""What browser tests use: one real JupyterLab, one real browser, and `notebook`, which makes a quick new one.

A new browser test takes `notebook` and nothing else, unless it needs more::

    def test_it(notebook):
        opened = notebook("from scripted import Bench\\nfrom spoonwidgets import Chat\\nbench = Bench()\\nChat(bench)")
        opened.run_cell(0)
        expect(opened.output(0).get_by_role("textbox", name="Message")).to_be_visible()

The notebook is new, its page and kernel are not: they are those of the tests before, with every widget and every
workbench among the cells' variables closed and every variable gone (0.5 s instead of 5 s). A page's routes and size are
put back, and so is the theme. What else a test changes, it must put back itself, or ask for `notebook(..., own=True)`:
that has its own page and kernel. It must ask when it stops kernels, patches modules, fakes the page's clock, adds
init scripts, sets `os.environ`, or starts threads or workbenches that no variable holds. Restarting the kernel, loading
the page again (`opened.open(opened.name)`) and switching themes are fine. A failed test's page and kernel are dropped.

A second `notebook()` in the same test is another page with its own kernel. Tests that use no notebook take `context`.
"""

import pathlib
import shutil
import subprocess

import pytest
from playwright.sync_api import expect

from browser.desk import Desk
from browser.jupyterlab import Lab, Notebook, browser, write_notebook
from browser.node import FRONTEND, node_and_npm

HERE = pathlib.Path(__file__).parent
expect.set_options(timeout=15_000)  # a deadline for what never comes, with other tests on the same cores


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    home = tmp_path_factory.mktemp("lab")
    with Lab(home) as server:
        shutil.copy(HERE / "scripted.py", server.root)
        yield server


@pytest.fixture(scope="package")  # while Playwright is open its event loop counts as running, and asyncio's tests fail
def context():
    with browser() as opened:
        yield opened


@pytest.fixture(scope="package")
def desk(lab, context):
    return Desk(lab, context)


@pytest.fixture
def notebook(lab, desk, context, request, tmp_path):
    """`notebook(cell, cell, ...)` is an open notebook with an idle kernel. An error on its console fails the test.

    See the top of this file for what it shares with other tests, and when to say `own=True`.
    """
    opened, failed_before = [], request.session.testsfailed

    def make(*cells, own=False):
        name = f"{request.node.name.translate(str.maketrans('[] /', '____'))}-{len(opened)}.ipynb"
        if own or opened:
            write_notebook(lab.root / name, *cells)
            opened.append(Notebook(context.new_page(), lab).open(name))
        else:
            opened.append(desk.take(name, *cells))
        return opened[-1]

    yield make
    for made in opened:
        made.leave()
    trouble = [trouble for made in opened for trouble in made.trouble]
    outside = [url for made in opened for url in made.outside]
    failed = request.session.testsfailed > failed_before or trouble or outside
    for made in opened:
        if failed:
            made.page.screenshot(path=tmp_path / f"{made.name}.png")
        if not desk.holds(made):
            made.page.close()
        elif not failed:
            desk.clear(made)
    if failed:
        desk.drop()
    lab.stop_kernels(keep={lab.kernel})
    assert trouble == []
    assert outside == []


@pytest.fixture
def axe(axe_core):
    """`axe(page)` is what axe finds wrong in the page's panes: rule and elements of each violation."""

    def violations(page, within="[data-spoon]"):
        if not page.evaluate("() => 'axe' in window"):
            page.add_script_tag(content=axe_core)
        return page.evaluate(
            "async within => (await axe.run({include: [[within]]})).violations"
            ".map(found => [found.id, found.nodes.map(node => node.html)])",
            within,
        )

    return violations


@pytest.fixture(scope="session")
def axe_core():
    """Its source, a dev dependency of the front end."""
    script = FRONTEND / "node_modules/axe-core/axe.min.js"
    if not script.exists():
        _, npm = node_and_npm()
        subprocess.run([*npm, "ci", "--ignore-scripts"], cwd=FRONTEND, check=True)
    return script.read_text()

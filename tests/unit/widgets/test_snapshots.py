"""When the copy of a pane for readers without a kernel is written, and into what."""

import threading

import pytest
from IPython.core.interactiveshell import InteractiveShell

from browser.scripted import Bench
from spoonwidgets import _base
from spoonwidgets._base import Pane

DEADLINE_S = 10
FROM_PAGE = {"metadata": {"cellId": "1", "deletedCells": []}}
FROM_PROGRAM = {"metadata": {}}


class Noted(Pane):
    _esm = "export default { render() {} }"

    def describe(self, parts):
        return {}

    def saved(self):
        return "<p>kept</p>", "kept"


class Outputs(list):
    """The snapshots that a shell publishes: whether it is an update, and its text."""

    def __init__(self):
        super().__init__()
        self._more = threading.Condition()

    def publish(self, data, metadata=None, *, transient=None, update=False, **_):
        if "spoon-static" in (transient or {}).get("display_id", ""):
            with self._more:
                self.append((update, data.get("text/plain")))
                self._more.notify_all()

    def until(self, count):
        with self._more:
            assert self._more.wait_for(lambda: len(self) >= count, DEADLINE_S)
        return list(self)


@pytest.fixture
def outputs(monkeypatch):
    """A function that begins a cell; what it returns fills with the snapshots of that cell's pane."""
    shell = InteractiveShell.instance()
    seen = Outputs()
    monkeypatch.setattr(shell.display_pub, "publish", seen.publish)

    def begin(parent):
        monkeypatch.setattr(shell, "get_parent", lambda: parent, raising=False)
        return seen

    yield begin
    InteractiveShell.clear_instance()


@pytest.fixture
def pane(bench):
    return Noted(bench, height=200, static=True)


def test_program_that_runs_a_notebook_gets_it_with_the_cell(outputs, pane):
    seen = outputs(FROM_PROGRAM)
    pane._ipython_display_()
    assert seen == [(False, "kept")]


def test_page_gets_it_when_its_view_is_drawn(outputs, pane, page, monkeypatch):
    monkeypatch.setattr(_base, "HELD_S", 60.0)
    monkeypatch.setattr(_base, "CALM_S", 0.0)
    seen = outputs(FROM_PAGE)
    pane._ipython_display_()
    pane._snapshot.update()  # what changes before is in it anyway
    assert seen == [(False, None)]
    page(pane).call("hello")
    assert seen.until(2) == [(False, None), (True, "kept")]
    pane._ipython_display_()  # in another cell: the page has loaded by now what HTML needs
    assert seen[2:] == [(False, "kept")]


def test_it_comes_also_when_no_view_does(outputs, pane, monkeypatch):
    monkeypatch.setattr(_base, "HELD_S", 0.05)
    monkeypatch.setattr(_base, "CALM_S", 0.0)
    seen = outputs(FROM_PAGE)
    pane._ipython_display_()
    assert seen.until(2) == [(False, None), (True, "kept")]


def test_it_comes_also_when_the_workbench_closes_before(outputs):
    seen, bench = outputs(FROM_PAGE), Bench()
    Noted(bench, height=200, static=True)._ipython_display_()
    bench.close()
    assert seen.until(2) == [(False, None), (True, "kept")]

"""The tasks pane in a real JupyterLab, over a scripted workbench."""

import pytest
from playwright.sync_api import expect

START = """
from scripted import Bench
from spoonwidgets import Tasks
bench = Bench()
tasks, results = bench.inner.tasks, bench.inner.results
pane = Tasks(bench, [tasks.add("seed 1"), tasks.add("seed 2")])
pane
"""
PICTURE = """
import io
from PIL import Image
file = io.BytesIO()
Image.new("RGB", (8, 8), "teal").save(file, "PNG")
results.add("seed 2", "x.png", type="image", file=file.getvalue())
tasks.move("seed 2", status="complete")
"""


@pytest.fixture
def pane(notebook):
    opened = notebook(START)
    opened.run_cell(0)
    return opened


def row(opened, name):
    return opened.output(0).get_by_role("listitem", name=name)


def test_progress_moves_and_results_appear_as_they_land(pane):
    expect(row(pane, "seed 1").get_by_text("waiting")).to_be_visible()
    pane.kernel("tasks.move('seed 1', status='running'); tasks.progress('seed 1', 0.4)")
    expect(row(pane, "seed 1").get_by_text("40 %")).to_be_visible()
    expect(row(pane, "seed 1").get_by_role("progressbar")).to_have_attribute("aria-valuenow", "40")
    pane.kernel("results.add('seed 1', 'A lighthouse in fog.'); tasks.move('seed 1', status='complete')")
    expect(row(pane, "seed 1").get_by_text("A lighthouse in fog.")).to_be_visible()
    expect(row(pane, "seed 1").get_by_role("progressbar")).to_have_count(0)
    expect(pane.output(0).get_by_text("1 of 2 ended")).to_be_visible()


def test_image_result_is_shown_without_leaving_the_comm(pane):
    pytest.importorskip("PIL")
    pane.kernel(PICTURE)
    picture = row(pane, "seed 2").get_by_role("img", name="seed 2, seed 9223372036854775808")
    expect(picture).to_be_visible()
    assert picture.get_attribute("src").startswith("blob:")
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 8


def test_cancel_takes_one_task_away_and_leaves_the_other(pane):
    pane.output(0).get_by_role("button", name="Cancel seed 1").click()
    expect(row(pane, "seed 1").get_by_text("cancelled")).to_be_visible()
    expect(row(pane, "seed 2").get_by_text("waiting")).to_be_visible()
    assert pane.value("list(tasks.rows)") == ["seed 2"]


def test_failed_task_says_why_and_can_be_tried_again(pane):
    pane.kernel("tasks.move('seed 1', status='failed', error='No model answers')")
    expect(row(pane, "seed 1").get_by_text("No model answers")).to_be_visible()
    row(pane, "seed 1").get_by_role("button", name="Retry").click()
    expect(row(pane, "seed 1").get_by_text("waiting")).to_be_visible()


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast"])
def test_no_accessibility_violation(pane, axe, theme):
    pane.theme(theme)
    pane.kernel("results.add('seed 1', 'text'); tasks.move('seed 1', status='complete'); tasks.progress('seed 2', .3)")
    expect(row(pane, "seed 1").get_by_text("text")).to_be_visible()
    assert axe(pane.page) == []

"""The notebook that comes with Spoon, in a real JupyterLab, with the real local model."""

import pathlib
import shutil

import pytest
from playwright.sync_api import expect

from browser.jupyterlab import Lab, Notebook

SHIPPED = pathlib.Path(__file__).parents[2] / "notebooks" / "01_chat.ipynb"
ANSWER_MS = 60_000


@pytest.fixture
def lab_with_model(demo_data, tmp_path):
    with Lab(tmp_path / "lab", SPOON_DATA=str(demo_data)) as lab:
        shutil.copy(SHIPPED, lab.root)
        yield lab


@pytest.mark.timeout(300)  # a real model writes six answers, beside another test process
def test_the_tour_runs_and_its_panes_answer(lab_with_model, context):
    opened = Notebook(context.new_page(), lab_with_model).open(SHIPPED.name)
    opened.command("notebook:run-all-cells")
    last = opened.page.locator(".jp-Notebook .jp-CodeCell").last
    expect(last.get_by_text("First steps 4 turns")).to_be_visible(timeout=ANSWER_MS)

    pane = opened.page.locator("[data-spoon=chat]").first
    pane.get_by_role("button", name="New").click()  # the notebook has asked something already
    pane.get_by_role("textbox").fill("What is the capital of France?")
    pane.get_by_role("textbox").press("Enter")
    expect(pane.get_by_text("The capital of France is Paris.").last).to_be_visible(timeout=ANSWER_MS)
    assert opened.trouble == []
    assert opened.outside == []
    opened.page.close()

"""The query as a tab of the workbench in a real JupyterLab, over a simulated ComfyUI."""

from playwright.sync_api import expect

START = """
import tempfile
import spoonkernel
from spoonwidgets import workbench_ui
wb = spoonkernel.open(data=tempfile.mkdtemp())
ui = workbench_ui(wb, height=700)
{more}
ui
"""
PICTURES = """
_ = wb.start(ui.op_make()).result()
ui.panes["params"].values = {"steps": 3}
ui.panes["params"].generate()
"""
PICTURE_S = 20_000  # the simulated ComfyUI starts, and the machine may be busy


def test_result_goes_to_the_gallery_and_its_selection_comes_back(notebook, axe):
    made = notebook(START.format(more=PICTURES))
    made.run_cell(0)
    out, keys = made.output(0), made.page.keyboard
    tiles = out.get_by_role("listbox").get_by_role("option")
    expect(tiles).to_have_count(8, timeout=PICTURE_S)
    assert "query" not in made.value("list(ui.panes)")
    out.get_by_role("tab", name="Query").click()
    pane = out.locator("[data-spoon=query]")
    expect(pane.locator(".cm-content")).to_be_visible()
    pane.locator(".cm-content").click()
    keys.insert_text("select id, seed, steps from runs where kind = 'generation' order by created_at limit 1")
    keys.press("Shift+Enter")
    expect(pane.locator(".ledger")).to_contain_text("1 row", timeout=PICTURE_S)
    assert axe(made.page, "[data-spoon=workbench]") == []
    pane.get_by_role("button", name="Show in the gallery").click()
    expect(out.get_by_role("tab", name="Images")).to_have_attribute("aria-selected", "true")
    expect(tiles).to_have_count(4)
    out.get_by_role("listbox").focus()
    keys.press("Space")
    expect(tiles.first).to_have_attribute("aria-selected", "true")
    out.get_by_role("tab", name="Query").click()
    pane.get_by_role("button", name="Snippets").click()
    pane.get_by_role("button", name="What is selected in the gallery?").click()
    expect(pane.get_by_label("Value of $ids")).not_to_have_value("")
    expect(pane.locator(".ledger")).to_contain_text("1 row")


def test_tab_says_what_to_do_where_questions_are_switched_off(notebook):
    made = notebook(START.format(more="wb.inner.database._allowed = False"))
    made.run_cell(0)
    made.output(0).get_by_role("tab", name="Query").click()
    alert = made.output(0).locator("[data-spoon=query]").get_by_role("alert")
    expect(alert).to_contain_text("SPOON_DATABASE_QUERIES", timeout=PICTURE_S)
    made.kernel("wb.inner.database._allowed = None")
    alert.get_by_role("button", name="Try again").click()
    expect(made.output(0).get_by_role("tree", name="Schema")).to_be_visible()

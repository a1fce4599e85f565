import pytest, tempfile, pathlib
from playwright.sync_api import expect
from browser.shelf import fill
CELL = """
import spoonkernel
from spoonwidgets import Query
wb = spoonkernel.open(data={data!r})
pane = Query(wb)
pane
"""
def test_shots(notebook, tmp_path):
    fill(tmp_path / "data", 3000)
    opened = notebook(CELL.format(data=str(tmp_path / "data")))
    opened.run_cell(0)
    out = opened.output(0)
    expect(out.get_by_role("tree", name="Schema")).to_be_visible(timeout=20000)
    S="/opt/dev/shots-query/"
    pane = out.locator("section.query-pane")
    pane.screenshot(path=S+"first.light.png")
    ed = out.get_by_role("textbox", name="SQL")
    ed.click()
    keys = opened.page.keyboard
    keys.type("select id as image, seed, cfg_scale, rating, sampler_name, duration_ms, prompt, parameters, created_at\nfrom runs\nwhere steps >= $steps and ra", delay=5)
    opened.page.wait_for_timeout(500)
    pane.screenshot(path=S+"complete.light.png")
    keys.press("Escape")
    for _ in range(7): keys.press("Backspace")
    out.get_by_label("Value of $steps").fill("10")
    ed.press("Shift+Enter")
    expect(out.get_by_role("tab", name="Table")).to_be_visible(timeout=20000)
    opened.page.wait_for_timeout(1500)
    out.get_by_role("grid").focus(); keys.press("ArrowDown"); keys.press("ArrowRight")
    pane.screenshot(path=S+"main.light.png")
    keys.press("ArrowRight"); keys.press("Enter"); opened.page.wait_for_timeout(300)
    pane.screenshot(path=S+"side.light.png")
    opened.theme("JupyterLab Dark")
    pane.screenshot(path=S+"side.dark.png")
    keys.press("Escape")
    out.get_by_role("tab", name="Chart").click()
    opened.page.wait_for_timeout(800)
    pane.screenshot(path=S+"chart.dark.png")
    out.get_by_label("Draw", exact=True).select_option("line"); out.get_by_label("x", exact=True).select_option("cfg_scale"); out.get_by_label("y", exact=True).select_option("rating"); 
    out.get_by_label("by", exact=True).select_option("sampler_name")
    opened.page.wait_for_timeout(800)
    pane.screenshot(path=S+"line.dark.png")
    opened.theme("JupyterLab Dark High Contrast")
    pane.screenshot(path=S+"line.hc.png")
    opened.theme("JupyterLab Light")
    out.get_by_label("Draw", exact=True).select_option("scatter"); out.get_by_label("x", exact=True).select_option("created_at"); out.get_by_label("y", exact=True).select_option("seed"); opened.page.wait_for_timeout(800)
    pane.screenshot(path=S+"scatter.light.png")
    ed.press("Control+a"); keys.type("select id,\n  cfg from run"); keys.press("Escape"); keys.press("Shift+Enter"); opened.page.wait_for_timeout(800)
    pane.screenshot(path=S+"error.light.png")
    opened.page.set_viewport_size({"width": 640, "height": 900})
    opened.page.wait_for_timeout(500)
    pane.screenshot(path=S+"narrow.light.png")

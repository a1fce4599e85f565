"""The gallery in a real JupyterLab, over the real embedded workbench with real rows and files."""

import base64
import io
import json
import os
import re
import time

import pytest
from PIL import Image
from playwright.sync_api import expect

import comfy_graphs
import spoonkernel
from browser.jupyterlab import Notebook
from browser.shelf import TITLE, fill
from spoonkernel.config import read_config
from spoonkernel.testing.comfy_sim import start_simulated

START = """
import spoonkernel
from spoonwidgets import Gallery
workbench = spoonkernel.open(data={data!r})
gallery = Gallery(workbench, session={title!r})
gallery
"""
THEMES = ["JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast"]
PIXEL = "canvas => [...canvas.getContext('2d').getImageData(canvas.width >> 1, canvas.height >> 1, 1, 1).data]"


class Pane:
    def __init__(self, opened):
        self.opened, self.page = opened, opened.page
        self.at = opened.output(0).locator("[data-spoon=gallery]")
        self.list = self.at.get_by_role("listbox", name="Images")
        self.dialog = self.at.get_by_role("dialog")

    def tile(self, words):
        return self.list.get_by_role("option", name=words)

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)
            if key == "Escape":
                expect(self.dialog).to_have_count(0)  # the browser closes it a moment after the key

    def eventually(self, expression, wanted):
        """What the page shows at once reaches Python a moment later."""
        deadline = time.monotonic() + 5
        while (value := self.opened.value(expression)) != wanted:
            assert time.monotonic() < deadline, value


@pytest.fixture
def show(notebook, tmp_path):
    """A gallery of so many pictures, shown in a notebook."""

    def make(count, *, url="http://127.0.0.1:9", own=False):
        fill(tmp_path / "data", count, url=url, side_px=128)
        opened = notebook(START.format(data=str(tmp_path / "data"), title=TITLE), own=own)
        opened.run_cell(0)
        pane = Pane(opened)
        expect(pane.tile("seed 4100").locator("img")).to_be_visible()
        return pane

    return make


def test_only_what_is_in_view_is_drawn_and_the_filter_finds_the_rest(show):
    pane = show(300)
    expect(pane.at.get_by_text("300 images")).to_be_visible()
    picture = pane.tile("seed 4100").locator("img")
    assert picture.get_attribute("src").startswith("data:image/webp;base64,")
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 256
    assert pane.list.get_by_role("option").count() < 80
    pane.list.focus()
    pane.press("End")
    expect(pane.tile("seed 4399").locator("img")).to_be_visible()
    expect(pane.tile("seed 4100")).to_have_count(0)

    field = pane.at.get_by_role("textbox", name="Filter")
    field.fill("rating >= 4 and seed < 4110")
    expect(pane.at.get_by_text("2 of 300 shown")).to_be_visible()
    pane.eventually("gallery.filter", "rating >= 4 and seed < 4110")
    field.fill("cfg_scale > 20")
    expect(pane.at.get_by_text("None of 300 images match. The highest cfg scale here is 8.5.")).to_be_visible()
    field.fill("cfg_scale >")
    expect(pane.at.get_by_role("alert")).to_have_text("A value is missing after >")
    pane.opened.kernel("gallery.filter, gallery.sort = '', 'rating'")
    expect(pane.at.get_by_text("300 shown")).to_be_visible()
    expect(field).to_have_value("")
    expect(pane.list.get_by_role("option").first).to_have_accessible_name(re.compile("rated 5"))


def test_everything_can_be_done_without_a_mouse(show):
    pane = show(40)
    pane.opened.kernel("reused = []\n@gallery.on_reuse\ndef take(generation): reused.append(generation.seed)")
    pane.list.focus()
    pane.press("ArrowRight", "Space", "ArrowRight", "ArrowRight", "Space")
    expect(pane.at.get_by_text("2 selected")).to_be_visible()
    expect(pane.tile("seed 4103")).to_have_attribute("aria-selected", "true")
    pane.press("3")
    expect(pane.list.get_by_role("option", name="rated 3", selected=True)).to_have_count(2)
    pane.eventually("[one.seed for one in gallery.selected]", [4101, 4103])
    pane.eventually("[one.outputs[0].rating for one in gallery.selected]", [3, 3])
    assert pane.opened.value("[image.size for image in gallery.images()]") == [[128, 128]] * 2

    pane.press("Escape", "ArrowLeft", "Enter")
    expect(pane.dialog).to_have_accessible_name("Image 3 of 40")
    expect(pane.dialog.get_by_role("img", name="seed 4102")).to_be_visible()
    expect(pane.dialog.get_by_text("blurry, watermark, text, signature")).to_be_visible()
    pane.press("ArrowRight", "u")
    expect(pane.dialog.get_by_text("Parameters handed over")).to_be_visible()
    pane.eventually("reused", [4103])
    pane.press("5", "+", "+")
    expect(pane.dialog.get_by_role("button", name="5 of 5")).to_have_attribute("aria-pressed", "true")
    pane.press("Escape")
    expect(pane.list).to_be_focused()
    expect(pane.list).to_have_attribute("aria-activedescendant", pane.tile("seed 4103").get_attribute("id"))

    pane.press("Home", "x")
    expect(pane.tile("seed 4100")).to_have_accessible_name(re.compile("rejected"))
    pane.press("Delete")
    expect(pane.dialog).to_have_accessible_name("Delete 1 image")
    pane.press("Escape")
    pane.press("Delete")
    expect(pane.dialog).to_be_visible()
    pane.press("Tab", "Enter")
    expect(pane.at.get_by_text("39 images")).to_be_visible()
    pane.press("Control+a")
    expect(pane.at.get_by_text("39 selected")).to_be_visible()


def test_two_are_compared_in_four_ways(show):
    pane = show(6)
    pane.tile("seed 4101").click()
    pane.tile("seed 4103").click(modifiers=["ControlOrMeta"])
    pane.at.get_by_role("button", name="Compare").click()
    expect(pane.dialog.get_by_role("row", name="Cfg scale 7 8.5")).to_be_visible()
    expect(pane.dialog.get_by_text("DIFFERENT")).to_be_visible()  # what the kernel says of the pixels
    for mode in ("Side", "Onion", "Slider"):
        pane.dialog.get_by_role("button", name=mode).click()
        expect(pane.dialog.get_by_role("img", name=re.compile("^[AB], "))).to_have_count(2)
    pane.dialog.get_by_role("button", name="Diff", exact=True).click()
    canvas = pane.dialog.get_by_role("img", name=re.compile("Where A and B differ"))
    expect(canvas).to_be_visible()
    pane.page.wait_for_function("canvas => canvas.width === 128", arg=canvas.element_handle())
    assert sum(canvas.evaluate(PIXEL)[:3]) > 0
    pane.dialog.get_by_role("button", name="Keep B").click()
    expect(pane.tile("seed 4101")).to_have_accessible_name(re.compile("rejected"))
    expect(pane.dialog).to_have_count(0)


def test_a_large_original_comes_whole_and_its_workflow_opens(show, tmp_path):
    pane = show(2)
    side, file = 3200, io.BytesIO()
    Image.frombytes("RGB", (side, side), os.urandom(side * side * 3)).save(file, "PNG", compress_level=0)
    assert file.tell() > 30_000_000
    with spoonkernel.open(data=tmp_path / "data") as workbench:
        newest = workbench.generations.list(limit=1).result(20)[0]
    path = read_config(data=tmp_path / "data").media_dir / newest.outputs[0].content.rpartition("/")[2]
    path.unlink()
    path.write_bytes(file.getvalue())
    pane.tile("seed 4100").dblclick()
    picture = pane.dialog.get_by_role("img", name="seed 4100")
    expect(picture).to_have_js_property("naturalWidth", side, timeout=20_000)
    pane.dialog.get_by_role("button", name="Workflow JSON").click()
    expect(pane.dialog.get_by_text('"EmptyImage"')).to_be_visible()
    with pane.page.expect_download() as saved:
        pane.dialog.get_by_role("button", name="Download the original").click()
    assert saved.value.path().stat().st_size == file.tell()


def test_live_tiles_show_previews_and_are_cancelled_and_asked_for_again(show, tmp_path):
    sim = start_simulated(seconds_per_step=0.1)
    pane = show(60, url=sim.url)
    graph = comfy_graphs.graph(steps=20)
    pane.opened.kernel(f"""
session = workbench.sessions.list().result()[0]
flow = workbench.workflows.create(name="w", profile_id=session.profile_id, workflow_json={graph!r}).result()
def make(seed):
    asked = dict(prompt_text="a fox", workflow_id=flow.id, parameters={{"seed": seed}})
    workbench.sessions.generate(session.id, **asked).result()
make(2**64 - 1)
make(2)
""")
    running = pane.list.get_by_role("option", name=re.compile("^Running, .*seed 18446744073709551615"))
    expect(running.locator("img")).to_be_visible()  # the sampler's own preview
    expect(pane.list.get_by_role("option", name="Queued, seed 2")).to_contain_text("Next")
    expect(pane.at.get_by_text("1 queued")).to_be_visible()
    pane.list.focus()
    pane.press("Home", "Delete")  # the queued one
    failed = pane.list.get_by_role("option", name="Failed: Cancelled, seed 2")
    expect(failed).to_be_visible()
    expect(pane.tile(re.compile("^Image, seed 18446744073709551615"))).to_be_visible(timeout=15_000)

    pane.press("End")  # somebody reads further down: nothing moves there
    last = pane.tile("seed 4159")
    place = last.bounding_box()
    pane.opened.kernel("make(3)")
    expect(pane.at.get_by_role("button", name="1 new image above")).to_be_visible()
    assert last.bounding_box() == place
    pane.at.get_by_role("button", name="1 new image above").click()
    expect(pane.tile("seed 3").first).to_be_visible()
    pane.press("Home", "ArrowRight", "r")
    expect(pane.list.get_by_role("option", name=re.compile("seed 2(,|$)"))).to_have_count(2)
    sim.seconds_per_step = 0
    expect(pane.at.get_by_text("64 images")).to_be_visible()


def test_ratings_survive_the_kernel(show, notebook):
    pane = show(8, own=True)
    pane.list.focus()
    pane.press("ArrowRight", "4")
    expect(pane.tile("seed 4101")).to_have_accessible_name(re.compile("rated 4"))
    pane.eventually("[one.rating for one in workbench.generations.list(limit=2).result(20)]", [5, 4])
    pane.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    pane.opened.run_cell(0)
    expect(pane.tile("seed 4101")).to_have_accessible_name(re.compile("rated 4"))
    pane.opened.trouble[:] = [text for text in pane.opened.trouble if "restore the debugger state" not in text]


@pytest.mark.parametrize("theme", THEMES)
def test_no_accessibility_violation(show, axe, theme):
    pane = show(30)
    pane.opened.theme(theme)
    pane.list.focus()
    pane.press("x", "ArrowRight", "Space", "ArrowRight", "Space", "4")
    expect(pane.at.get_by_text("2 selected")).to_be_visible()
    assert axe(pane.page) == []
    pane.press("c")
    expect(pane.dialog.get_by_text("DIFFERENT")).to_be_visible()
    assert axe(pane.page) == []
    pane.press("Escape", "Enter")
    expect(pane.dialog.get_by_text("Negative")).to_be_visible()
    assert axe(pane.page) == []
    pane.press("Escape", "Escape")
    pane.at.get_by_role("textbox", name="Filter").fill("nonsense >= 1")
    expect(pane.at.get_by_role("alert")).to_be_visible()
    assert axe(pane.page) == []


def test_saved_notebook_without_kernel_shows_the_contact_sheet(show, lab, context):
    pane = show(500, own=True)
    opened = pane.opened
    sheet = "() => JSON.stringify(window.jupyterapp.shell.currentWidget.content.model.toJSON()).includes('image/jpeg')"
    opened.page.wait_for_function(sheet)
    opened.command("docmanager:save")
    file = lab.root / opened.name
    assert file.stat().st_size < 300_000
    saved = json.loads(file.read_text())
    html = "".join(saved["cells"][0]["outputs"][0]["data"]["text/html"])
    jpeg = base64.b64decode(re.search(r"base64,([^\"]+)", html).group(1))
    assert Image.open(io.BytesIO(jpeg)).format == "JPEG"
    lab.stop_kernels()

    page = context.new_page()
    saved["metadata"]["kernelspec"] = {"name": "none", "display_name": "none"}
    (lab.root / "cold-gallery.ipynb").write_text(json.dumps(saved))
    cold = Notebook(page, lab).open("cold-gallery.ipynb", kernel=False)
    picture = cold.output(0).get_by_role("img", name="40 of 500 images")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") > 900
    expect(cold.output(0).get_by_text("Run the cell to browse all of them.")).to_be_visible()
    expect(cold.output(0).get_by_text("Error displaying widget")).to_be_hidden()
    page.close()
    opened.trouble.clear()  # the kernel was taken away under the first page

"""The whole workbench in a real JupyterLab: real panes over a real workbench, a simulated ComfyUI, a scripted model."""

import pytest
from playwright.sync_api import expect

from browser.beside import beside
from commands import serving
from openai_replies import CHAT, MODELS, STREAM, ended, listed, said
from spoonkernel.testing.upstream import Upstream

START = """
import tempfile
import spoonkernel
from spoonwidgets import workbench_ui
wb = spoonkernel.open(data=tempfile.mkdtemp())
ui = workbench_ui(wb)
ui
"""
WITH_PICTURES = """
import tempfile
import spoonkernel
from spoonwidgets import workbench_ui
wb = spoonkernel.open(data=tempfile.mkdtemp())
ui = workbench_ui(wb, height=700)
_ = wb.start(ui.op_make()).result()
ui
"""
PICTURE_S = 20_000  # the simulated ComfyUI starts, and the machine may be busy


@pytest.fixture
def provider():
    with beside(Upstream()) as upstream:
        upstream.reply(MODELS, json=listed("scripted-1"))
        upstream.reply(CHAT, headers=STREAM, chunks=[said("A lighthouse "), said("stands there."), ended()])
        yield upstream


@pytest.fixture
def bench(notebook):
    def opened(cell=START):
        made = notebook(cell)
        made.run_cell(0)
        expect(made.output(0).get_by_role("tab", name="Images")).to_be_visible()
        return made

    return opened


def tab(made, name):
    return made.output(0).get_by_role("tab", name=name)


def pictures(made):
    return made.output(0).get_by_role("listbox").get_by_role("option")


def walk_through(made, provider):
    """From nothing to pictures and an answer, by clicks."""
    out = made.output(0)
    out.get_by_role("button", name="Make 4 images").click()
    expect(pictures(made)).to_have_count(4, timeout=PICTURE_S)
    expect(out.locator(".ledger").filter(has_text="profile").get_by_text("4 images")).to_be_visible(timeout=PICTURE_S)
    expect(out.get_by_role("textbox", name="Prompt").first).to_have_value(
        "a lighthouse on a basalt cliff above a calm sea, muted palette"
    )

    out.get_by_role("button", name="Profiles, Simulated ComfyUI").click()
    out.get_by_role("menuitem", name="Add a profile").click()
    out.get_by_role("tabpanel", name="Profiles").get_by_role("button", name="Add a profile").click()
    out.get_by_label("Name", exact=True).fill("Scripted")
    out.get_by_label("Address").fill(f"{provider.url}/v1")
    out.get_by_role("button", name="Add the profile").click()
    expect(out.get_by_role("listitem", name="Scripted").get_by_role("status")).to_contain_text("Answers")

    out.get_by_role("button", name="Profiles, Simulated ComfyUI").click()
    out.get_by_role("menuitem", name="Scripted").click()
    expect(tab(made, "Chat")).to_have_attribute("aria-selected", "true")
    out.get_by_role("textbox", name="Message").fill("What is there?")
    out.get_by_role("button", name="Send").click()
    expect(out.get_by_text("A lighthouse stands there.")).to_be_visible()
    expect(out.get_by_text("2 of 2 profiles answer")).to_be_visible()


def test_clicks_alone_lead_from_nothing_to_pictures_and_an_answer(bench, provider):
    made = bench()
    walk_through(made, provider)
    assert made.value("[len(run.outputs) for run in wb.generations.list().result()]") == [4]
    assert made.value("[turn.text for turn in ui.panes['chat'].turns]") == [
        "What is there?",
        "A lighthouse stands there.",
    ]
    made.command("docmanager:save")
    made.open(made.name)  # the page is loaded again: the same tab, with what was in it
    expect(tab(made, "Chat")).to_have_attribute("aria-selected", "true")
    expect(made.output(0).get_by_text("A lighthouse stands there.")).to_be_visible()
    tab(made, "Images").click()
    expect(pictures(made)).to_have_count(4)


def test_it_works_on_a_server_in_another_process(bench, provider, tmp_path):
    with beside(serving("--port", "0", "--data", str(tmp_path))) as server:
        made = bench(START.replace("spoonkernel.open(data=tempfile.mkdtemp())", f"spoonkernel.open({server.url!r})"))
        walk_through(made, provider)
        made.kernel("ui.close(); wb.close()")


def test_panes_are_made_when_their_tab_is_first_opened(bench):
    made = bench()
    assert made.value("list(ui.panes)") == []
    tab(made, "Images").focus()
    made.page.keyboard.press("End")
    expect(tab(made, "Profiles")).to_be_focused()
    expect(made.output(0).get_by_role("tabpanel", name="Profiles").get_by_text("Two ways to start")).to_be_visible()
    assert made.value("list(ui.panes)") == ["profiles"]
    made.page.keyboard.press("ArrowLeft")
    expect(made.output(0).get_by_text("Nothing has been run yet.")).to_be_visible()
    assert made.value("list(ui.panes)") == ["profiles", "tasks"]
    assert made.value("ui.tab") == "tasks"
    made.page.keyboard.press("Control+/")
    expect(made.output(0).get_by_role("dialog", name="Keys")).to_be_visible()
    made.page.keyboard.press("Escape")
    made.kernel("ui.tab = 'images'")
    expect(tab(made, "Images")).to_have_attribute("aria-selected", "true")


def test_runs_show_below_the_pictures_and_a_picture_gives_its_parameters_back(bench):
    made = bench(WITH_PICTURES)
    out = made.output(0)
    expect(pictures(made)).to_have_count(4, timeout=PICTURE_S)
    prompt = out.get_by_role("textbox", name="Prompt").first
    prompt.fill("something else")
    prompt.blur()
    expect(out.get_by_role("row", name="Nothing at the moment")).to_be_visible(timeout=PICTURE_S)
    made.kernel("import spoonwidgets._simulated as _sim; _sim.simulated().seconds_per_step = 0.4")
    out.get_by_role("button", name="Generate").first.click()
    running = out.get_by_role("row").filter(has_text="image").filter(has_text="Simulated ComfyUI")
    expect(running).to_be_visible()
    expect(tab(made, "Tasks")).to_contain_text("1 running")
    running.get_by_role("button", name="Stop").click()
    expect(running).to_have_count(0)
    made.kernel("_sim.simulated().seconds_per_step = 0.05")
    pictures(made).last.click()
    made.page.keyboard.press("u")
    expect(prompt).to_have_value("a lighthouse on a basalt cliff above a calm sea, muted palette")


def test_narrow_layout_folds_the_parameters_to_one_line(bench):
    made = bench(WITH_PICTURES)
    out = made.output(0)
    made.page.set_viewport_size({"width": 640, "height": 900})
    expect(pictures(made)).to_have_count(4, timeout=PICTURE_S)
    expect(out.get_by_text("a lighthouse on a basalt cliff above a calm sea, muted palette, 20 steps")).to_be_visible()
    out.get_by_role("button", name="Edit", exact=True).click()
    expect(out.get_by_role("textbox", name="Prompt").first).to_be_visible()
    expect(pictures(made).first).to_be_hidden()
    out.get_by_role("button", name="Images", exact=True).click()
    out.get_by_role("button", name="Generate", exact=True).locator("visible=true").click()
    expect(pictures(made)).to_have_count(8, timeout=PICTURE_S)


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast"])
def test_no_accessibility_violation(bench, axe, theme):
    made = bench(WITH_PICTURES)
    made.theme(theme)
    expect(pictures(made)).to_have_count(4, timeout=PICTURE_S)
    for name in ("Images", "Tasks", "Profiles"):
        tab(made, name).click()
        expect(made.output(0).get_by_role("tabpanel", name=name).locator("[data-spoon]").first).to_be_visible()
        assert axe(made.page, "[data-spoon=workbench]") == [], name
    made.output(0).get_by_role("button", name="Profiles, ").click()
    assert axe(made.page, "[data-spoon=workbench]") == []

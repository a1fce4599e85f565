"""The params pane in a real JupyterLab, on a real workbench against the simulated ComfyUI."""

import re

import pytest
from playwright.sync_api import expect

START = """
import os, tempfile, spoonkernel
os.environ.pop("COMFYUI_URL", None)
from spoonkernel.testing.comfy_sim import start_simulated
from spoonwidgets import Params
wb = spoonkernel.open(data=tempfile.mkdtemp())
sim = start_simulated(seconds_per_step={step})
profile = wb.profiles.create(name="Local ComfyUI", type="image", provider="comfyui", url=sim.url).result()
params = Params(wb, session="Fog")
params.values = {{"width": 256, "height": 256, "steps": 3}}
params
"""
EMPTY = """
import os, tempfile, spoonkernel
os.environ.pop("COMFYUI_URL", None)
from spoonwidgets import Params
wb = spoonkernel.open(data=tempfile.mkdtemp())
params = Params(wb)
params
"""
SENT = "[str(row.seed) for row in wb.generations.list().result()]"
BIG = "18446744073709551557"


@pytest.fixture
def pane(notebook):
    opened = notebook(START.format(step=0.0))
    opened.run_cell(0)
    expect(box(opened, "Prompt")).to_be_visible()
    return opened


def box(opened, name, role="textbox"):
    return opened.output(0).get_by_role(role, name=re.compile(f"^{name}( ?, changed)?$"))


def button(opened, name):
    return opened.output(0).get_by_role("button", name=name)


def text(opened, words):
    return opened.output(0).get_by_text(words)


def test_keys_alone_make_a_picture_with_an_exact_seed(pane):
    keys = pane.page.keyboard
    box(pane, "Prompt").focus()
    keys.type("a lighthouse in fog")
    keys.press("Tab")
    keys.press("Tab")  # past the negative prompt, to the seed
    keys.type(BIG)
    expect(button(pane, "Fixed")).to_have_attribute("aria-pressed", "true")
    for _ in range(6):  # dice, the three ways, the seed's reset, the slider
        keys.press("Tab")
    expect(pane.output(0).get_by_role("slider", name="Steps")).to_be_focused()
    keys.press("ArrowRight")
    expect(box(pane, "Steps")).to_have_value("4")
    keys.press("Shift+ArrowRight")
    expect(box(pane, "Steps")).to_have_value("14")
    keys.press("Tab")
    keys.press("ArrowDown")
    expect(box(pane, "Steps")).to_have_value("13")
    keys.press("Control+Enter")
    picture = pane.output(0).get_by_role("img", name=f"Last result, seed {BIG}")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 256
    expect(text(pane, f"Last run used {BIG}.")).to_be_visible()
    assert pane.value(SENT) == [BIG]
    row = "wb.generations.workflow(wb.generations.list().result()[0].id).result().workflow_json"
    assert pane.value(f"[str({row}['3']['inputs']['seed']), {row}['3']['inputs']['steps']]") == [BIG, 13]
    assert pane.value("[params.prompt, params.values['steps']]") == ["a lighthouse in fog", 13]
    pane.command("docmanager:save")
    saved = (pane.lab.root / pane.name).read_text()
    assert f"Seed | {BIG} | random" in saved  # the copy for readers without a kernel
    assert "data:image/webp;base64," in saved
    keys.press("Alt+r")
    expect(box(pane, "Steps")).to_have_value("20")
    assert pane.cells() == 1  # no key reached the notebook


def test_a_wrong_value_shows_at_its_field_and_nothing_is_sent(pane):
    cfg = box(pane, "Cfg scale")
    cfg.fill("120")
    cfg.press("Control+Enter")
    expect(text(pane, "120 is too high: ComfyUI takes 0 to 100.")).to_be_visible()
    expect(cfg).to_have_attribute("aria-invalid", "true")
    expect(cfg).to_have_value("120")
    expect(button(pane, "Generate")).to_be_disabled()
    expect(text(pane, "1 value needs a change")).to_be_visible()
    assert pane.value(SENT) == []
    cfg.fill("5.5")
    expect(button(pane, "Generate")).to_be_enabled()
    expect(text(pane, "too high")).to_have_count(0)
    assert pane.value("params.values['cfg_scale']") == 5.5
    pane.kernel("params.values = {'cfg_scale': 6, 'sampler_name': 'heun'}")
    expect(cfg).to_have_value("6.0")
    expect(box(pane, "Sampler", "combobox")).to_have_value("heun")


def test_values_survive_a_reload_and_presets_bring_them_back(pane):
    sampler = box(pane, "Sampler", "combobox")
    sampler.click()
    sampler.fill("2m sde")
    pane.page.keyboard.press("ArrowDown")
    pane.page.keyboard.press("Enter")
    expect(sampler).to_have_value("dpmpp_2m_sde_gpu")
    button(pane, "3:2").click()
    expect(box(pane, "Width")).to_have_value("320")
    box(pane, "Width").fill("600")
    box(pane, "Width").press("Enter")
    expect(box(pane, "Height")).to_have_value("392")
    button(pane, "Presets").click()
    box(pane, "Name of the preset").fill("Wide")
    pane.page.keyboard.press("Enter")
    expect(button(pane, "Reset 4")).to_be_visible()
    button(pane, "Reset 4").click()
    expect(sampler).to_have_value("euler")
    button(pane, "Presets").click()
    button(pane, "Wide").first.click()
    expect(sampler).to_have_value("dpmpp_2m_sde_gpu")
    pane.command("docmanager:save")
    pane.open(pane.name)
    expect(sampler).to_have_value("dpmpp_2m_sde_gpu")
    expect(box(pane, "Width")).to_have_value("600")


def test_runs_show_previews_queue_and_stop(notebook):
    opened = notebook(START.format(step=0.15))
    opened.run_cell(0)
    box(opened, "Steps").fill("30")
    button(opened, "Generate").click()
    expect(opened.output(0).get_by_role("img", name="Preview of the picture")).to_be_visible()
    expect(opened.output(0).get_by_role("progressbar")).to_be_visible()
    button(opened, "Queue 1 more").click()
    expect(text(opened, "2 runs")).to_be_visible()
    button(opened, "Stop").click()
    expect(button(opened, "Generate")).to_be_enabled()
    expect(opened.output(0).get_by_text("stopped", exact=True)).to_be_visible()
    assert opened.value("[row.status for row in wb.generations.list().result()]") == ["failed", "failed"]
    opened.kernel("sim.seconds_per_step = 0.0; generation = params.generate().result(20)")
    expect(opened.output(0).get_by_role("img", name="Last result")).to_be_visible()
    box(opened, "Steps").fill("7")
    opened.output(0).get_by_role("region", name="Lately").get_by_role("button").first.click()
    expect(box(opened, "Steps")).to_have_value("30")


def test_the_first_run_needs_nothing(notebook):
    opened = notebook(EMPTY)
    opened.run_cell(0)
    box(opened, "Your ComfyUI").fill("http://127.0.0.1:9")
    button(opened, "Connect").click()
    expect(opened.output(0).get_by_role("alert")).to_be_visible()
    button(opened, "Try it").click()
    expect(box(opened, "Prompt")).to_be_visible(timeout=15_000)
    opened.output(0).get_by_label("Workflow", exact=True).select_option(label="Image to image")
    opened.output(0).locator("input[type=file]").set_input_files(
        {"name": "fog.png", "mimeType": "image/png", "buffer": png()}
    )
    expect(opened.output(0).get_by_role("img", name="Input image fog.png")).to_be_visible()
    button(opened, "Find a value").click()
    box(opened, "Find a value").fill("denoise")
    expect(box(opened, "Denoise")).to_be_visible()
    expect(box(opened, "Prompt")).to_have_count(0)


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast"])
def test_no_accessibility_violation(pane, axe, theme):
    pane.theme(theme)
    box(pane, "Steps").fill("99999")
    expect(text(pane, "99999 is too high")).to_be_visible()
    pane.kernel("params.values = {'cfg_scale': 5}; wb.start(params.op_preset('save', 'x'))")
    button(pane, "Presets").click()
    assert axe(pane.page) == []
    pane.page.keyboard.press("Escape")
    box(pane, "Sampler", "combobox").click()
    assert axe(pane.page) == []


def png():
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(file, "PNG")
    return file.getvalue()

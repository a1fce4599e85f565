"""The profiles pane in a real JupyterLab, with a real workbench and a scripted provider."""

import json

import pytest
from playwright.sync_api import expect

from browser.beside import beside
from openai_replies import MODELS, listed
from spoonkernel.testing.upstream import Upstream

START = """
import tempfile
import spoonkernel
from spoonwidgets import Profiles
wb = spoonkernel.open(data=tempfile.mkdtemp())
pane = Profiles(wb)
pane
"""
KEY = "sk-canary-7d1f0b95e2c84a36"
REFUSED = {"error": {"message": f"Incorrect API key provided: {KEY}"}}
EVERYTHING = """
() => {
  const read = root => [...root.querySelectorAll("*")].flatMap(element =>
    [...element.attributes].map(one => one.value)
      .concat(element.value ?? "", element.shadowRoot ? read(element.shadowRoot) : []))
    .concat(root.textContent).join("\\n");
  return read(document);
}
"""


@pytest.fixture
def provider():
    with beside(Upstream()) as upstream:
        upstream.reply(MODELS, json=listed("gpt-one", "gpt-two"))
        yield upstream


@pytest.fixture
def pane(notebook):
    opened = notebook(START)
    opened.run_cell(0)
    expect(opened.output(0).get_by_role("button", name="Add a profile").first).to_be_enabled()
    return opened


def row(opened, name):
    return opened.output(0).get_by_role("listitem", name=name)


def add(opened, name, url, key=KEY):
    """With the keyboard alone, from the button on."""
    keys = opened.page.keyboard
    opened.output(0).get_by_role("button", name="Add a profile").first.focus()
    keys.press("Enter")
    expect(opened.output(0).get_by_label("Provider")).to_be_focused()
    for text in (name, url, key):
        keys.press("Tab")
        keys.type(text)
    keys.press("Enter")


def test_profile_is_added_changed_and_deleted_with_the_keyboard_alone(pane, provider):
    out, keys = pane.output(0), pane.page.keyboard
    add(pane, "My server", f"{provider.url}/v1")
    expect(row(pane, "My server").get_by_role("status")).to_contain_text("Answers")
    expect(row(pane, "My server").get_by_text("gpt-one and 1 more")).to_be_visible()

    row(pane, "My server").get_by_role("button", name="Edit My server").press("Enter")
    expect(out.get_by_label("Name")).to_be_focused()
    keys.press("Control+a")
    keys.type("Renamed")
    out.get_by_label("Price in").fill("2.5")
    out.get_by_label("Key").press("Enter")  # empty: the stored one stays
    expect(row(pane, "Renamed").get_by_role("button", name="Test Renamed")).to_be_focused()
    [profile] = pane.value("[one.model_dump(mode='json') for one in wb.profiles.list().result()]")
    assert profile["options"] == {"input_usd_per_million": 2.5}
    names = pane.value("sorted(model.name for model in wb.models.list().result())")
    assert names == ["gpt-one", "gpt-two"]  # for a chat to choose among
    expect(row(pane, "Renamed").get_by_role("status")).to_contain_text("Answers")
    assert provider.requests[-1].headers["authorization"] == f"Bearer {KEY}"

    row(pane, "Renamed").get_by_role("button", name="Delete Renamed").press("Enter")
    expect(out.get_by_role("button", name="Keep it")).to_be_focused()
    keys.press("Tab")
    keys.press("Enter")
    expect(row(pane, "Renamed")).to_have_count(0)
    assert pane.value("len(wb.profiles.list().result())") == 0


def test_what_is_wrong_is_said_at_its_place(pane, provider):
    out = pane.output(0)
    out.get_by_role("button", name="Add a profile").first.click()
    out.get_by_label("Address").fill("not an address")
    out.get_by_role("button", name="Test", exact=True).click()
    expect(out.get_by_role("status").filter(has_text="must look like https://host")).to_be_visible()
    out.get_by_label("Address").fill(f"{provider.url}/v1")
    out.get_by_label("Key").fill(KEY)
    out.get_by_role("button", name="Test", exact=True).click()
    expect(out.get_by_text("It answers: 2 models")).to_be_visible()
    out.get_by_label("At once").fill("0.5")
    out.get_by_role("button", name="Add the profile").click()
    expect(out.get_by_role("alert")).to_contain_text("A whole number of at least 1")
    expect(out.get_by_label("At once")).to_be_focused()
    out.get_by_label("At once").fill("2")
    out.get_by_role("button", name="Add the profile").click()
    expect(row(pane, "OpenAI").get_by_text("gpt-one and 1 more")).to_be_visible()
    provider.reply(MODELS, status=401, json=REFUSED)
    for outcome in ("Answers", "Invalid API key"):  # the first answer may be the last good one
        row(pane, "OpenAI").get_by_role("button", name="Test OpenAI").click()
        expect(row(pane, "OpenAI").get_by_role("status")).to_contain_text(outcome)
    row(pane, "OpenAI").get_by_role("button", name="Edit OpenAI").click()
    out.get_by_label("Address").fill("http://127.0.0.1:9/v1")
    out.get_by_role("button", name="Save").click()
    expect(out.get_by_role("alert")).to_contain_text("type the key again")
    expect(out.get_by_label("Key")).to_be_focused()
    pane.page.keyboard.press("Escape")
    expect(row(pane, "OpenAI").get_by_role("button", name="Test OpenAI")).to_be_focused()


def test_key_is_in_no_state_no_page_and_no_notebook(pane, provider):
    provider.reply(MODELS, status=401, json=REFUSED)  # a provider that repeats the key in its refusal
    add(pane, "Canary", f"{provider.url}/v1")
    expect(row(pane, "Canary").get_by_role("status")).to_contain_text("Answers")
    row(pane, "Canary").get_by_role("button", name="Test Canary").click()
    expect(row(pane, "Canary").get_by_role("status")).to_contain_text("Invalid API key")
    row(pane, "Canary").get_by_role("button", name="Edit Canary").click()
    expect(pane.output(0).get_by_label("Key")).to_have_attribute("placeholder", "sk-...4a36 is stored")
    assert KEY not in pane.page.evaluate(EVERYTHING)
    assert "Canary" in pane.page.evaluate(EVERYTHING)
    assert KEY not in pane.kernel("print(pane.get_state(), pane.describe(None), pane.saved(), vars(pane))")
    pane.command("@jupyter-widgets/jupyterlab-manager:saveWidgetState")  # a setting that many have: widgets' state too
    pane.command("docmanager:save")
    pane.command("@jupyter-widgets/jupyterlab-manager:saveWidgetState")
    saved = (pane.lab.root / pane.name).read_text()
    assert "Canary" in saved
    assert "spoonwidgets.profiles" in json.dumps(json.loads(saved)["metadata"]["widgets"])
    assert KEY not in saved


def test_profile_in_use_says_what_hangs_on_it_before_it_goes(pane):
    pane.kernel(
        "made = wb.profiles.create(name='Studio', type='image', provider='comfyui', url='http://127.0.0.1:9').result()\n"
        "wb.sessions.create(profile_id=made.id, title='Kept').result()\n"
        "wb.start(pane.op_look()).result()"
    )
    row(pane, "Studio").get_by_role("button", name="Delete Studio").click()
    row(pane, "Studio").get_by_role("button", name="Delete the profile").click()
    expect(row(pane, "Studio").get_by_role("alert")).to_contain_text("is used by 1 session and 5 workflows")
    assert pane.value("len(wb.sessions.list().result())") == 1
    row(pane, "Studio").get_by_role("button", name="Delete it with 1 session and 5 workflows").click()
    expect(row(pane, "Studio")).to_have_count(0)
    assert pane.value("len(wb.sessions.list().result())") == 0


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast"])
def test_no_accessibility_violation(pane, axe, theme):
    pane.theme(theme)
    assert axe(pane.page) == []  # first run
    pane.kernel(
        "wb.profiles.create(name='Away', type='text', provider='openai', url='http://127.0.0.1:9/v1').result()\n"
        "wb.start(pane.op_look()).result()"
    )
    expect(row(pane, "Away").get_by_role("status")).to_contain_text("Cannot connect")
    row(pane, "Away").get_by_role("button", name="Delete Away").click()
    assert axe(pane.page) == []
    row(pane, "Away").get_by_role("button", name="Edit Away").click()
    expect(pane.output(0).get_by_label("Name")).to_be_focused()
    assert axe(pane.page) == []

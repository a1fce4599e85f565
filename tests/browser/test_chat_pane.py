"""The chat pane in a real JupyterLab, over a scripted workbench; what must outlive a kernel, over a real one."""

import io
import json

import pytest
from PIL import Image
from playwright.sync_api import expect

from browser.jupyterlab import Notebook

START = """
from scripted import Bench
from spoonwidgets import Chat
bench = Bench()
chat = Chat(bench, model="{model}")
chat
"""
REAL = """
import os
from scripted import Ollama
import spoonkernel
from spoonwidgets import Chat
os.environ["OLLAMA_URL"] = Ollama.with_url()
wb = spoonkernel.open(data="kept")
del os.environ["OLLAMA_URL"]  # it is read once
chat = Chat(wb, "ollama", "parrot", conversation="fog-notes")
chat
"""
THEMES = ["JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast"]

BLOCKS = """
import pathlib, time
while not pathlib.Path("wake").exists():
    time.sleep(0.05)
pathlib.Path("wake").unlink()
print("slept")
"""
STOP_LATENCY = """
([stop, log]) => new Promise(resolve => {
  const began = performance.now();
  const seen = () => log.textContent.includes('Stopped by you') && resolve(performance.now() - began);
  new MutationObserver(seen).observe(log, {childList: true, subtree: true, characterData: true});
  stop.click();
})
"""
"""Milliseconds from the click to the words in the log."""
LONG_TASKS = """
() => {
  window.longTasks = [];
  const note = list => window.longTasks.push(...list.getEntries().map(task => task.duration));
  new PerformanceObserver(note).observe({type: 'longtask'});
}
"""
ENDED = """
() => {
  const root = document.querySelector('[data-spoon=chat]').shadowRoot;
  return root.querySelectorAll('article').length === 4 && root.querySelector('button[type=submit]');
}
"""
EVERYTHING = (
    "# Title\n\n| a | b |\n|-|-|\n| 1 | 2 |\n\n```python\nx = 1  # one\n```\n"
    "[l](https://e.org) and $x^2$\n\n$$\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}$$"
)


class Pane:
    """The parts of a chat pane by what a reader calls them."""

    def __init__(self, notebook, index=0):
        self.at = notebook.output(index)
        self.box = self.at.get_by_role("textbox", name="Message", exact=True)
        self.send = self.at.get_by_role("button", name="Send", exact=True)
        self.stop = self.at.get_by_role("button", name="Stop")
        self.retry = self.at.get_by_role("button", name="Retry")
        self.log = self.at.get_by_role("log")
        self.model = self.at.get_by_role("combobox", name="Model")

    def say(self, text):
        expect(self.log).to_have_attribute("data-ready", "true")
        self.box.fill(text)
        self.box.press("Enter")

    def choose(self, model):
        self.model.select_option(label=f"{model}, Local engine")
        expect(self.model.locator("option:checked")).to_have_text(f"{model}, Local engine")

    def button(self, name):
        return self.at.get_by_role("button", name=name, exact=True)


@pytest.fixture
def chat(notebook):
    """`chat("model")` is a pane for that scripted model, and its notebook."""

    def make(model, *more):
        opened = notebook(START.format(model=model), *more)
        opened.run_cell(0)
        return Pane(opened), opened

    return make


def test_answer_is_written_counted_and_asked_for_from_code_too(chat):
    pane, notebook = chat("echo", "await chat.ask('from a cell')")
    pane.say("fog at dawn")
    expect(pane.log.get_by_text("You said: fog at dawn")).to_be_visible()
    expect(pane.at.get_by_text("34", exact=True).first).to_be_visible()
    expect(pane.at.get_by_text("$0.00040").first).to_be_visible()
    expect(pane.box).to_have_value("")
    expect(pane.at.get_by_text("Answer complete")).to_be_attached()
    notebook.run_cell(1)
    assert "You said: from a cell" in notebook.output(1).inner_text()
    expect(pane.log.get_by_text("You said: from a cell")).to_be_visible()
    assert notebook.value("chat.messages") == [
        {"role": "user", "content": "fog at dawn"},
        {"role": "assistant", "content": "You said: fog at dawn"},
        {"role": "user", "content": "from a cell"},
        {"role": "assistant", "content": "You said: from a cell"},
    ]
    pane.choose("refuses")
    pane.say("please keep this")
    expect(pane.log.get_by_text("too many requests (429)")).to_be_visible()
    expect(pane.log.get_by_text("asks to wait 18 s")).to_be_visible()
    pane.retry.click()
    expect(pane.log.get_by_text("Now it works.")).to_be_visible()
    pane.choose("breaks")
    pane.say("go")
    expect(pane.log.get_by_text("The first half")).to_be_visible()
    expect(pane.log.get_by_text("the line went dead")).to_be_visible()
    expect(pane.retry).to_be_visible()


def test_stop_works_from_the_first_moment_and_while_a_cell_blocks(chat):
    pane, notebook = chat("silent", BLOCKS)
    pane.say("anyone there?")
    expect(pane.at.get_by_text("waiting for the first token")).to_be_visible()
    pane.stop.click()
    expect(pane.log.get_by_text("Stopped by you")).to_be_visible()
    expect(pane.send).to_be_visible()
    assert notebook.value("bench.inner.chat.stopped") == ["silent"]

    pane.choose("slow")
    pane.at.get_by_role("button", name="Regenerate").click()
    expect(pane.log.get_by_text("word1")).to_be_visible()
    pane.box.press("Escape")
    expect(pane.log.get_by_text("2 of 2")).to_be_visible()
    expect(pane.log.get_by_text("Stopped by you")).to_be_visible()

    pane.say("go")
    notebook.run_cell(1, wait=False)
    answer = pane.log.get_by_role("article", name="slow").last
    expect(answer.get_by_text("word9")).to_be_visible()  # it streams while the cell blocks
    pane.stop.click()
    expect(answer.get_by_text("Stopped by you")).to_be_visible(timeout=1_500)
    assert "slept" not in notebook.output(1).inner_text()
    (notebook.lab.root / "wake").touch()
    notebook.wait_cell(1)
    assert notebook.value("chat.last").startswith("word0 word1")


def test_stop_works_under_run_all(chat):
    pane, notebook = chat("slow", "call = chat.ask('from code')", BLOCKS)
    notebook.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    expect(pane.log.get_by_text("word5")).to_be_visible()
    latency_ms = notebook.page.evaluate(STOP_LATENCY, [pane.stop.element_handle(), pane.log.element_handle()])
    print(f"Stop to its words: {latency_ms:.0f} ms")
    assert latency_ms < 1_000  # about 50; the rest is for a busy machine
    assert "slept" not in notebook.output(2).inner_text()
    (notebook.lab.root / "wake").touch()
    notebook.wait_cell(2)


def test_first_run_fetches_the_demo_model_and_then_chats(notebook):
    opened = notebook(
        "from scripted import Bench\nfrom spoonwidgets import Chat\nbench = Bench(models=[])\nChat(bench)"
    )
    opened.run_cell(0)
    pane = Pane(opened)
    expect(pane.at.get_by_text("A very small model: good for trying Spoon, not for facts.")).to_be_visible()
    pane.at.get_by_role("button", name="Look again").click()
    expect(pane.at.get_by_text("Still nothing answers.")).to_be_visible()
    pane.at.get_by_role("button", name="Download and start").click()
    expect(pane.at.get_by_text("80 of 94 MB")).to_be_visible()
    opened.kernel("bench.loop.call_soon_threadsafe(bench.inner.models.pulled.set)")
    pane.say("hello")
    expect(pane.log.get_by_text("You said: hello")).to_be_visible()


def test_reader_who_scrolled_up_stays_there_and_keys_never_reach_the_notebook(chat):
    pane, notebook = chat("echo", "ran = True")
    pane.say("\n\n".join(f"line {n}" for n in range(60)))
    expect(pane.log.get_by_text("line 59").last).to_be_in_viewport()
    pane.choose("slow")
    pane.say("go")
    expect(pane.log.get_by_text("word1")).to_be_in_viewport()
    pane.log.evaluate("log => { log.scrollTop = 0 }")
    expect(pane.at.get_by_role("button", name="New text below")).to_be_visible()
    assert pane.log.evaluate("log => log.scrollTop") == 0
    pane.at.get_by_role("button", name="New text below").click()
    expect(pane.log.get_by_text("word1")).to_be_in_viewport()
    pane.stop.click()
    expect(pane.send).to_be_visible()
    copy = pane.at.get_by_role("button", name="Copy", exact=True).last
    for part in (copy, pane.log, pane.button("More for this answer").last, pane.box):
        part.focus()
        for key in ("a", "b", "j", "x", "ArrowDown", "d", "d", "z", "Shift+Enter", "Alt+ArrowLeft", "Control+Enter"):
            notebook.page.keyboard.press(key)
    notebook.page.keyboard.press("Control+/")
    expect(pane.at.get_by_role("dialog", name="Keys")).to_be_visible()
    notebook.page.keyboard.press("Escape")
    expect(pane.at.get_by_role("dialog", name="Keys")).to_be_hidden()
    assert notebook.cells() == 2
    assert notebook.value("'ran' in globals()") is False


def test_shift_enter_sends_for_those_who_want_it_and_runs_no_cell(chat, request):
    pane, notebook = chat("echo", "Chat(bench, model='echo')")
    page = notebook.page
    request.addfinalizer(lambda: page.is_closed() or page.evaluate("localStorage.removeItem('spoon.chat.sends')"))
    pane.button("More").click()
    pane.button("Send with Shift Enter").click()
    pane.box.fill("one")
    pane.box.press("Enter")
    page.keyboard.type("two")
    pane.box.press("Shift+Enter")
    expect(pane.log.get_by_text("You said: one two")).to_be_visible()
    assert notebook.value("'_2' in globals()") is False
    notebook.run_cell(1)
    other = Pane(notebook, 1)
    other.box.focus()
    expect(other.at.get_by_text("Shift Enter sends")).to_be_visible()  # it is the reader's setting, not the pane's


def test_lost_events_are_made_up_for(chat):
    """The Jupyter server drops messages of a burst; the page notices the gap and asks for the whole state."""
    pane, notebook = chat("echo")
    pane.say("before")
    expect(pane.log.get_by_text("You said: before")).to_be_visible()
    notebook.kernel("""
async def burst():
    last = chat.turns[-1]
    answer = last.model_copy(update={"id": "burst", "model": "burst", "text": "", "parent_id": last.id})
    chat._kept.ours.add("burst")
    chat._kept.tree.add(answer)
    for n in range(6000):
        answer.text += f"{n} "
        chat._changed |= {"burst", "about"}
        chat._flush()
bench.start(burst())  # not waited for: among the dropped messages may be the one that the cell has ended
""")
    burst = pane.log.get_by_role("article", name="burst")
    expect(burst.get_by_text("5998 5999")).to_be_attached(timeout=30_000)
    assert burst.locator("p").first.inner_text().strip() == " ".join(str(n) for n in range(6000))
    notebook.kernel("chat._kept.ours.clear()")

    pane.choose("slow")  # a gap before the last event is found by the next ping
    pane.say("go")
    expect(pane.log.get_by_text("word2")).to_be_visible()
    notebook.kernel("chat._post = lambda *args: None if args[0]['k'] == 'ev' else type(chat)._post(chat, *args)")
    seen = pane.log.inner_text()
    expect(pane.log).not_to_have_text(seen, timeout=6_000)
    pane.stop.click()
    expect(pane.log.get_by_text("Stopped by you")).to_be_visible(timeout=6_000)


def test_kernel_that_is_gone_is_told_and_the_typed_text_comes_back(chat):
    pane, notebook = chat("echo")
    pane.say("hello")
    expect(pane.log.get_by_text("You said: hello")).to_be_visible()
    notebook.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    pane.box.fill("a long question")
    pane.box.press("Enter")
    expect(pane.at.get_by_text("Not connected.")).to_be_visible(timeout=8_000)
    expect(pane.log.get_by_text("You said: hello")).to_be_visible()
    expect(pane.box).to_have_value("a long question")
    notebook.run_cell(0)
    expect(pane.box).to_have_value("a long question")
    expect(pane.log).to_have_attribute("data-ready", "true")
    pane.box.press("Enter")
    expect(pane.log.get_by_text("You said: a long question")).to_be_visible()


def test_branches_and_a_large_picture_outlive_the_page_and_the_kernel(notebook):
    opened = notebook(REAL)
    opened.run_cell(0)
    pane = Pane(opened)
    expect(pane.log).to_have_attribute("data-ready", "true", timeout=10_000)
    file = io.BytesIO()
    Image.effect_noise((2400, 1800), 90).convert("RGB").save(file, "PNG", compress_level=0)
    assert len(file.getvalue()) > 12_000_000
    pane.at.get_by_label("Pictures", exact=True).set_input_files(
        {"name": "large.png", "mimeType": "image/png", "buffer": file.getvalue()}
    )
    expect(pane.at.get_by_role("img", name="To be sent: large.png")).to_be_visible()
    expect(pane.at.get_by_role("progressbar")).to_have_count(0, timeout=15_000)
    pane.say("first words")
    expect(pane.log.get_by_text("You said: first words with 1 picture")).to_be_visible(timeout=10_000)
    picture = pane.log.get_by_role("img", name="Attached: large.png")
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") <= 256
    large = pane.at.get_by_role("dialog", name="large.png")
    pane.at.get_by_role("button", name="Attached: large.png").press("Enter")
    expect(large.get_by_role("alert")).to_contain_text("Too large to show here")
    opened.page.keyboard.press("Escape")
    expect(large).to_have_count(0)

    pane.button("Edit this message").click()
    pane.at.get_by_role("textbox", name="Edit message").fill("other words")
    pane.at.get_by_role("textbox", name="Edit message").press("Enter")
    expect(pane.log.get_by_text("You said: other words with 1 picture")).to_be_visible(timeout=10_000)
    expect(pane.log.get_by_text("2 of 2")).to_be_visible()

    def both_are_there():
        expect(pane.log.get_by_text("You said: other words")).to_be_visible(timeout=10_000)
        pane.button("Previous version").click()
        expect(pane.log.get_by_text("You said: first words")).to_be_visible()
        expect(pane.log.get_by_text("1 of 2")).to_be_visible()
        expect(picture).to_be_visible()
        pane.button("Next version").click()
        expect(pane.log.get_by_text("You said: other words")).to_be_visible()

    both_are_there()
    opened.command("docmanager:save")
    opened.open(opened.name)
    both_are_there()
    opened.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    opened.run_cell(0)
    both_are_there()
    opened.kernel("wb.close()")


def test_two_views_of_one_pane_agree(chat):
    pane, notebook = chat("echo", "chat")
    notebook.run_cell(1)
    other = Pane(notebook, 1)
    pane.say("one")
    expect(other.log.get_by_text("You said: one")).to_be_visible()
    other.button("Edit this message").click()
    other.at.get_by_role("textbox", name="Edit message").fill("two")
    other.at.get_by_role("button", name="Send as a new branch").click()
    expect(pane.log.get_by_text("You said: two")).to_be_visible()
    pane.log.get_by_role("article", name="echo").focus()
    pane.log.focus()
    notebook.page.keyboard.press("Alt+ArrowLeft")
    for view in (pane, other):
        expect(view.log.get_by_text("You said: one")).to_be_visible()
        expect(view.log.get_by_text("1 of 2")).to_be_visible()
    other.button("More for this message").click()
    other.at.get_by_role("button", name="Delete turn…").click()
    other.at.get_by_role("button", name="Delete 2 turns").click()
    for view in (pane, other):
        expect(view.log.get_by_text("You said: two")).to_be_visible()
        expect(view.log.get_by_text("You said: one")).to_have_count(0)


def test_two_tabs_on_one_kernel_agree(notebook, lab, context):
    opened = notebook(START.format(model="echo"), own=True)
    opened.run_cell(0)
    pane = Pane(opened)
    expect(pane.log).to_have_attribute("data-ready", "true")
    opened.command("docmanager:save")
    second = Notebook(context.new_page(), lab).open(opened.name)
    other = Pane(second)
    expect(other.log).to_have_attribute("data-ready", "true", timeout=10_000)
    pane.say("from the first tab")
    expect(other.log.get_by_text("You said: from the first tab")).to_be_visible()
    other.say("from the second tab")
    for view in (pane, other):
        expect(view.log.get_by_text("You said: from the second tab")).to_be_visible()
        expect(view.log.get_by_role("article", name="You")).to_have_count(2)
    assert second.trouble == []
    assert second.outside == []
    second.page.close()


def test_models_are_compared_side_by_side_and_one_answer_is_kept(chat):
    pane, notebook = chat("echo")
    expect(pane.log).to_have_attribute("data-ready", "true")
    pane.button("Compare models").click()
    pane.at.get_by_role("button", name="2 models").click()
    pane.at.get_by_label("slow, Local engine").check()
    notebook.page.keyboard.press("Escape")
    expect(pane.at.get_by_role("button", name="3 models")).to_be_visible()
    pane.say("which of you?")
    slow, echo = (pane.at.get_by_role("group", name=name, exact=True) for name in ("slow", "echo"))
    expect(echo.get_by_text("You said: which of you?")).to_be_visible()
    expect(slow.get_by_text("word3")).to_be_visible()
    slow.get_by_role("button", name="Stop").click()
    expect(slow.get_by_text("stopped")).to_be_visible()
    expect(pane.at.get_by_text("Keep an answer to go on")).to_be_visible()
    echo.get_by_role("button", name="Keep this answer").click()
    expect(pane.log.get_by_text("1 of 3")).to_be_visible()
    expect(slow).to_have_count(0)
    pane.button("Compare models").click()
    pane.say("and then?")
    expect(pane.log.get_by_text("You said: and then?")).to_be_visible()
    assert notebook.value("[m['content'] for m in bench.inner.chat.requests[-1]['messages']][:2]") == [
        "which of you?",
        "You said: which of you?",
    ]


def test_code_goes_below_conversations_are_found_and_options_kept(chat):
    pane, notebook = chat("script", "last = True")
    notebook.kernel(f"bench.inner.chat.script = {EVERYTHING!r}")
    pane.say("show everything")
    expect(pane.log.locator("math")).to_have_count(2)
    expect(pane.log.locator(".hljs-comment")).to_have_text("# one")
    pane.at.get_by_role("button", name="Insert below").click()
    expect(notebook.page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(3)
    cells = "window.jupyterapp.shell.currentWidget.content.widgets.map(cell => cell.model.sharedModel.source)"
    assert notebook.page.evaluate(f"() => {cells}")[1:] == ["x = 1  # one", "last = True"]

    pane.button("Options").click()
    pane.at.get_by_label("Temperature").fill("12")
    pane.at.get_by_label("Seed").fill(str(2**64 - 1))
    expect(pane.at.get_by_text("12.0 is too high")).to_be_visible()
    pane.at.get_by_label("Temperature").fill("0.2")
    pane.box.focus()
    expect(pane.at.get_by_text("temperature 0.2")).to_be_visible()
    assert notebook.value("list(bench.inner.conversations.rows.values())[0].options") == {
        "seed": 2**64 - 1,
        "temperature": 0.2,
    }

    pane.at.get_by_role("button", name="show everything").click()
    pane.at.get_by_role("button", name="Rename this one…").click()
    pane.at.get_by_role("textbox", name="Title").fill("Fog")
    pane.at.get_by_role("button", name="Rename", exact=True).click()
    pane.button("New conversation").click()
    expect(pane.at.get_by_text("Ask script")).to_be_visible()
    pane.at.get_by_role("button", name="New conversation").first.click()
    pane.at.get_by_label("Search conversations").fill("TITLE")
    pane.at.get_by_role("button", name="Fog 2 turns").click()
    expect(pane.log.get_by_role("heading", name="Title")).to_be_visible()
    pane.button("More").click()
    with notebook.page.expect_download() as download:
        pane.at.get_by_role("button", name="Save as a notebook").click()
    assert download.value.suggested_filename == "Fog.ipynb"


def test_long_answer_never_holds_up_the_page(chat, context):
    """2,000 tokens in some 3 s, with code, tables and formulas: above 50 ms in one task, typing would stutter."""
    pane, notebook = chat("script")
    notebook.kernel(f"bench.inner.chat.script = {EVERYTHING!r}")
    pane.say("warm up")  # the heavy parts are fetched and compiled once for a page
    expect(pane.log.locator("math")).to_have_count(2)
    expect(pane.log.locator(".hljs-comment")).to_be_visible()
    text = "\n\n".join(f"Part {n}. " + "The lamp turns in the fog, slowly. " * 8 + EVERYTHING for n in range(20))
    assert len(text) > 8_000
    notebook.kernel(f"bench.inner.chat.script = {text!r}")
    notebook.page.evaluate(LONG_TASKS)
    context.browser.start_tracing(page=notebook.page, categories=["toplevel", "devtools.timeline"])
    pane.say("go on")
    # no locator while it streams: Playwright's own looking through the page takes longer than the pane does
    notebook.page.wait_for_function(ENDED, polling=250, timeout=60_000)
    cpu_ms = sorted(task_cpu_ms(json.loads(context.browser.stop_tracing())["traceEvents"]))
    expect(pane.log.get_by_text("Part 19.")).to_be_visible()
    print("long tasks, ms:", notebook.page.evaluate("() => window.longTasks"), "longest, CPU ms:", cpu_ms[-5:])
    assert len(cpu_ms) > 50
    # one of hundreds may meet the garbage collector, or a core that another process has slowed down
    assert cpu_ms[-2] < 50
    assert cpu_ms[-1] < 100


def task_cpu_ms(events):
    """The processor's time of every task of the page's main thread: the clock's time is also that of other tests."""
    main = {(one["pid"], one["tid"]) for one in events if one.get("args", {}).get("name") == "CrRendererMain"}
    return [
        one["tdur"] / 1000
        for one in events
        if one.get("name", "").endswith("RunTask") and (one["pid"], one["tid"]) in main and "tdur" in one
    ]


def test_no_accessibility_violation_in_any_theme(chat, axe):
    pane, notebook = chat("script")
    notebook.kernel(f"bench.inner.chat.script = {EVERYTHING!r}")
    pane.say("show everything")
    expect(pane.log.locator("math")).to_have_count(2)
    pane.at.get_by_role("button", name="Regenerate").click()
    expect(pane.log.get_by_text("2 of 2")).to_be_visible()
    expect(pane.send).to_be_visible()
    pane.choose("breaks")
    pane.say("and an error")
    expect(pane.retry).to_be_visible()
    pane.button("Options").click()

    def check(theme):
        assert axe(notebook.page) == [], theme
        shown = pane.at.locator("[data-spoon=chat]")
        assert shown.get_attribute("data-theme") == ("light" if "Light" in theme else "dark")

    for theme in THEMES:
        notebook.theme(theme)
        check(theme)
        pane.button("More for this message").last.click()
        check(theme)
        notebook.page.keyboard.press("Escape")
    pane.button("Compare models").click()
    expect(pane.at.get_by_role("button", name="2 models")).to_be_visible()
    pane.say("which?")
    expect(pane.at.get_by_role("button", name="Keep this answer").first).to_be_enabled()
    for theme in THEMES:
        notebook.theme(theme)
        check(theme)

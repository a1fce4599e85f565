"""The chat pane in a real JupyterLab, over a scripted workbench."""

import pytest
from playwright.sync_api import expect

START = """
from scripted import Bench
from spoonwidgets import Chat
bench = Bench()
chat = Chat(bench, model="{model}")
chat
"""
THEMES = ["JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast"]


class Pane:
    """The parts of a chat pane by what a reader calls them."""

    def __init__(self, notebook, index=0):
        self.at = notebook.output(index)
        self.box = self.at.get_by_role("textbox", name="Message")
        self.send = self.at.get_by_role("button", name="Send")
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


@pytest.fixture
def chat(notebook):
    """`chat("model")` is a pane for that scripted model, and its notebook."""

    def make(model, *more):
        opened = notebook(START.format(model=model), *more)
        opened.run_cell(0)
        return Pane(opened), opened

    return make


def test_answer_is_written_and_its_counts_stand_beside_it(chat):
    pane, notebook = chat("echo")
    pane.say("fog at dawn")
    expect(pane.log.get_by_text("You said: fog at dawn")).to_be_visible()
    expect(pane.at.get_by_text("34", exact=True).first).to_be_visible()
    expect(pane.box).to_have_value("")
    expect(pane.at.get_by_text("Answer complete")).to_be_attached()
    assert notebook.value("chat.messages") == [
        {"role": "user", "content": "fog at dawn"},
        {"role": "assistant", "content": "You said: fog at dawn"},
    ]


def test_first_words_are_seen_while_the_rest_is_being_written(chat):
    pane, _ = chat("slow")
    pane.say("go")
    expect(pane.log.get_by_text("word3")).to_be_visible()
    expect(pane.stop).to_be_visible()
    pane.stop.click()
    expect(pane.send).to_be_visible()


def test_stop_before_the_first_token(chat):
    pane, notebook = chat("silent")
    pane.say("anyone there?")
    expect(pane.at.get_by_text("waiting for the first token")).to_be_visible()
    pane.stop.click()
    expect(pane.log.get_by_text("Stopped by you")).to_be_visible()
    expect(pane.send).to_be_visible()
    assert notebook.value("bench.inner.chat.stopped") == ["silent"]


def test_stop_works_while_a_cell_blocks_and_keeps_the_text(chat):
    pane, notebook = chat("slow", "import time\ntime.sleep(5)\nprint('slept')")
    pane.say("go")
    notebook.run_cell(1, wait=False)
    expect(pane.log.get_by_text("word9")).to_be_visible()  # it streams while the cell blocks
    pane.stop.click()
    expect(pane.log.get_by_text("Stopped by you")).to_be_visible(timeout=1_500)
    assert "slept" not in notebook.output(1).inner_text()
    notebook.wait_cell(1)
    assert notebook.value("chat.last").startswith("word0 word1")


def test_escape_stops(chat):
    pane, _ = chat("slow")
    pane.say("go")
    expect(pane.log.get_by_text("word1")).to_be_visible()
    pane.box.press("Escape")
    expect(pane.log.get_by_text("Stopped by you")).to_be_visible()


def test_refused_request_is_explained_at_its_turn_and_retry_asks_again(chat):
    pane, notebook = chat("refuses")
    pane.say("please keep this")
    expect(pane.log.get_by_text("too many requests (429)")).to_be_visible()
    expect(pane.log.get_by_text("asks to wait 18 s")).to_be_visible()
    pane.retry.click()
    expect(pane.log.get_by_text("Now it works.")).to_be_visible()
    assert notebook.value("[m['content'] for m in chat.messages]") == ["please keep this", "Now it works."]


def test_broken_answer_keeps_what_had_arrived(chat):
    pane, _ = chat("breaks")
    pane.say("go")
    expect(pane.log.get_by_text("The first half")).to_be_visible()
    expect(pane.log.get_by_text("the line went dead")).to_be_visible()
    expect(pane.retry).to_be_visible()


def test_picker_lists_the_models_and_the_next_answer_comes_from_the_chosen_one(chat):
    pane, notebook = chat("slow")
    pane.choose("echo")
    pane.say("hello")
    expect(pane.log.get_by_text("You said: hello")).to_be_visible()
    assert notebook.value("bench.inner.chat.requests[-1]['model']") == "echo"


def test_question_asked_from_code_appears_in_the_open_pane(chat):
    pane, notebook = chat("echo", "await chat.ask('from a cell')")
    notebook.run_cell(1)
    assert "You said: from a cell" in notebook.output(1).inner_text()
    expect(pane.log.get_by_text("You said: from a cell")).to_be_visible()


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


def test_reader_who_scrolled_up_stays_there(chat):
    pane, _ = chat("echo")
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


def test_keys_in_the_pane_never_run_cut_or_add_cells(chat):
    pane, notebook = chat("echo", "ran = True")
    pane.say("text for a button")
    expect(pane.log.get_by_text("You said")).to_be_visible()
    copy = pane.at.get_by_role("button", name="Copy", exact=True)
    for part in (copy, pane.log, pane.box):
        part.focus()
        for key in ("a", "b", "j", "x", "ArrowDown", "d", "d", "z", "Shift+Enter", "Control+Enter"):
            notebook.page.keyboard.press(key)
    assert notebook.cells() == 2
    assert notebook.value("'ran' in globals()") is False
    assert notebook.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.mode") is not None


def test_lost_events_are_made_up_for(chat):
    """The Jupyter server drops messages of a burst; the page notices the gap and asks for the whole state."""
    pane, notebook = chat("echo")
    pane.say("before")
    expect(pane.log.get_by_text("You said: before")).to_be_visible()
    notebook.kernel("""
import asyncio
async def burst():
    from spoonwidgets._conversation import Turn
    turn = Turn("assistant", model="burst")
    chat._turns.append(turn)
    for n in range(6000):
        turn.text += f"{n} "
        chat._changed.add(turn.id)
        chat._flush()
bench.start(burst())  # not waited for: among the dropped messages may be the one that the cell has ended
""")
    expect(pane.log.get_by_text("5998 5999")).to_be_attached(timeout=30_000)
    whole = " ".join(str(n) for n in range(6000))
    assert pane.log.get_by_role("article", name="burst").locator("p").inner_text().strip() == whole


def test_gap_before_the_last_event_is_found_by_the_next_ping(chat):
    pane, notebook = chat("slow")
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


def test_page_reload_with_a_live_kernel_brings_the_conversation_back(chat):
    pane, notebook = chat("echo")
    pane.say("remember me")
    expect(pane.log.get_by_text("You said: remember me")).to_be_visible()
    notebook.command("docmanager:save")
    notebook.open(notebook.name)
    expect(pane.log.get_by_text("You said: remember me")).to_be_visible()


@pytest.mark.parametrize("theme", THEMES)
def test_no_accessibility_violation(chat, axe, theme):
    pane, notebook = chat("script")
    notebook.kernel(
        "bench.inner.chat.script = '# Title\\n\\n| a | b |\\n|-|-|\\n| 1 | 2 |\\n\\n```python\\nx = 1\\n```\\n[l](https://e.org)'"
    )
    notebook.theme(theme)
    pane.say("show everything")
    expect(pane.at.get_by_text("Answer complete")).to_be_attached()
    pane.choose("breaks")
    pane.say("and an error")
    expect(pane.retry).to_be_visible()
    notebook.page.add_script_tag(content=axe)
    violations = notebook.page.evaluate(
        "async () => (await axe.run({include: [['[data-spoon]']]})).violations"
        ".map(found => [found.id, found.nodes.map(node => node.html)])"
    )
    assert violations == []
    assert pane.at.locator("[data-spoon=chat]").get_attribute("data-theme") == ("light" if "Light" in theme else "dark")

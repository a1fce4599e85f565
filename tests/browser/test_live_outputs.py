"""Handles in a real JupyterLab: the live output, which the page trusts like any other output of a cell."""

from playwright.sync_api import expect

from browser.test_untrusted_markdown import CORPUS

ASK = """
from scripted import Bench
from spoonkernel.handles import Reply
from spoonkernel.handles.starting import Question
bench = Bench()
bench.inner.chat.script = {answer!r}
reply = Reply(bench, Question("Which birds?", "local", "script").begin)
reply
"""
CODE = "```cpp\n#include <vector>\n\nint a[3]; // *x* & `y`\n```"


def test_an_answer_grows_in_place_and_reads_as_markdown(notebook):
    answer = f"# Owls\n\nThey **sing** `a<b>`.\n\n{CODE}\n\n- one\n- [two](https://example.org/)"
    opened = notebook(ASK.format(answer=answer), "await reply")
    opened.run_cell(0)
    shown = opened.output(0)
    expect(shown.get_by_role("heading", name="Owls")).to_be_visible(timeout=15_000)
    expect(shown.locator("strong", has_text="sing")).to_be_visible()
    expect(shown.locator("p code")).to_have_text("a<b>")
    expect(shown.locator("pre code")).to_have_text("#include <vector>\n\nint a[3]; // *x* & `y`\n")
    expect(shown.get_by_role("link", name="two")).to_have_attribute("href", "https://example.org/")
    assert shown.locator(".jp-OutputArea-output").count() == 1


def test_nothing_in_an_answer_runs_or_leaves_the_page(notebook):
    opened = notebook(ASK.format(answer="\n\n".join([*CORPUS, "The end."])))
    opened.run_cell(0)
    shown = opened.output(0)
    expect(shown.get_by_text("The end.")).to_be_attached(timeout=15_000)
    for link in shown.get_by_role("link").all():
        link.dispatch_event("mouseover")
        assert (link.get_attribute("href") or "https://").startswith(("https://", "http://", "mailto:", "#"))
    assert opened.page.evaluate("() => window.hit") is None
    assert shown.locator("img, script, iframe, form, style, link, video, base, template").count() == 0
    expect(shown.get_by_text("<script>window.hit = 1</script>")).to_be_attached()  # shown as what it is
    assert opened.outside == []
    assert opened.page.locator(".jp-Toolbar").first.is_visible()

"""A saved notebook opened where no kernel runs still shows what was said."""

import json

from playwright.sync_api import expect

from browser.jupyterlab import Notebook
from browser.test_chat_pane import START, Pane


def test_saved_notebook_without_kernel_shows_the_transcript(notebook, lab, context):
    opened = notebook(START.format(model="echo"), own=True)
    opened.run_cell(0)
    pane = Pane(opened)
    pane.say("keep <b>this</b>")
    expect(pane.at.get_by_text("Answer complete")).to_be_attached()
    expect(pane.at.locator(".spoon-static")).to_be_hidden()  # the live view stands in its place
    opened.page.wait_for_function(
        "() => JSON.stringify(window.jupyterapp.shell.currentWidget.content.model.toJSON()).includes('You said')"
    )
    opened.command("docmanager:save")
    saved = json.loads((lab.root / opened.name).read_text())
    html = "".join(saved["cells"][0]["outputs"][0]["data"]["text/html"])
    assert "You said: keep &lt;b&gt;this&lt;/b&gt;" in html
    lab.stop_kernels()

    page = context.new_page()
    saved["metadata"]["kernelspec"] = {"name": "none", "display_name": "none"}
    (lab.root / "cold.ipynb").write_text(json.dumps(saved))
    cold = Notebook(page, lab).open("cold.ipynb", kernel=False)
    expect(cold.output(0).get_by_text("You said: keep <b>this</b>")).to_be_visible()
    expect(cold.output(0).get_by_text("Error displaying widget")).to_be_hidden()
    page.close()
    opened.trouble.clear()  # the kernel was taken away under the first page

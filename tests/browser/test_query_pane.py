"""The query pane in a real JupyterLab, over a real embedded workbench with real rows and pictures."""

import csv
import json
import time

import pytest
from playwright.sync_api import expect

from browser.shelf import TITLE, fill

START = """
import spoonkernel
from spoonwidgets import Gallery, Query
wb = spoonkernel.open(data={data!r})
pane = Query(wb{sql})
pane
"""
THEMES = ["JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast"]
SLOW = "select count(*) from range(300000) as a(x), range(300000) as b(y) where (a.x * b.y) % 7 = 3"
EVIL = '<img src=x onerror="globalThis.pwned = 1"><script>globalThis.pwned = 2</script>javascript:alert(1)'
COUNT = 300


class Pane:
    def __init__(self, opened):
        self.opened, self.page, self.keys = opened, opened.page, opened.page.keyboard
        self.at = opened.output(0).locator("[data-spoon=query]")
        self.editor = self.at.locator(".cm-content")
        self.grid = self.at.get_by_role("grid", name="Result")
        self.ledger = self.at.locator(".ledger")

    def write(self, sql):
        self.editor.click()
        self.keys.press("Control+a")
        self.keys.insert_text(sql)

    def run(self, sql, told):
        self.write(sql)
        self.keys.press("Shift+Enter")
        expect(self.ledger).to_contain_text(told, timeout=20_000)

    def press(self, *keys):
        for key in keys:
            self.keys.press(key)

    def cell(self, words):
        return self.grid.get_by_role("gridcell", name=words, exact=True)

    def eventually(self, expression, wanted):
        """What the page shows at once reaches Python a moment later."""
        deadline = time.monotonic() + 10
        while (value := self.opened.value(expression)) != wanted:
            assert time.monotonic() < deadline, value


@pytest.fixture
def show(notebook, tmp_path):
    def make(count=0, sql=""):
        if count:
            fill(tmp_path / "data", count, side_px=128)
        opened = notebook(START.format(data=str(tmp_path / "data"), sql=f", {sql!r}" if sql else ""))
        opened.run_cell(0)
        pane = Pane(opened)
        expect(pane.editor).to_be_visible()
        expect(pane.at.get_by_role("tree", name="Schema")).to_be_visible(timeout=20_000)
        return pane

    return make


def test_everything_is_done_with_the_keyboard_alone(show):
    pane = show(COUNT)
    pane.editor.focus()
    pane.keys.type("select id as image, seed, cfg_scale, rating from runs where ra")
    expect(pane.at.get_by_role("option").first).to_contain_text("rating")  # completion, from the live schema
    pane.page.wait_for_timeout(100)  # for 75 ms CodeMirror takes no Enter: it may have been meant for the text
    pane.press("Enter")
    pane.keys.type(" >= $least order by seed")
    pane.at.get_by_label("Value of $least").focus()
    pane.keys.type("4")
    pane.press("Enter")
    expect(pane.ledger).to_contain_text("18 rows", timeout=20_000)
    expect(pane.grid.get_by_role("img").first).to_be_visible()  # the thumbnails of the ids
    pane.grid.focus()
    pane.press("ArrowRight", "ArrowUp", "Enter", "Enter")  # the head of `seed`: smallest, then largest first
    expect(pane.grid.get_by_role("columnheader").nth(2)).to_have_attribute("aria-sort", "descending")
    largest = pane.opened.value("max(row['seed'] for row in pane.result.rows)")
    expect(pane.grid.locator("#cell-0-1")).to_have_text(
        str(largest)
    )  # the answer; a newer one takes the selection away
    pane.press("ArrowDown", "Space", "ArrowDown", "Space", "Enter")
    expect(pane.at.get_by_role("complementary", name="Cell: seed, row 2")).to_be_visible()
    pane.eventually("len(pane.selected)", 2)
    newest = pane.opened.value("[row['seed'] for row in pane.selected]")
    assert newest == sorted(newest, reverse=True)
    pane.press("Escape", "Escape")
    expect(pane.at.get_by_role("complementary")).to_have_count(0)
    pane.eventually("pane.selected", [])
    pane.at.get_by_label("Filter the rows").focus()
    pane.keys.type("seed < 4200")
    pane.press("Enter")
    expect(pane.ledger).not_to_contain_text("18 rows")
    assert pane.opened.value("max(row['seed'] for row in pane.result.rows)") < 4200
    assert "ORDER BY 2 DESC" in pane.opened.value("pane.statement")
    pane.editor.focus()
    pane.press("Control+a", "Delete", "Alt+ArrowUp")
    expect(pane.editor).to_contain_text("order by seed")


def test_long_statement_is_stopped_and_the_rows_before_stay(show):
    pane = show()
    pane.run("select 41 + 1 as answer", "1 row")
    pane.write(SLOW)
    pane.press("Shift+Enter")
    expect(pane.at.get_by_role("button", name="Stop")).to_be_visible()
    expect(pane.at.get_by_text("running, ")).to_be_visible()
    pane.press("Escape")
    expect(pane.at.get_by_role("button", name="Run", exact=True)).to_be_visible()
    expect(pane.at.get_by_text("stopped")).to_be_visible()
    expect(pane.cell("42")).to_be_visible()
    pane.run("select 43 as answer", "1 row")
    expect(pane.cell("43")).to_be_visible()
    pane.write("select *\nfrom run")
    pane.press("Control+Enter")
    expect(pane.at.get_by_role("alert")).to_contain_text("Line 2, column 6")
    expect(pane.editor.locator(".oops")).to_have_text("run")
    pane.at.get_by_role("button", name="Use runs").click()
    expect(pane.ledger).to_contain_text("0 rows")
    expect(pane.editor).to_contain_text("from runs")


def test_grid_draws_what_is_in_view_of_thousands_of_rows_and_many_columns(show):
    pane = show()
    columns = ", ".join(f"i * {number} as column_{number}" for number in range(60))
    pane.run(f"select {columns} from range(12000) as _(i)", "10,000 rows")
    expect(pane.at.get_by_role("status").filter(has_text="The first 10,000 rows of 12,000")).to_be_visible()
    assert pane.grid.get_by_role("gridcell").count() < 600
    pane.grid.focus()
    pane.press("Control+End")
    expect(pane.cell("589,941")).to_be_visible()  # 9,999 * 59
    pane.press("Control+Home")
    expect(pane.grid.get_by_role("rowheader", name="1", exact=True)).to_be_visible()
    expect(pane.grid.get_by_role("columnheader", name="column_0 bigint").first).to_be_visible()
    with pane.page.expect_download() as saved:
        pane.at.get_by_role("button", name="Export").click()
        pane.at.get_by_role("button", name="All rows as CSV").click()
    with saved.value.path().open(newline="") as file:
        assert sum(1 for _ in csv.reader(file)) == 12_001


def test_hostile_cells_are_text_everywhere(show):
    pane = show()
    quoted = EVIL.replace("'", "''")
    name = EVIL.replace('"', '""')
    pane.run(f"""select '{quoted}' as "{name}", '{{"a": "<b>"}}'::json as j, '=1+1' as formula""", "1 row")
    expect(pane.grid.get_by_role("gridcell").first).to_contain_text("<img src=x")
    pane.grid.focus()
    pane.press("Enter")
    expect(pane.at.locator("aside pre")).to_have_text(EVIL)
    pane.at.get_by_role("button", name="Only these").click()
    expect(pane.at.get_by_label("Filter the rows")).not_to_have_value("")
    expect(pane.ledger).to_contain_text("1 row")
    pane.at.get_by_role("tab", name="Chart").click()
    expect(pane.at.get_by_role("img", name="Bars")).to_be_visible()
    assert pane.page.evaluate("globalThis.pwned ?? null") is None
    assert (
        pane.page.evaluate(
            "document.querySelector('[data-spoon=query]').shadowRoot.querySelectorAll('img, script').length"
        )
        == 0
    )
    pane.opened.command("docmanager:save")
    saved = json.dumps(json.loads((pane.opened.lab.root / pane.opened.name).read_text())["cells"][0]["outputs"])
    assert "&lt;img src=x" in saved
    assert "<img src=x" not in saved.replace("\\", "").split("text/plain")[0]


def test_gallery_shows_the_generations_of_the_query(show):
    pane = show(COUNT)
    pane.opened.kernel(f"gallery = Gallery(wb, session={TITLE!r})\npane.show_in(gallery)")
    pane.run("select id, seed from runs where seed < 4107", "7 rows")
    expect(pane.ledger).to_contain_text("7 shown in the gallery")
    pane.eventually("gallery.shown_by_sql", 7)
    pane.run("select id, seed from runs where seed < 4103", "3 rows")
    expect(pane.ledger).to_contain_text("3 shown in the gallery")
    pane.opened.kernel("gallery.select(wb.generations.list(limit=2).result())\npane.about(gallery).result()")
    expect(pane.ledger).to_contain_text("2 rows")
    expect(pane.at.get_by_label("Value of $ids")).not_to_have_value("")


@pytest.mark.parametrize("theme", THEMES)
def test_no_accessibility_violation(show, axe, theme):
    pane = show(COUNT)
    pane.opened.theme(theme)
    assert axe(pane.page) == []  # first run
    pane.write("select id, seed, cfg_scale, rating, prompt, created_at from runs where steps > $least")
    pane.at.get_by_label("Value of $least").fill("3")
    pane.press("Enter")
    expect(pane.ledger).to_contain_text(f"{COUNT} rows", timeout=20_000)
    expect(pane.grid.locator(".spark").first).to_be_visible()
    pane.grid.focus()
    pane.press("Space", "Enter")
    assert axe(pane.page) == []
    pane.at.get_by_role("tab", name="Chart").click()
    expect(pane.at.get_by_role("img", name="Bars")).to_be_visible()
    assert axe(pane.page) == []
    pane.write("select nothing")
    pane.press("Shift+Enter")
    expect(pane.at.get_by_role("alert")).to_be_visible()
    assert axe(pane.page) == []

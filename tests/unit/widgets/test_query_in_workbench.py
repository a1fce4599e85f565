"""The query in the workbench view: made with its tab, and beside the gallery of Images."""

import pytest

from spoonkernel.errors import Forbidden

DEADLINE_S = 30


@pytest.fixture
def query(view, page):
    view.call("open", tab="query")
    opened = page(view.pane.panes["query"])
    opened.call("hello")
    return opened


def run(query, sql):
    query.call("run", sql=sql)
    query.until(lambda: any((event["data"].get("run") or {}).get("sql") == sql for event in query.events))


def test_pictures_of_a_result_are_shown_in_images(workbench, view, query):
    assert query.call("sync")["state"]["run"]["beside"]
    run(query, "SELECT id FROM runs WHERE kind = 'generation'")
    assert query.call("to_gallery") == 0  # no ComfyUI, no gallery
    view.call("make")
    view.until(lambda: any((event["data"].get("counts") or {}).get("images") == 4 for event in view.events))
    gallery = view.pane.panes["gallery"]
    view.pane.tab = "query"
    run(query, "SELECT id, seed FROM runs WHERE kind = 'generation'")
    assert query.call("to_gallery") == 1  # one generation of four pictures
    assert (view.pane.tab, gallery.shown_by_sql) == ("images", 1)
    view.pane.tab = "query"
    run(query, "SELECT uuid() AS id")
    assert query.call("to_gallery") == 0
    assert (view.pane.tab, gallery.shown_by_sql) == ("query", 1)  # nothing there to see: everything stays


def test_selection_of_images_is_asked_about(workbench, view, query):
    assert "Nothing is selected" in query.refused("about")
    view.call("make")
    view.until(lambda: any((event["data"].get("counts") or {}).get("images") == 4 for event in view.events))
    [generation] = workbench.generations.list().result(DEADLINE_S)
    view.pane.panes["gallery"].select([generation])
    query.call("about")
    query.until(lambda: any((event["data"].get("run") or {}).get("count") == 1 for event in query.events))
    pane = view.pane.panes["query"]
    assert [row["id"] for row in pane.result.rows] == [generation.id]
    assert (pane.sql.startswith("SELECT * FROM runs"), generation.id in pane.values["ids"]) == (True, True)


def test_tab_opens_where_questions_are_not_allowed(workbench, view, page, monkeypatch):
    monkeypatch.setattr(workbench.inner.database, "_allowed", False)
    view.call("open", tab="query")
    query = page(view.pane.panes["query"])
    query.call("hello")
    query.until(lambda: any((event["data"].get("schema") or {}).get("error") for event in query.events))
    error = query.call("sync")["state"]["schema"]["error"]
    assert (error["code"], "SPOON_DATABASE_QUERIES" in error["message"]) == (Forbidden.code, True)

"""The query pane where questions are counted, are not allowed, or cannot be asked."""

import functools
import uuid

import pytest

import spoonkernel
from browser.shelf import fill
from spoonkernel.errors import RateLimited
from spoonkernel.query import process
from spoonkernel.services.database import Asker
from spoonwidgets import Query
from spoonwidgets._query_aside import Aside

COUNT = 5
DEADLINE_S = 20
SQL = "SELECT id, seed FROM runs ORDER BY seed"


class Inner:
    """The rooms as a server gives them to somebody on another machine; `url` is what a client knows of the server."""

    def __init__(self, inner, url):
        self._inner, self._asker = inner, Asker(f"10.0.0.7 {uuid.uuid4()}", is_near=False)
        self.database, self.asked = self, []
        if url:
            self.url = url

    async def query(self, sql, **more):
        self.asked.append(sql)
        return await self._inner.database.query(sql, asked_by=self._asker, **more)

    def __getattr__(self, name):
        if name in ("arrow", "export", "tables", "schema"):
            return functools.partial(getattr(self._inner.database, name), asked_by=self._asker)
        return getattr(self._inner, name)


class Elsewhere:
    def __init__(self, workbench, url=None):
        self.start, self.inner = workbench.start, Inner(workbench.inner, url)


@pytest.fixture(scope="module")
def workbench(tmp_path_factory):
    data = tmp_path_factory.mktemp("elsewhere") / "data"
    fill(data, COUNT, side_px=64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPOON_DATABASE_QUERIES", "1")
        with spoonkernel.open(data=data) as opened:
            yield opened


@pytest.fixture
def view(workbench, page):
    views = []

    def make(url=None):
        views.append(page(Query(Elsewhere(workbench, url))))
        return views[-1]

    yield make
    for view in views:
        view.pane.close()


def told(view, part, condition):
    def fitting():
        return [event["data"][part] for event in view.events if condition(event["data"].get(part))]

    view.until(fitting)
    return fitting()[-1]


def run(view):
    before = max((event["data"]["run"]["number"] for event in view.events if "run" in event["data"]), default=0)
    view.call("run", sql=SQL)
    return told(view, "run", lambda now: now and (now["number"] > before or now["state"] == "failed"))


def test_all_ten_questions_of_a_minute_are_the_users_own(view):
    open_ = view("https://team.example")
    open_.call("hello")
    tables = told(open_, "schema", lambda schema: schema and schema["tables"])["tables"]
    columns = {table["name"]: [column["name"] for column in table["columns"]] for table in tables}
    assert tables[0]["name"] == "runs"
    assert "seed" in columns["runs"]
    assert "prompt_text" in columns["comfyui_generations"]
    for number in range(10):
        assert run(open_)["number"] == number + 1
    assert open_.pane._inner.asked == [SQL] * 10
    now = told(open_, "run", lambda now: now and now["pictures"])
    assert now["spared"]
    rows = open_.call("rows", number=10, start=0)
    while not (faces := open_.ask("faces", {"ids": [rows[0][0]]})[1]):
        pass  # it is being read
    assert faces[0][:4] == b"RIFF"
    refused = run(open_)
    assert (refused["number"], refused["error"]["code"], refused["error"]["at"]) == (10, "RATE_LIMITED", "editor")
    assert "10 questions in 60 s is the limit; ask again in" in refused["error"]["message"]
    later = open_.call("sync")["state"]["run"]["error"]["retry_after_s"]
    assert 0 < later < refused["error"]["retry_after_s"] <= 60
    with pytest.raises(RateLimited, match="ask again in"):
        open_.pane.run(SQL).result(DEADLINE_S)


def test_pane_learns_from_the_first_refusal_and_leaves_the_rest_to_the_user(view):
    open_ = view()
    open_.call("hello")
    assert told(open_, "schema", lambda schema: schema and schema["tables"])["tables"][0]["rows"] == COUNT
    while not (now := run(open_))["spared"]:
        assert now["error"] is None
    told(open_, "run", lambda now: now and now["spared"])
    before = len(open_.pane._inner.asked)
    assert run(open_)["error"]["code"] == "RATE_LIMITED"
    assert open_.pane._inner.asked[before:] == [SQL]


def test_summaries_that_were_spared_are_read_when_asked_for(view):
    open_ = view("https://team.example")
    open_.call("hello")
    run(open_)
    told(open_, "run", lambda now: now and now["pictures"])
    assert open_.call("sync")["state"]["summary"] is None
    open_.call("summaries")
    columns = told(open_, "summary", lambda summary: summary and "bars" in summary["columns"][1])["columns"]
    assert columns[1]["distinct"] == COUNT


@pytest.mark.parametrize(
    ("url", "sparing"),
    [(None, False), ("http://127.0.0.1:3001", False), ("http://localhost:1", False), ("https://team.example", True)],
)
def test_only_another_machine_is_spared(url, sparing):
    assert Aside(Inner(None, url)).sparing is sparing


def test_missing_libraries_are_said_with_what_to_do(workbench, page, monkeypatch):
    monkeypatch.setattr(process, "NEEDED", ("duckdb_that_nobody_has",))
    workbench.start(workbench.inner.database._child._drop()).result(DEADLINE_S)
    pane = Query(workbench)
    open_ = page(pane)
    open_.call("hello")
    error = told(open_, "schema", lambda schema: schema and schema["error"])["error"]
    assert "pip install 'spoon-workbench[query]'" in error["message"]
    monkeypatch.undo()
    open_.call("schema")
    assert told(open_, "schema", lambda schema: schema and schema["tables"])
    pane.close()

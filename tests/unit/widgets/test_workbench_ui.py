"""The workbench view's Python half: panes made when they are first needed, one session a ComfyUI, counts."""

import subprocess
import sys

import pytest

import spoonwidgets
from openai_replies import MODELS, listed
from spoonkernel.errors import BadRequest, ProviderConnectionError
from spoonkernel.testing.upstream import Upstream
from spoonwidgets import Tasks
from spoonwidgets._simulated import simulated

DEADLINE_S = 30


@pytest.fixture
def comfyui(workbench):
    """A second ComfyUI's profile, at the same simulated server."""

    def make(name):
        return workbench.profiles.create(name=name, type="image", provider="comfyui", url=simulated().url).result().id

    return make


def latest(view, part):
    return next((event["data"][part] for event in reversed(view.events) if part in event["data"]), None)


def test_nothing_is_made_before_it_is_opened(workbench, view):
    ui = view.pane
    view.call("open", tab="images")  # no ComfyUI yet: there is nothing to open
    assert ui.panes == {}
    view.call("open", tab="tasks")
    tasks = ui.panes["tasks"]
    assert (tasks.bare, tasks.static_id) == (True, "")
    view.call("open", tab="tasks")
    assert ui.panes == {"tasks": tasks}
    assert ui.get_state("panes") == {"panes": {"tasks": f"IPY_MODEL_{tasks.model_id}"}}
    assert workbench.sessions.list().result() == []


def test_first_pictures_take_one_request(workbench, view):
    view.call("make")
    view.until(lambda: (latest(view, "counts") or {}).get("images") == 4)
    [generation] = workbench.generations.list().result()
    assert generation.batch_size == 4
    assert view.pane.panes["params"].values["prompt"] == generation.prompt_text
    assert set(view.pane.panes) == {"params", "gallery", "running"}
    assert [session.title for session in workbench.sessions.list().result()] == ["Workbench"]


def test_each_comfyui_has_its_session_and_its_panes_come_back(workbench, view, comfyui):
    one, two = comfyui("One"), comfyui("Two")
    workbench.start(view.pane._look()).result(DEADLINE_S)
    view.call("choose", id=one)
    first = dict(view.pane.panes)
    view.call("choose", id=two)
    assert view.pane.panes["params"] is not first["params"]
    view.call("choose", id=one)
    assert view.pane.panes == first
    assert {session.profile_name for session in workbench.sessions.list().result()} == {"One", "Two"}
    workbench.profiles.delete(one, force=True).result()
    workbench.start(view.pane._look()).result(DEADLINE_S)
    view.until(lambda: latest(view, "profile") == two)
    assert "params" not in view.pane.panes


def test_narrow_layout_reads_and_runs_the_parameters(workbench, view):
    assert "There are no parameters yet" in view.refused("generate")
    assert view.call("summary") == {}
    view.call("simulate")
    view.pane.panes["params"].values = {"prompt": "a boat", "steps": 3}
    summary = view.call("summary")
    assert (summary["prompt"], summary["steps"]) == ("a boat", "3")
    view.call("generate")
    view.until(lambda: (latest(view, "counts") or {}).get("images"))
    assert [run.prompt_text for run in workbench.generations.list().result()] == ["a boat"]


def test_pane_that_cannot_be_made_says_why_in_its_tab(view, monkeypatch):
    def missing(*_args, **_kwargs):
        raise ImportError("spoonwidgets/static/tasks.js is not built. In a checkout run: npm run build")

    monkeypatch.setattr("spoonwidgets.tasks.Tasks", missing)
    view.call("open", tab="tasks")
    assert "npm run build" in latest(view, "trouble")["tasks"]
    monkeypatch.undo()
    view.call("open", tab="tasks")
    assert latest(view, "trouble") == {}


def test_simulated_comfyui_out_of_the_servers_reach_makes_no_profile(workbench, view, monkeypatch):
    async def unreachable(**_):
        raise ProviderConnectionError("Cannot connect to ComfyUI. Is it running?")

    monkeypatch.setattr(workbench.inner.profiles, "test_connection", unreachable)
    assert "`spoon comfy-sim` on the server" in view.refused("make")
    assert workbench.profiles.list().result() == []


def test_live_list_follows_tasks_and_generations(workbench, page, view):
    view.call("simulate")
    changes = []
    live = Tasks(workbench, changed=lambda: changes.append(1))
    rows = page(live)
    rows.call("hello")
    session = workbench.sessions.list().result()[0]
    simulated().seconds_per_step = 0.5
    try:
        run = workbench.sessions.generate(session.id, prompt_text="slow", parameters={"batch_size": 2}).result()
        rows.until(lambda: any(row["id"] == run.id for event in rows.events for row in event["data"]["tasks"]))
        [row] = [row for event in rows.events for row in event["data"]["tasks"] if row["id"] == run.id][-1:]
        assert (row["kind"], row["where"]) == ("generation", "Simulated ComfyUI")
        assert row["name"] == f"2 images, seed {run.seed}"
        assert live.counts == {"running": 1, "failed": 0}
        rows.call("cancel", id=run.id)
    finally:
        simulated().seconds_per_step = 0.05
    rows.until(lambda: latest(rows, "order") == [])
    task = workbench.tasks.create(name="Text", type="text", provider="openai", prompt="x").result()
    rows.until(lambda: latest(rows, "order") == [task.id])
    assert changes
    with pytest.raises(BadRequest, match="name the tasks to wait for"):
        live.wait()
    live.close()


def test_importing_a_pane_leaves_the_others_alone():
    code = (
        "import sys, spoonwidgets; spoonwidgets.Tasks; print([n for n in sys.modules if n.startswith('spoonwidgets.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "spoonwidgets.tasks" in done.stdout
    assert "spoonwidgets.chat" not in done.stdout
    assert set(spoonwidgets.__all__) <= set(dir(spoonwidgets))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = spoonwidgets.Nothing


def test_choosing_somebody_who_chats_makes_the_chat_ask_them(workbench, view):
    upstream = Upstream()
    workbench.start(upstream.__aenter__()).result(DEADLINE_S)
    try:
        upstream.reply(MODELS, json=listed("gpt-one"))
        url = f"{upstream.url}/v1"
        made = workbench.profiles.create(name="Mine", type="text", provider="openai", url=url).result()
        workbench.start(view.pane._look()).result(DEADLINE_S)
        workbench.start(view.pane._directory.settled()).result(DEADLINE_S)
        view.call("choose", id=made.id)  # its models have never been listed
        choice = view.pane.panes["chat"].describe({"models"})["models"]["choice"]
        assert (choice["provider"], choice["model"], choice["profile_id"]) == ("openai", "gpt-one", made.id)
        assert view.pane.tab == "chat"
    finally:
        workbench.start(upstream.__aexit__(None, None, None)).result(DEADLINE_S)

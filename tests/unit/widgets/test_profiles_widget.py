"""The profiles pane's Python half, over a real embedded workbench and a scripted provider."""

import asyncio

import pytest

from openai_replies import MODELS, listed
from spoonkernel.testing.upstream import STALL, Upstream
from spoonwidgets import Profiles, _directory
from spoonwidgets._directory import Directory
from spoonwidgets._simulated import simulated

KEY = "sk-canary-1f8a0c77b3d94e52"


@pytest.fixture
def provider(workbench):
    """On the workbench's own loop."""
    upstream = Upstream()
    workbench.start(upstream.__aenter__()).result(5)
    upstream.reply(MODELS, json=listed("gpt-one", "gpt-two"))
    yield upstream
    workbench.start(upstream.__aexit__(None, None, None)).result(5)


@pytest.fixture
def view(workbench, page):
    pane = Profiles(workbench)
    opened = page(pane)
    opened.call("hello")
    opened.until(lambda: any(event["data"].get("looked") for event in opened.events))
    return opened


def entries(view):
    return next(event["data"]["entries"] for event in reversed(view.events) if "entries" in event["data"])


def entry(view, name):
    return next((row for row in entries(view) if row["name"] == name), None)


def settled(view, name):
    view.until(lambda: (entry(view, name) or {}).get("state") in {"ok", "failed"})
    return entry(view, name)


def save(view, provider, **more):
    form = {"provider": "openai", "name": "Mine", "url": f"{provider.url}/v1", "key": KEY} | more
    return view.call("save", **form)["id"]


def test_saved_profile_is_tested_and_its_models_listed(workbench, view, provider):
    options = {"model": "gpt-two", "concurrency": "2", "input_usd_per_million": "2.5", "output_usd_per_million": ""}
    profile_id = save(view, provider, options=options, prompt=" Be brief. ")
    row = settled(view, "Mine")
    assert (row["state"], row["models"], row["key"]) == ("ok", ["gpt-one", "gpt-two"], "sk-...4e52")
    assert row["latency_ms"] >= 1
    stored = workbench.profiles.get(profile_id).result()
    assert stored.options == {"model": "gpt-two", "concurrency": 2, "input_usd_per_million": 2.5}
    assert stored.prompt_template == "Be brief."
    assert stored.output_modalities == ["text", "image", "audio"]
    workbench.start(view.pane._directory.settled()).result(5)
    view.until(lambda: workbench.models.list().result())
    assert sorted(model.name for model in workbench.models.list().result()) == ["gpt-one", "gpt-two"]


def test_options_that_the_form_does_not_know_are_kept(workbench, view, provider):
    made = workbench.profiles.create(
        name="Mine",
        type="text",
        provider="openai",
        url=f"{provider.url}/v1",
        options={"temperature": 0.2, "model": "a"},
    ).result()
    view.call("look")
    save(view, provider, id=made.id, name="Renamed", key="", options={"model": "b"})
    stored = workbench.profiles.get(made.id).result()
    assert (stored.name, stored.options) == ("Renamed", {"temperature": 0.2, "model": "b"})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"concurrency": "0"}, "concurrency: a whole number of at least 1"),
        ({"rate_per_minute": "1.5"}, "rate_per_minute: a whole number"),
        ({"input_usd_per_million": "-1"}, "input_usd_per_million: a price"),
        ({"output_usd_per_million": "nan"}, "output_usd_per_million: a price"),
        ({"concurrency": "many"}, "'many' is no number"),
    ],
)
def test_wrong_numbers_are_refused_by_name_and_nothing_is_stored(workbench, view, provider, options, words):
    refused = view.refused("save", provider="openai", name="Mine", url=f"{provider.url}/v1", options=options)
    assert words in refused
    assert workbench.profiles.list().result() == []


def test_trial_stores_nothing_and_its_failure_is_an_answer(workbench, view, provider):
    outcome = view.call("try", provider="openai", url=f"{provider.url}/v1", key=KEY)
    assert (outcome["connected"], outcome["models"]) == (True, ["gpt-one", "gpt-two"])
    assert provider.requests[-1].headers["authorization"] == f"Bearer {KEY}"
    outcome = view.call("try", provider="openai", url="ftp://host", key=KEY)
    assert not outcome["connected"]
    assert "must look like https://host" in outcome["error"]
    assert workbench.profiles.list().result() == []


def test_key_is_nowhere_but_in_the_store(workbench, view, provider, caplog):
    caplog.set_level("DEBUG")
    provider.reply(MODELS, status=401, json={"error": {"message": f"Incorrect API key: {KEY}"}})
    profile_id = save(view, provider)
    settled(view, "Mine")
    view.call("test", id=profile_id)
    view.until(lambda: (entry(view, "Mine") or {}).get("words") == "Invalid API key")
    view.refused("save", provider="openai", name="", key=KEY)
    seen = [
        view.events,
        view.pane.get_state(),
        view.pane.describe(None),
        view.pane.saved(),
        vars(view.pane),
        caplog.text,
    ]
    assert KEY not in repr(seen)


def test_silent_provider_counts_as_one_that_does_not_answer(view, provider, monkeypatch):
    monkeypatch.setattr(_directory, "CHECK_S", 0.05)
    provider.reply(MODELS, chunks=[STALL])
    provider._replies[MODELS].popleft()  # only silence from now on
    save(view, provider)
    assert settled(view, "Mine")["words"].startswith("No answer within")


def test_delete_tells_what_uses_the_profile_and_goes_on_only_when_told(workbench, view):
    studio = workbench.profiles.create(
        name="Studio", type="image", provider="comfyui", url="http://127.0.0.1:9"
    ).result()
    workbench.sessions.create(profile_id=studio.id).result()
    view.call("look")
    assert view.call("delete", id=studio.id) == {"used": "1 session and 5 workflows"}
    assert len(workbench.profiles.list().result()) == 1
    assert view.call("delete", id=studio.id, force=True) == {"used": ""}
    assert workbench.profiles.list().result() == workbench.sessions.list().result() == []
    assert "NOT_FOUND" in view.refused("test", id=studio.id)


def test_stored_key_of_a_provider_is_listed_and_can_be_forgotten(workbench, view, provider):
    workbench.settings.update(
        "openai", api_key=KEY, endpoint_url=f"{provider.url}/v1", default_model="gpt-two"
    ).result()
    view.call("look")
    row = settled(view, "OpenAI, key in the settings")
    assert (row["kind"], row["state"], row["options"]) == ("settings", "ok", {"model": "gpt-two"})
    view.call("delete", id="settings:openai")
    assert workbench.settings.list().result() == []


def test_simulated_comfyui_is_one_a_process_and_its_profile_is_made_once(workbench, view):
    first = view.call("simulate")["id"]
    assert view.call("simulate")["id"] == first
    [profile] = workbench.profiles.list().result()
    assert (profile.name, profile.url) == ("Simulated ComfyUI", simulated().url)
    workbench.profiles.update(first, url="http://127.0.0.1:9").result()  # as an earlier process left it
    view.call("look")
    assert view.call("simulate")["id"] == first
    assert workbench.profiles.get(first).result().url == simulated().url
    assert settled(view, "Simulated ComfyUI")["model_count"] > 0


def test_saved_copy_is_a_table_without_keys(view, provider):
    assert view.pane.saved()[0] == ""
    save(view, provider, name="<b>Mine</b>")
    settled(view, "<b>Mine</b>")
    html, text = view.pane.saved()
    assert "<td>&lt;b&gt;Mine&lt;/b&gt;</td><td>OpenAI</td>" in html
    assert "2 models" in text
    assert "4e52" not in html + text


async def test_panes_that_share_a_directory_see_the_same(workbench):
    directory = Directory(workbench)
    heard = []
    directory.on_change(lambda: heard.append([one.name for one in directory.entries]))
    workbench.profiles.create(name="Mine", type="text", provider="openai", url="http://127.0.0.1:9").result()
    await asyncio.wrap_future(workbench.start(directory.look()))
    await asyncio.wrap_future(workbench.start(directory.settled()))
    assert heard[-1] == ["Mine"]
    assert directory.entries[0].check.state == "failed"
    assert directory.answering == 0

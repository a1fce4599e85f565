import pytest

from spoonkernel.errors import NotFound

ODD = "hf.co/org/model:Q4_K_M"


@pytest.fixture
def ollama(upstream):
    """An Ollama with two models, one of them in memory."""
    tags = [
        {"name": "llama3:latest", "model": "llama3:latest", "size": 4_700_000_000},
        {"name": ODD, "model": ODD, "size": 98_000_000},
    ]
    upstream.reply("/api/tags", json={"models": tags})
    upstream.reply("/api/ps", json={"models": tags[1:]})
    upstream.reply(
        "/api/show", json={"template": "{{ .Prompt }}", "parameters": "temperature 0.7", "capabilities": ["completion"]}
    )
    upstream.reply("/api/generate", json={"done": True})
    return upstream


async def test_the_list_has_live_models_and_those_of_profiles(workbench, ollama, profile):
    await workbench.profiles.sync_models(profile.id)
    models = {model.name: model for model in await workbench.models.list()}
    assert {"llama3:latest", ODD, "scripted-1", "scripted-2"} <= models.keys()
    assert (models["llama3:latest"].size, models["llama3:latest"].loaded) == ("4.7 GB", False)
    assert (models[ODD].size, models[ODD].loaded) == ("98 MB", True)
    assert models["scripted-1"].description == "Scripted (openai)"


async def test_a_dead_provider_leaves_a_gap_only(workbench, profile):
    await workbench.profiles.sync_models(profile.id)
    assert "scripted-1" in {model.name for model in await workbench.models.list()}


async def test_one_model_in_detail_whatever_its_name_holds(workbench, ollama):
    found = await workbench.models.get(ODD)
    assert (found.name, found.template, found.loaded) == (ODD, "{{ .Prompt }}", True)


async def test_loading_and_unloading_reach_the_host(workbench, ollama):
    await workbench.models.load(ODD)
    assert ollama.requests[-1].json["model"] == ODD
    await workbench.models.unload(ODD)
    assert (ollama.requests[-1].json["model"], ollama.requests[-1].json["keep_alive"]) == (ODD, 0)


async def test_the_status_says_whether_it_is_in_memory(workbench, ollama):
    assert (await workbench.models.status(ODD)).loaded is True
    status = await workbench.models.status("llama3")
    assert (status.name, status.loaded, status.last_used) == ("llama3:latest", False, None)


async def test_an_unknown_model_is_named(workbench, ollama):
    for ask in (workbench.models.get, workbench.models.load, workbench.models.unload, workbench.models.status):
        with pytest.raises(NotFound, match="Model no/such:model not found"):
            await ask("no/such:model")


async def test_only_a_demo_model_can_be_pulled(workbench):
    with pytest.raises(NotFound, match="no/such:model"):
        async for _ in workbench.models.pull("no/such:model"):
            pass

import pytest

from openai_replies import MODELS, listed
from spoonkernel.errors import BadRequest, NotFound, ValidationFailed

KEY = "sk-test-1234567890"
MISSING = "00000000-0000-4000-8000-000000000000"


async def make(workbench, name="Cloud", **fields):
    return await workbench.profiles.create(**({"name": name, "type": "text", "provider": "openai"} | fields))


async def test_a_profile_is_stored_whole_and_its_key_masked(workbench):
    made = await make(
        workbench,
        description="Ours",
        api_key=KEY,
        options={"temperature": 0.7, "nested": {"a": [1, None]}},
        prompt_template="Be brief",
        input_modalities=["text", "image"],
        output_modalities=["text"],
    )
    assert await workbench.profiles.get(made.id) == made
    assert (made.api_key, made.url, made.description) == ("sk-...7890", None, "Ours")
    assert (made.options["nested"], made.input_modalities) == ({"a": [1, None]}, ["text", "image"])


@pytest.mark.parametrize("profile_id", ["abc123", MISSING])
async def test_missing_profile_is_named_in_the_error(workbench, profile_id):
    rooms = workbench.profiles
    asks = (rooms.get, rooms.update, rooms.delete, rooms.models, rooms.sync_models)
    for ask in asks:
        with pytest.raises(NotFound, match=f"Profile {profile_id} not found"):
            await ask(profile_id)


async def test_profiles_are_listed_newest_first_and_by_provider(workbench):
    first, second = await make(workbench, "First"), await make(workbench, "Second", provider="claude")
    third = await make(workbench, "Third")
    assert [row.id for row in await workbench.profiles.list()] == [third.id, second.id, first.id]
    assert [row.id for row in await workbench.profiles.list(provider="claude")] == [second.id]


async def test_an_update_changes_what_is_given_and_none_clears(workbench):
    made = await make(workbench, description="Ours", prompt_template="Be brief", options={"temperature": 0.7})
    changed = await workbench.profiles.update(made.id, name="Other", prompt_template=None)
    assert (changed.name, changed.prompt_template) == ("Other", None)
    assert (changed.description, changed.options, changed.created_at) == ("Ours", {"temperature": 0.7}, made.created_at)
    assert changed.updated_at > made.updated_at
    with pytest.raises(ValidationFailed, match="name"):
        await workbench.profiles.update(made.id, name="")


async def test_the_mask_keeps_the_key_and_a_new_address_needs_it_again(workbench, profile, upstream):
    kept = await workbench.profiles.update(profile.id, api_key="sk-...7890", name="Same key")
    assert kept.api_key == "sk-...7890"
    for key in ({}, {"api_key": "sk-...7890"}):
        with pytest.raises(BadRequest, match="apiKey"):
            await workbench.profiles.update(profile.id, url="http://127.0.0.1:9/v1", **key)
    moved = await workbench.profiles.update(profile.id, url="http://127.0.0.1:9/v1", api_key="sk-other-1234567890")
    assert moved.url == "http://127.0.0.1:9/v1"


async def test_a_deleted_profile_is_gone(workbench, profile):
    await workbench.profiles.add_model(profile.id, model_id="gpt-4o")
    await workbench.profiles.delete(profile.id)
    with pytest.raises(NotFound):
        await workbench.profiles.get(profile.id)


async def test_models_are_listed_renamed_and_removed_by_either_id(workbench, profile):
    odd = "hf.co/org/model:Q4_K_M"
    first = await workbench.profiles.add_model(profile.id, model_id=odd)
    second = await workbench.profiles.add_model(profile.id, model_id="gpt-4o", name="GPT-4 Omni")
    assert (first.name, second.name) == (odd, "GPT-4 Omni")
    renamed = await workbench.profiles.add_model(profile.id, model_id=odd, name="Odd")
    assert {row.name for row in await workbench.profiles.models(profile.id)} == {"Odd", "GPT-4 Omni"}
    await workbench.profiles.remove_model(profile.id, odd)
    await workbench.profiles.remove_model(profile.id, second.id)
    assert await workbench.profiles.models(profile.id) == []
    with pytest.raises(NotFound, match=r"hf\.co/org/model:Q4_K_M"):
        await workbench.profiles.remove_model(profile.id, renamed.model_id)


async def test_a_sync_makes_the_models_those_of_the_provider(workbench, profile):
    await workbench.profiles.add_model(profile.id, model_id="retired")
    synced = await workbench.profiles.sync_models(profile.id)
    assert (synced.added, synced.removed, synced.models) == (2, 1, ["scripted-1", "scripted-2"])
    assert {row.model_id for row in await workbench.profiles.models(profile.id)} == {"scripted-1", "scripted-2"}
    again = await workbench.profiles.sync_models(profile.id)
    assert (again.added, again.removed) == (0, 0)


async def test_a_connection_test_stores_nothing_and_a_failure_is_an_answer(workbench, upstream):
    upstream.reply(MODELS, json=listed("scripted-1"))
    upstream.reply(MODELS, status=401, json={"error": {"message": "Incorrect API key provided"}})
    ask = {"provider": "openai", "api_key": KEY, "url": f"{upstream.url}/v1"}
    passed = await workbench.profiles.test_connection(**ask)
    assert (passed.connected, passed.models, passed.error) == (True, ["scripted-1"], None)
    failed = await workbench.profiles.test_connection(**ask)
    assert (failed.connected, failed.models) == (False, None)
    assert failed.error == "Invalid API key"
    assert await workbench.profiles.list() == []

import pytest

from openai_replies import MODELS, listed
from spoonkernel.errors import BadRequest, NotFound, ValidationFailed

KEY = "sk-first-1234567890"


async def test_a_stored_key_is_only_shown_masked(workbench):
    await workbench.settings.update("openai", api_key=KEY, default_model="gpt-4o")
    shown = await workbench.settings.get("openai")
    assert (shown.api_key, shown.default_model, shown.status) == ("sk-...7890", "gpt-4o", "untested")
    assert [row.provider for row in await workbench.settings.list()] == ["openai"]
    assert KEY not in str(await workbench.settings.list())


async def test_the_mask_keeps_the_stored_key_but_never_goes_with_a_new_address(workbench):
    await workbench.settings.update("openai", api_key=KEY)
    await workbench.settings.update("openai", api_key="sk-...7890", default_model="gpt-5")
    assert (await workbench.settings.get("openai")).api_key == "sk-...7890"
    with pytest.raises(BadRequest):
        await workbench.settings.update("openai", api_key="sk-...7890", endpoint_url="http://127.0.0.1:9/v1")


async def test_nothing_stored_is_not_found(workbench):
    for ask in (workbench.settings.get, workbench.settings.delete, workbench.settings.test):
        with pytest.raises(NotFound, match="Settings for openai not found"):
            await ask("openai")


@pytest.mark.parametrize("provider", ["ollama", "hal", "open ai"])
async def test_a_provider_without_settings_is_refused_by_name(workbench, provider):
    with pytest.raises(BadRequest, match=provider):
        await workbench.settings.get(provider)


async def test_an_empty_key_is_no_key(workbench):
    with pytest.raises(ValidationFailed, match="api"):
        await workbench.settings.update("openai", api_key="")


async def test_a_test_is_an_answer_either_way_and_is_remembered(workbench, upstream):
    await workbench.settings.update("openai", api_key=KEY, endpoint_url=f"{upstream.url}/v1")
    upstream.reply(MODELS, json=listed("scripted-1"))
    upstream.reply(MODELS, status=401, json={"error": {"message": "Incorrect API key provided"}})
    passed = await workbench.settings.test("openai")
    assert passed.connected
    assert passed.latency is not None
    tested = await workbench.settings.get("openai")
    assert (tested.status, tested.error_message) == ("connected", None)
    assert tested.last_tested is not None

    failed = await workbench.settings.test("openai")
    assert not failed.connected
    assert failed.error == "Invalid API key"
    remembered = await workbench.settings.get("openai")
    assert (remembered.status, remembered.error_message) == ("error", failed.error)


async def test_deleted_settings_are_gone(workbench):
    await workbench.settings.update("claude", api_key=KEY)
    await workbench.settings.delete("claude")
    assert await workbench.settings.list() == []

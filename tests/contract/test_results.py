import asyncio

import pytest

from openai_replies import CHAT, MODEL, STREAM, ended, said
from spoonkernel.errors import NotFound
from spoonkernel.types.events import TaskCompleted

TEXT = "Because it is.\nGröße: \u2028 1 m"


@pytest.fixture
async def result(workbench, upstream, profile):
    """The result of a text task that has run."""
    upstream.reply(CHAT, headers=STREAM, chunks=[said(TEXT), ended()])
    options = {"model": MODEL, "profileId": profile.id}
    async with workbench.events() as events, asyncio.timeout(15):
        await workbench.tasks.create(name="Ask", type="text", provider="openai", prompt="Why?", options=options)
        async for event in events:
            if isinstance(event, TaskCompleted):
                return event.result
    raise AssertionError("the events ended before the task did")


async def test_a_result_has_its_text_and_what_it_took(workbench, result):
    assert await workbench.results.get(result.id) == result
    assert (result.type, result.content, result.metadata["model"]) == ("text", TEXT, MODEL)
    assert result.metadata["duration_ms"] >= 0


async def test_results_are_narrowed_by_type_and_task(workbench, result):
    assert await workbench.results.list() == [result]
    assert await workbench.results.list(type="text", task_id=result.task_id) == [result]
    assert await workbench.results.list(type="image") == []
    assert await workbench.results.list(task_id="no-uuid") == []
    assert await workbench.results.list(offset=1) == []


async def test_a_download_is_the_text_as_utf_8(workbench, result):
    media = await workbench.results.download(result.id)
    assert media.content.decode() == TEXT
    assert media.content_type.startswith("text/plain")
    assert media.filename.endswith(".txt")


async def test_a_deleted_result_is_gone_and_its_task_stays(workbench, result):
    await workbench.results.delete(result.id)
    assert await workbench.results.list() == []
    assert (await workbench.tasks.get(result.task_id)).status == "complete"


@pytest.mark.parametrize("result_id", ["abc123", "00000000-0000-4000-8000-000000000000"])
async def test_a_missing_result_is_named(workbench, result_id):
    for ask in (workbench.results.get, workbench.results.download, workbench.results.delete):
        with pytest.raises(NotFound, match=f"Result {result_id} not found"):
            await ask(result_id)

"""Answers whose process, or whose client, goes away; and other processes on the same store."""

import asyncio
import json
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import update

from ears import Python
from openai_replies import CHAT, MODEL, STREAM, ended, said
from spoonkernel.config import Config
from spoonkernel.errors import Conflict
from spoonkernel.store.engine import Database
from spoonkernel.store.tables import conversation_turns
from spoonkernel.store.turns import STALE
from spoonkernel.testing.upstream import STALL, Upstream
from spoonkernel.types.base import utc_now
from spoonkernel.types.events import ConversationChanged
from spoonkernel.workbench import Workbench

PATIENCE_S = 20.0
WRITER = """
import asyncio, sys
from pathlib import Path
from spoonkernel.config import Config
from spoonkernel.workbench import Workbench

async def main(folder, conversation_id, question_id, answer_id):
    async with Workbench(Config(data_dir=Path(folder))) as workbench:
        async for delta in workbench.conversations.reply(conversation_id, question_id, id=answer_id):
            print(delta.text, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as opened:
        yield opened


async def begun(workbench: Workbench, upstream: Upstream) -> tuple[str, str]:
    """A conversation with a question, whose provider is `upstream`; their ids."""
    profile = await workbench.profiles.create(
        name="Scripted", type="text", provider="openai", api_key="sk-test-1234567890", url=f"{upstream.url}/v1"
    )
    made = await workbench.conversations.create(provider="openai", profile_id=profile.id, model=MODEL)
    question = await workbench.conversations.say(made.id, text="Why?")
    return made.id, question.id


async def until_state(workbench: Workbench, conversation_id: str, state: str):
    """The conversation's last turn, once it is in this state; the changes that are told say when to look."""
    async with workbench.events() as events, asyncio.timeout(PATIENCE_S):
        while (turn := (await workbench.conversations.get(conversation_id)).turns[-1]).state != state:
            async for event in events:
                if isinstance(event, ConversationChanged):
                    break
    return turn


@asynccontextmanager
async def writer(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that has an answer written, and prints its pieces."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def lapse(config: Config, answer_id: str) -> None:
    """Make an answer's last sign of life older than it may be."""
    long_ago = utc_now() - STALE - timedelta(milliseconds=1)
    statement = update(conversation_turns).where(conversation_turns.c.id == answer_id).values(heartbeat_at=long_ago)
    async with Database(config.store_url) as database:
        assert await database.write(lambda tx: tx.connection.execute(statement).rowcount) == 1


async def test_an_answer_whose_process_was_killed_is_stopped_with_what_was_kept(tmp_path, upstream):
    upstream.reply(CHAT, headers=STREAM, chunks=[said("Half an"), STALL])
    config, answer_id = Config(data_dir=tmp_path), str(uuid.uuid4())
    async with Workbench(config) as workbench:
        conversation_id, question_id = await begun(workbench, upstream)
        async with (
            workbench.events() as events,
            writer(str(tmp_path), conversation_id, question_id, answer_id) as process,
            asyncio.timeout(PATIENCE_S),
        ):
            assert await process.stdout.readline() == b"Half an\n"
            async for event in events:  # of the other process: that it began, and that it kept what had arrived
                if isinstance(event, ConversationChanged) and event.turn_id == answer_id:
                    turn = (await workbench.conversations.get(conversation_id)).turns[-1]
                    if turn.text:
                        break
            assert (turn.id, turn.state, turn.text) == (answer_id, "writing", "Half an")
            process.kill()
        assert (await workbench.conversations.get(conversation_id)).turns[-1].state == "writing"
        await lapse(config, answer_id)
        turn = (await workbench.conversations.get(conversation_id)).turns[-1]
        assert (turn.state, turn.text, turn.error) == ("stopped", "Half an", None)


async def test_deleting_in_one_process_stops_the_answer_that_another_writes(tmp_path, upstream):
    upstream.reply(CHAT, headers=STREAM, chunks=[said("One"), STALL])
    async with Workbench(Config(data_dir=tmp_path)) as one, Workbench(Config(data_dir=tmp_path)) as other:
        conversation_id, question_id = await begun(one, upstream)
        async with aclosing(one.conversations.reply(conversation_id, question_id)) as pieces:
            await anext(pieces)
            await other.conversations.delete(conversation_id)
            with pytest.raises(Conflict, match="deleted"):
                async with asyncio.timeout(PATIENCE_S):
                    await anext(pieces)
        await upstream.closed()


async def test_two_processes_on_one_store_tell_each_other_and_nobody_itself(tmp_path, upstream):
    async with Workbench(Config(data_dir=tmp_path)) as one, Workbench(Config(data_dir=tmp_path)) as other:
        conversation_id, question_id = await begun(one, upstream)
        async with one.events() as mine, other.events() as heard, asyncio.timeout(PATIENCE_S):
            question = await one.conversations.say(conversation_id, text="And?", parent_id=question_id)
            async for event in heard:
                if isinstance(event, ConversationChanged) and event.turn_id == question.id:
                    break
            await other.conversations.update(conversation_id, title="Theirs")
            told = []
            async for event in mine:
                if isinstance(event, ConversationChanged):
                    told.append(event.turn_id)
                    if event.turn_id is None:
                        break
            assert told == [question.id, None]
            assert (await one.conversations.get(conversation_id)).title == "Theirs"
            await one.conversations.delete(conversation_id)
            async for event in heard:
                if isinstance(event, ConversationChanged) and event.turn_id is None:
                    break


async def test_closing_the_workbench_keeps_what_had_arrived(tmp_path, upstream):
    upstream.reply(CHAT, headers=STREAM, chunks=[said("One"), STALL])
    config = Config(data_dir=tmp_path)
    async with Workbench(config) as workbench:
        conversation_id, question_id = await begun(workbench, upstream)
        pieces = workbench.conversations.reply(conversation_id, question_id)
        await anext(pieces)
    with pytest.raises(Conflict, match="the workbench was closed"):
        await anext(pieces)
    async with Workbench(config) as workbench:
        turn = (await workbench.conversations.get(conversation_id)).turns[-1]
        assert (turn.state, turn.text) == ("stopped", "One")


async def test_pieces_that_nobody_reads_hold_nothing_up(workbench, upstream):
    upstream.reply(CHAT, headers=STREAM, chunks=[said("One"), *[said(" more")] * 500, ended()])
    conversation_id, question_id = await begun(workbench, upstream)
    async with aclosing(workbench.conversations.reply(conversation_id, question_id)) as pieces:
        await anext(pieces)
        turn = await until_state(workbench, conversation_id, "complete")
    assert turn.text == "One" + " more" * 500
    assert (await workbench.conversations.get(conversation_id)).turns[-1] == turn


async def test_an_answer_streams_as_a_chat_does(workbench, api, upstream):
    upstream.reply(CHAT, headers=STREAM, chunks=[said("Be"), said("cause"), ended()])
    conversation_id, question_id = await begun(workbench, upstream)
    streamed = await api.post(f"/api/conversations/{conversation_id}/turns/{question_id}/reply")
    assert streamed.headers["content-type"].startswith("text/event-stream")
    *deltas, done = [block.split("\n") for block in streamed.text[:-2].split("\n\n")]
    assert deltas == [["event: delta", 'data: {"text":"Be"}'], ["event: delta", 'data: {"text":"cause"}']]
    assert done[0] == "event: done"
    told = json.loads(done[1].removeprefix("data: "))
    assert (told["response"], told["provider"], told["model"]) == ("Because", "openai", MODEL)
    assert told["usage"]["total_tokens"] == 5


@pytest.mark.parametrize("first", [b"", said("One")], ids=["before the first word", "while reading"])
async def test_a_client_that_hangs_up_stops_the_provider(workbench, api, upstream, first):
    upstream.reply(CHAT, headers=STREAM, chunks=[*([first] if first else []), STALL])
    conversation_id, question_id = await begun(workbench, upstream)
    path = f"/api/conversations/{conversation_id}/turns/{question_id}/reply"
    answer_id = str(uuid.uuid4())

    async def read() -> None:
        async with api.stream("POST", path, json={"id": answer_id}) as reply:
            await anext(reply.aiter_lines())

    reading = asyncio.create_task(read())
    await upstream.received()
    if first:
        await reading
    reading.cancel()
    await upstream.closed()
    turn = await until_state(workbench, conversation_id, "stopped")
    assert (turn.id, turn.text) == (answer_id, "One" if first else "")


async def test_an_attachment_may_be_larger_than_other_bodies(workbench, api):
    made = await workbench.conversations.create()
    content = b"\x89PNG\r\n\x1a\n" + bytes(17_000_000)
    reply = await api.post(f"/api/conversations/{made.id}/attachments", content=content)
    assert (reply.status_code, reply.json()["code"]) == (400, "VALIDATION_ERROR")
    reply = await api.post(f"/api/conversations/{made.id}/turns", content=content)
    assert reply.status_code == 413
    reply = await api.post(f"/api/conversations/{made.id}/attachments", content=content + bytes(40_000_000))
    assert reply.status_code == 413
    assert "50 MB" in reply.json()["error"]


async def test_a_subscriber_of_a_conversation_hears_its_changes_and_no_others(workbench, server_url):
    room = workbench.conversations
    mine, other = await room.create(title="Mine"), await room.create()
    async with Python.connected(server_url) as ears, Python.connected(server_url) as all_ears:
        ack = await ears.emit("subscribe:conversation", mine.id)
        assert (ack["success"], ack["data"]["title"], ack["data"]["turns"]) == (True, "Mine", [])
        assert (await all_ears.emit("subscribe:conversations"))["success"]
        await room.update(other.id, title="Other")
        question = await room.say(mine.id, text="Why?")
        told = await ears.until("conversation:changed")
        assert (told["conversationId"], told["turnId"]) == (mine.id, question.id)
        await all_ears.until("conversation:changed")
        assert [(await ears.emit("subscribe:conversation", uuid.uuid4().hex))["code"]] == ["NOT_FOUND"]
        await ears.emit("unsubscribe:conversation", mine.id)
        await room.delete(mine.id)
        await room.delete(other.id)
        async with asyncio.timeout(PATIENCE_S):
            while len(all_ears.find("conversation:changed")) < 4:
                await asyncio.sleep(0.01)
        assert len(ears.find("conversation:changed")) == 1

"""Conversations: kept trees of questions and answers, with pictures, branches, and answers that end in every way."""

import asyncio
import base64
import io
import uuid
from contextlib import aclosing

import pytest
from PIL import Image

from openai_replies import CHAT, MODEL, STREAM, ended, said
from spoonkernel.errors import (
    BadRequest,
    Conflict,
    NotFound,
    PayloadTooLarge,
    ProviderConnectionError,
    RateLimited,
    ValidationFailed,
)
from spoonkernel.media.smaller import LONGEST_PX, MOST_BYTES
from spoonkernel.testing.upstream import CLOSE, STALL
from spoonkernel.types.events import ConversationChanged

PATIENCE_S = 20.0
NOBODY = str(uuid.uuid4())


@pytest.fixture
async def conversation(workbench, profile):
    return await workbench.conversations.create(provider="openai", profile_id=profile.id, model=MODEL)


@pytest.fixture
def ask(workbench, upstream, conversation):
    """Asks a question and has it answered with these words; returns the question's id and the answer's turn."""

    async def ask(text="Why?", *answer, parent_id=None, **options):
        upstream.reply(CHAT, headers=STREAM, chunks=[*map(said, answer or ("Because.",)), ended()])
        question = await workbench.conversations.say(conversation.id, text=text, parent_id=parent_id)
        return question.id, await answered(workbench, conversation.id, question.id, **options)

    return ask


async def answered(workbench, conversation_id, question_id, **options):
    answer_id = str(uuid.uuid4())
    deltas = [
        piece async for piece in workbench.conversations.reply(conversation_id, question_id, id=answer_id, **options)
    ]
    assert deltas[-1].finish_reason == "stop"
    turn = await turn_of(workbench, conversation_id, answer_id)  # the row is there before the last piece is
    assert turn.text == "".join(delta.text for delta in deltas)
    return turn


async def turn_of(workbench, conversation_id, turn_id):
    return next(turn for turn in (await workbench.conversations.get(conversation_id)).turns if turn.id == turn_id)


async def turn_like(workbench, conversation_id, turn_id, state):
    """A turn once it is in this state."""
    async with asyncio.timeout(PATIENCE_S):
        while (turn := await turn_of(workbench, conversation_id, turn_id)).state != state:
            await asyncio.sleep(0.02)  # the row is all there is to look at
    return turn


def png(width=8, height=6, color="red"):
    file = io.BytesIO()
    Image.new("RGB", (width, height), color).save(file, "PNG")
    return file.getvalue()


def sent_messages(upstream):
    return upstream.requests[-1].json["messages"]


# -- conversations ---------------------------------------------------------------------------------------------------


async def test_a_conversation_is_made_listed_changed_and_deleted(workbench, profile):
    room = workbench.conversations
    made = await room.create(title="Foxes", provider="openai", profile_id=profile.id, options={"temperature": 0.5})
    other = await room.create()
    assert (made.title, made.model, made.options, made.turn_count) == ("Foxes", None, {"temperature": 0.5}, 0)
    assert [one.id for one in await room.list()] == [other.id, made.id]
    changed = await room.update(made.id, title="Wolves", options={}, profile_id=None, system="Be brief")
    assert (changed.title, changed.options, changed.profile_id, changed.provider) == ("Wolves", {}, None, "openai")
    assert changed.updated_at > made.updated_at
    assert [one.id for one in await room.list(limit=1)] == [made.id]
    assert (await room.get(made.id)).model_dump(exclude={"turns"}) == changed.model_dump()
    await room.delete(made.id)
    assert [one.id for one in await room.list()] == [other.id]
    for gone in (made.id, NOBODY, "nonsense"):
        for call in (room.get(gone), room.delete(gone), room.update(gone, title="x"), room.say(gone, text="x")):
            with pytest.raises(NotFound, match=f"Conversation {gone} not found"):
                await call


async def test_search_looks_in_titles_and_texts_whatever_their_case(workbench, conversation, ask):
    other = await workbench.conversations.create(title="100% wool")
    await ask("How do foxes sleep?", "In a DEN.")
    for text, found in (("FOXES", conversation), ("den", conversation), ("0% w", other)):
        assert [one.id for one in await workbench.conversations.list(search=text)] == [found.id]
    assert await workbench.conversations.list(search="%") == await workbench.conversations.list(search="100%")
    assert await workbench.conversations.list(search="wolf") == []


async def test_what_cannot_be_kept_is_refused(workbench, conversation):
    room = workbench.conversations
    with pytest.raises(NotFound, match="Profile"):
        await room.create(profile_id=NOBODY)
    with pytest.raises(ValidationFailed, match="provider"):
        await room.create(provider="hal")
    with pytest.raises(ValidationFailed, match="title"):
        await room.update(conversation.id, title="x" * 256)
    with pytest.raises(ValidationFailed, match="text"):
        await room.say(conversation.id, text=" \n")


async def test_the_first_question_gives_the_title(workbench, conversation):
    long = "\n\n  How do  red foxes find their way home through deep snow in the middle of the night?\nAnd why?"
    await workbench.conversations.say(conversation.id, text=long)
    await workbench.conversations.say(conversation.id, text="And owls?")
    title = (await workbench.conversations.get(conversation.id)).title
    assert title == "How do red foxes find their way home through deep snow in…"
    named = await workbench.conversations.create(title="Mine")
    await workbench.conversations.say(named.id, text="And owls?")
    assert (await workbench.conversations.get(named.id)).title == "Mine"


# -- trees -----------------------------------------------------------------------------------------------------------


async def test_an_answer_is_a_turn_with_all_that_it_took(workbench, profile, conversation, upstream, ask):
    prices = {"input_usd_per_million": 2, "output_usd_per_million": 8}
    await workbench.profiles.update(profile.id, options=prices | {"top_p": 0.9})
    question_id, answer = await ask("Why?", "Because", " it is.", options={"seed": 7})
    assert (answer.role, answer.text, answer.state, answer.parent_id) == (
        "assistant",
        "Because it is.",
        "complete",
        question_id,
    )
    assert (answer.provider, answer.model, answer.profile_id, answer.finish_reason) == (
        "openai",
        MODEL,
        profile.id,
        "stop",
    )
    assert answer.usage.total_tokens == 5
    assert answer.cost_usd == pytest.approx((3 * 2 + 2 * 8) / 1e6)
    assert 0 <= answer.first_token_ms <= answer.duration_ms < PATIENCE_S * 1000
    body = upstream.requests[-1].json
    assert (body["seed"], body["top_p"]) == (7, 0.9)
    assert not prices.keys() & body.keys()
    shown = await workbench.conversations.get(conversation.id)
    assert (shown.active_turn_id, shown.turn_count) == (answer.id, 2)
    assert [turn.id for turn in shown.turns] == [question_id, answer.id]
    assert shown.turns[0].created_at < shown.turns[1].created_at


async def test_a_branch_is_what_the_provider_gets(workbench, conversation, upstream, ask):
    await workbench.conversations.update(conversation.id, system="Be brief")
    first, answer = await ask("One?", "1")
    await ask("Another one?", "Never sent", parent_id=None)
    _, last = await ask("Two?", "2", parent_id=answer.id)
    assert sent_messages(upstream) == [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "Two?"},
    ]
    again = await answered(workbench, conversation.id, first, activate=False)
    shown = await workbench.conversations.get(conversation.id)
    assert shown.active_turn_id == last.id
    assert [turn.id for turn in shown.turns if turn.parent_id == first] == [answer.id, again.id]
    seen = set()
    for turn in shown.turns:
        assert turn.parent_id is None or turn.parent_id in seen
        seen.add(turn.id)


async def test_an_answer_asked_of_another_provider_takes_nothing_of_the_one_before(workbench, conversation, upstream):
    upstream.reply("/api/tags", json={"models": [{"name": "llama3:latest", "model": "llama3:latest", "size": 1}]})
    upstream.reply("/api/ps", json={"models": []})
    upstream.reply("/api/show", json={"capabilities": ["completion"]})
    line = b'{"model":"llama3:latest","message":{"role":"assistant","content":"Hi"},"done":true,"done_reason":"stop"}\n'
    upstream.reply("/api/chat", headers={"content-type": "application/x-ndjson"}, chunks=[line])
    question = await workbench.conversations.say(conversation.id, text="Hello?")
    answer = await answered(workbench, conversation.id, question.id, provider="ollama")
    assert (answer.provider, answer.model, answer.profile_id, answer.cost_usd) == (
        "ollama",
        "llama3:latest",
        None,
        None,
    )


async def test_a_provider_named_without_a_profile_is_asked_without_the_conversations_one(
    workbench, profile, conversation, upstream
):
    await workbench.profiles.update(profile.id, prompt_template="You are a pirate")
    await workbench.settings.update("openai", api_key="sk-0123456789abcdef", endpoint_url=profile.url)
    upstream.reply(CHAT, headers=STREAM, chunks=[said("Aye"), ended()])
    question = await workbench.conversations.say(conversation.id, text="Hello?")
    answer = await answered(workbench, conversation.id, question.id, provider="openai", model=MODEL)
    assert answer.profile_id is None
    assert sent_messages(upstream) == [{"role": "user", "content": "Hello?"}]


async def test_the_tree_holds_together(workbench, conversation, ask):
    room = workbench.conversations
    question_id, answer = await ask()
    other = await room.create(provider="openai")
    stray = await room.say(other.id, text="Elsewhere")
    for parent in (stray.id, NOBODY, "nonsense"):
        with pytest.raises(ValidationFailed, match="parentId"):
            await room.say(conversation.id, text="x", parent_id=parent)
        with pytest.raises(ValidationFailed, match="activeTurnId"):
            await room.update(conversation.id, active_turn_id=parent)
        with pytest.raises(NotFound, match="has no turn"):
            await room.delete_turn(conversation.id, parent)
        with pytest.raises(NotFound, match="has no turn"):
            await anext(aiter(room.reply(conversation.id, parent)))
    with pytest.raises(ValidationFailed, match="is an answer"):
        await anext(aiter(room.reply(conversation.id, answer.id)))
    with pytest.raises(ValidationFailed, match="UUID"):
        await anext(aiter(room.reply(conversation.id, question_id, id="mine")))
    with pytest.raises(Conflict, match=answer.id):
        await anext(aiter(room.reply(conversation.id, question_id, id=answer.id)))
    assert (await room.update(conversation.id, active_turn_id=question_id)).active_turn_id == question_id
    assert (await room.update(conversation.id, active_turn_id=None)).active_turn_id is None
    assert (await room.get(conversation.id)).turn_count == 2


async def test_nobody_named_to_answer_leaves_no_turn(workbench):
    made = await workbench.conversations.create()
    question = await workbench.conversations.say(made.id, text="Anyone?")
    with pytest.raises(BadRequest, match="provider"):
        await anext(aiter(workbench.conversations.reply(made.id, question.id)))
    assert (await workbench.conversations.get(made.id)).turn_count == 1


async def test_deleting_a_turn_shows_what_is_left(workbench, conversation, ask):
    room = workbench.conversations
    first, one = await ask("One?")
    _, two = await ask("Two?", parent_id=one.id)
    other = await answered(workbench, conversation.id, first)
    left = await room.delete_turn(conversation.id, other.id)
    assert left.active_turn_id == two.id  # the newest branch of what was asked at the same place
    left = await room.delete_turn(conversation.id, one.id)
    assert ([turn.id for turn in left.turns], left.active_turn_id) == ([first], first)
    left = await room.delete_turn(conversation.id, first)
    assert (left.turns, left.active_turn_id, left.turn_count) == ([], None, 0)


# -- answers that end otherwise --------------------------------------------------------------------------------------


async def test_an_answer_is_there_while_it_is_written_and_closing_it_stops_the_provider(
    workbench, upstream, conversation
):
    upstream.reply(CHAT, headers=STREAM, chunks=[said("Half an"), STALL])
    question = await workbench.conversations.say(conversation.id, text="Why?")
    answer_id = str(uuid.uuid4())
    async with aclosing(workbench.conversations.reply(conversation.id, question.id, id=answer_id)) as pieces:
        assert (await anext(pieces)).text == "Half an"
        turn = await turn_of(workbench, conversation.id, answer_id)
        assert (turn.state, turn.parent_id) == ("writing", question.id)
        assert (await workbench.conversations.get(conversation.id)).active_turn_id == answer_id
    await upstream.closed()
    turn = await turn_like(workbench, conversation.id, answer_id, "stopped")
    assert (turn.text, turn.error, turn.finish_reason) == ("Half an", None, None)
    assert turn.duration_ms >= turn.first_token_ms >= 0


async def test_an_answer_stopped_before_its_first_word_is_left_out_of_what_follows(workbench, upstream, conversation):
    upstream.reply(CHAT, chunks=[STALL])
    upstream.reply(CHAT, headers=STREAM, chunks=[said("Yes"), ended()])
    question = await workbench.conversations.say(conversation.id, text="Why?")
    answer_id = str(uuid.uuid4())
    reading = asyncio.create_task(collect(workbench.conversations.reply(conversation.id, question.id, id=answer_id)))
    await upstream.received()
    reading.cancel()
    await upstream.closed()
    turn = await turn_like(workbench, conversation.id, answer_id, "stopped")
    assert (turn.text, turn.first_token_ms) == ("", None)
    more = await workbench.conversations.say(conversation.id, text="Still there?", parent_id=answer_id)
    await answered(workbench, conversation.id, more.id)
    assert [message["content"] for message in sent_messages(upstream)] == ["Why?", "Still there?"]


async def collect(pieces):
    return [piece async for piece in pieces]


async def test_a_failed_answer_keeps_its_error_and_what_had_arrived(workbench, upstream, conversation):
    upstream.reply(CHAT, headers=STREAM, chunks=[said("Half an "), said("answ"), CLOSE])
    question = await workbench.conversations.say(conversation.id, text="Why?")
    answer_id = str(uuid.uuid4())
    with pytest.raises(ProviderConnectionError) as broken:
        await collect(workbench.conversations.reply(conversation.id, question.id, id=answer_id))
    assert broken.value.partial == "Half an answ"
    turn = await turn_of(workbench, conversation.id, answer_id)
    assert (turn.state, turn.text) == ("failed", "Half an answ")
    assert (turn.error.code, turn.error.message) == (broken.value.code, broken.value.message)


async def test_a_rate_limit_is_kept_with_its_waiting_time(workbench, upstream, conversation):
    upstream.reply(CHAT, status=429, headers={"retry-after": "70"}, json={"error": {"message": "Slow down"}})
    question = await workbench.conversations.say(conversation.id, text="Why?")
    with pytest.raises(RateLimited):
        await collect(workbench.conversations.reply(conversation.id, question.id))
    failed = (await workbench.conversations.get(conversation.id)).turns[-1]
    assert (failed.state, failed.text, failed.error.code, failed.error.retry_after_s) == (
        "failed",
        "",
        "RATE_LIMITED",
        70,
    )


@pytest.mark.parametrize("what", ["turn", "conversation"])
async def test_deleting_stops_the_answers_that_are_being_written(workbench, upstream, conversation, what):
    upstream.reply(CHAT, headers=STREAM, chunks=[said("One"), STALL])
    question = await workbench.conversations.say(conversation.id, text="Why?")
    async with aclosing(workbench.conversations.reply(conversation.id, question.id)) as pieces:
        await anext(pieces)
        if what == "turn":
            assert (await workbench.conversations.delete_turn(conversation.id, question.id)).turns == []
        else:
            await workbench.conversations.delete(conversation.id)
        with pytest.raises(Conflict, match="deleted"):
            await anext(pieces)
    await upstream.closed()


async def test_every_change_is_told(workbench, upstream, conversation, ask):
    async with workbench.events() as events, asyncio.timeout(PATIENCE_S):
        question_id, answer = await ask()
        await workbench.conversations.update(conversation.id, title="Told")
        await workbench.conversations.delete(conversation.id)
        told = []
        async for event in events:
            if isinstance(event, ConversationChanged):
                assert event.conversation_id == conversation.id
                told.append(event.turn_id)
                if told[-2:] == [None, None]:
                    break
    assert told == [question_id, answer.id, answer.id, None, None]


# -- pictures --------------------------------------------------------------------------------------------------------


async def test_a_picture_goes_with_its_question(workbench, upstream, conversation):
    upstream.reply(CHAT, headers=STREAM, chunks=[said("Red"), ended()])
    room, picture = workbench.conversations, png()
    kept = await room.attach(conversation.id, picture, filename="red ü.png")
    assert (kept.filename, kept.content_type, kept.width, kept.height) == ("red ü.png", "image/png", 8, 6)
    assert kept.size_bytes == len(picture)
    assert (await workbench.media.open(kept.content)).content == picture
    assert (await workbench.media.open(kept.thumbnail)).content_type == "image/webp"
    question = await room.say(conversation.id, text="What colour?", attachments=[kept.content])
    assert question.attachments == [kept]
    await answered(workbench, conversation.id, question.id)
    [message] = sent_messages(upstream)
    [image, text] = message["content"]
    assert base64.b64decode(image["image_url"]["url"].removeprefix("data:image/png;base64,")) == picture
    assert text["text"] == "What colour?"


async def test_a_large_picture_is_kept_whole_and_sent_smaller(workbench, upstream, conversation):
    upstream.reply(CHAT, headers=STREAM, chunks=[said("Noise"), ended()])
    file = io.BytesIO()
    Image.effect_noise((2_400, 1_600), 90).convert("RGB").save(file, "PNG", compress_level=0)
    content = file.getvalue()
    assert len(content) > 11_000_000
    kept = await workbench.conversations.attach(conversation.id, content)
    assert kept.size_bytes == len(content)
    question = await workbench.conversations.say(conversation.id, text="", attachments=[kept.content])
    assert (await workbench.conversations.get(conversation.id)).title == "Picture"
    await answered(workbench, conversation.id, question.id)
    [image] = sent_messages(upstream)[0]["content"]
    head, _, data = image["image_url"]["url"].partition(",")
    sent = base64.b64decode(data)
    assert head == "data:image/jpeg;base64"
    assert len(sent) <= MOST_BYTES
    assert max(Image.open(io.BytesIO(sent)).size) == LONGEST_PX


async def test_what_is_no_picture_is_not_attached(workbench, conversation):
    room = workbench.conversations
    for content in (b"%PDF-1.7", b"RIFF\0\0\0\0WAVEfmt ", png()[:40], b"<svg/>"):
        with pytest.raises(ValidationFailed):
            await room.attach(conversation.id, content, filename="x.png")
    huge = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x9c\x40\0\0\x9c\x40\x08\x02\0\0\0"
    with pytest.raises(PayloadTooLarge, match="40000x40000"):
        await room.attach(conversation.id, huge)
    with pytest.raises(NotFound, match="Conversation"):
        await room.attach(NOBODY, png())


async def test_an_attachment_belongs_to_its_conversation(workbench, conversation):
    other = await workbench.conversations.create()
    kept = await workbench.conversations.attach(other.id, png())
    for path in (kept.content, "/storage/media/image_0123456789ab.png", "../spoon.db"):
        with pytest.raises(ValidationFailed, match="attach it first"):
            await workbench.conversations.say(conversation.id, text="x", attachments=[path])


async def test_files_go_with_the_last_turn_that_names_them(workbench, conversation):
    room = workbench.conversations
    kept = await room.attach(conversation.id, png())
    first = await room.say(conversation.id, text="One", attachments=[kept.content])
    second = await room.say(conversation.id, text="Two", attachments=[kept.content])
    await room.delete_turn(conversation.id, first.id)
    await workbench.media.open(kept.content)
    await room.delete_turn(conversation.id, second.id)
    for path in (kept.content, kept.thumbnail):
        with pytest.raises(NotFound):
            await workbench.media.open(path)
    unused = await room.attach(conversation.id, png(color="blue"))
    await room.delete(conversation.id)
    with pytest.raises(NotFound):
        await workbench.media.open(unused.content)

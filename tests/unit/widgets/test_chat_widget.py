"""The chat pane's Python half, headless and with a page that speaks the protocol."""

import asyncio
import sys
import threading
import types

import pytest

from browser.scripted import Bench
from spoonkernel.errors import BadRequest, Conflict, NotFound, ProviderConnectionError, RateLimited, StoreUnavailable
from spoonwidgets import Chat

PICTURE = b"\x89PNG\r\n" + b"0" * 2_500_000


async def awaited(call):
    return await call


def looked(view):
    view.until(lambda: any(not event["data"].get("models", {}).get("looking", True) for event in view.events))


async def test_ask_works_without_a_page(bench):
    chat = Chat(bench, model="echo", system="Be brief.", options={"seed": 7})
    assert await chat.ask("fog") == "You said: fog"
    assert chat.last == "You said: fog"
    assert chat.messages == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "fog"},
        {"role": "assistant", "content": "You said: fog"},
    ]
    request = bench.inner.chat.requests[0]
    assert (request["provider"], request["model"], request["options"]) == ("local", "echo", {"seed": 7})
    assert request["messages"] == chat.messages[:2]


def test_ask_blocks_where_there_is_no_loop(bench):
    assert Chat(bench, "local", "echo").ask("fog").result(5) == "You said: fog"


async def test_two_questions_make_one_conversation(bench):
    chat = Chat(bench, "local", "echo")
    await chat.ask("one")
    await chat.ask("two")
    asked = [message["content"] for message in bench.inner.chat.requests[1]["messages"]]
    assert asked == ["one", "You said: one", "two"]
    assert [row.turn_count for row in bench.inner.conversations.rows.values()] == [4]


async def test_failure_is_raised_and_the_partial_text_kept(bench):
    chat = Chat(bench, "local", "breaks")
    with pytest.raises(ProviderConnectionError, match="the line went dead"):
        await chat.ask("go")
    assert chat.last == "The first half"
    assert chat.turns[-1].error.code == "PROVIDER_CONNECTION_ERROR"


async def test_failure_keeps_how_long_to_wait(bench):
    with pytest.raises(RateLimited) as caught:
        await Chat(bench, "local", "refuses").ask("go")
    assert caught.value.retry_after_s == 18


async def test_cancelling_ask_stops_the_provider(bench):
    chat = Chat(bench, "local", "slow")
    asking = asyncio.ensure_future(awaited(chat.ask("go")))
    await asyncio.sleep(0)  # it awaits now; a task that is cancelled before its first step never ran
    while not chat.last:
        await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    while not bench.inner.chat.stopped:
        await asyncio.sleep(0.01)
    assert chat.last.startswith("word0")


async def test_stop_from_code_keeps_the_text_and_ends_the_wait(bench):
    chat = Chat(bench, "local", "slow")
    asking = chat.ask("go")
    while not chat.last:
        await asyncio.sleep(0.01)
    chat.stop()
    assert (await asking).startswith("word0")
    assert chat.turns[-1].state == "stopped"


async def test_second_question_waits_for_the_first_answer(bench):
    chat = Chat(bench, "local", "silent")
    first = chat.ask("one")
    while chat.last is None:
        await asyncio.sleep(0.01)
    with pytest.raises(Conflict, match="Stop it first"):
        await chat.ask("two")
    first.cancel()


async def test_empty_question_is_refused(bench):
    with pytest.raises(BadRequest, match="empty"):
        await Chat(bench, "local", "echo").ask("  \n")


async def test_no_model_at_all_says_what_to_do():
    bench = Bench(models=[])
    with pytest.raises(ProviderConnectionError, match="spoon models pull"):
        await Chat(bench).ask("anyone?")
    bench.close()


# -- kept conversations and their branches


async def test_conversation_is_found_again_by_its_title_with_model_and_branches(bench):
    first = Chat(bench, "local", "echo", conversation="fog-notes", system="Be brief.")
    await first.ask("one")
    again = Chat(bench, conversation="fog-notes")
    assert again.messages == first.messages
    assert repr(again) == "<Chat with echo, 2 turns>"
    assert Chat(bench, conversation=first.conversation_id).last == "You said: one"
    assert Chat(bench, conversation="other").messages == []
    assert len(bench.inner.conversations.rows) == 1  # nothing is kept before something was said


def test_conversation_that_is_there_before_the_constructor_goes_on(bench, page):
    Chat(bench, "local", "echo", conversation="fog").ask("one").result(5)
    start = bench.start

    def at_once(work):
        begun = start(work)
        begun.result(5)
        start(asyncio.sleep(0.05)).result(5)  # what it marked has been told by now
        return begun

    bench.start = at_once
    chat = Chat(bench, conversation="fog")
    bench.start = start
    assert page(chat).call("hello")["state"]["about"]["loaded"]
    assert chat.last == "You said: one"


def test_conversation_that_cannot_be_read_says_so(bench, page, caplog):
    async def away(**_):
        raise StoreUnavailable("The store is away")

    bench.inner.conversations.list = away
    chat = Chat(bench, conversation="fog")
    view = page(chat)
    view.until(lambda: chat._is_loaded)
    assert view.call("hello")["state"]["about"]["notice"] == "The store is away"
    with pytest.raises(StoreUnavailable):
        _ = chat.messages


async def test_what_another_kernel_does_is_followed(bench):
    here, there = (Chat(bench, "local", "echo", conversation="shared") for _ in range(2))
    await here.ask("one")
    there = Chat(bench, conversation="shared")
    assert there.last == "You said: one"
    await there.ask("two")
    while here.last != "You said: two":
        await asyncio.sleep(0.01)
    await asyncio.wrap_future(bench.start(bench.inner.conversations.delete(here.conversation_id)))
    while here.turns:
        await asyncio.sleep(0.01)
    assert await here.ask("three") == "You said: three"


async def test_code_that_names_system_and_options_wins_over_what_is_kept(bench):
    await Chat(bench, "local", "echo", conversation="fog", system="Old.", options={"seed": 1}).ask("one")
    chat = Chat(bench, conversation="fog", system="New.", options={"seed": 2})
    await chat.ask("two")
    request = bench.inner.chat.requests[-1]
    assert (request["messages"][0]["content"], request["options"]) == ("New.", {"seed": 2})


async def test_branch_goes_between_versions_and_back_to_where_one_was(bench, page):
    chat = Chat(bench, "local", "echo")
    view = page(chat)
    await chat.ask("one")
    view.call("edit", id=chat.turns[0].id, text="other")
    view.until(lambda: chat.last == "You said: other" and chat.turns[-1].state == "complete")
    assert [message["content"] for message in await chat.branch(0)] == ["one", "You said: one"]
    assert (await chat.branch(-1))[0]["content"] == "other"
    assert (await chat.branch(bench.inner.chat.requests and chat.turns[0]))[0]["content"] == "other"
    with pytest.raises(NotFound, match="no alternative 5"):
        await chat.branch(5)


async def test_reading_again_while_a_change_is_on_its_way_brings_no_old_branch_back(bench):
    chat, room, gate = Chat(bench, "local", "echo"), bench.inner.conversations, asyncio.Event()
    await chat.compare("which?", models=["echo", "echo"])
    update = room.update

    async def slowly(*args, **changes):
        await gate.wait()
        return await update(*args, **changes)

    room.update = slowly
    switching = chat.branch(1)
    reading = bench.start(chat._kept.refresh())
    await asyncio.wrap_future(bench.start(asyncio.sleep(0.05)))
    bench.loop.call_soon_threadsafe(gate.set)
    assert len(await switching) == 2
    await asyncio.wrap_future(reading)
    assert len(chat.messages) == 2


async def test_comparison_asks_all_and_goes_on_from_the_kept_answer(bench):
    chat = Chat(bench, "local", "echo")
    answers = await chat.compare("which?", models=["echo", "local/breaks"])
    assert [(answer.model, answer.state) for answer in answers] == [("echo", "complete"), ("breaks", "failed")]
    with pytest.raises(Conflict, match="Keep one of them first"):
        await chat.ask("and then?")
    assert (await chat.branch(answers[0]))[-1]["content"] == "You said: which?"
    assert await chat.ask("and then?") == "You said: and then?"
    with pytest.raises(NotFound, match="No model is called 'nobody'"):
        await chat.compare("which?", models=["nobody"])
    with pytest.raises(BadRequest, match="one to 4"):
        await chat.compare("which?", models=["echo"] * 5)


async def test_handlers_hear_of_every_end_and_a_broken_one_breaks_nothing(bench, caplog):
    chat, heard = Chat(bench, "local", "echo"), []

    @chat.on_reply
    def note(turn):
        heard.append((turn.text, threading.current_thread().name != "scripted"))

    @chat.on_reply
    async def fail(turn):
        raise ValueError(turn.text)

    assert callable(note)
    await chat.ask("one")
    while not heard or "on_reply failed" not in caplog.text:
        await asyncio.sleep(0.01)
    assert heard == [("You said: one", True)]


async def test_pictures_go_along_as_bytes_or_files(bench, tmp_path):
    (tmp_path / "a.png").write_bytes(PICTURE)
    chat = Chat(bench, "local", "echo")
    await chat.ask("what is this?", images=[PICTURE, tmp_path / "a.png"])
    assert [kept.size_bytes for kept in chat.turns[0].attachments] == [len(PICTURE)] * 2


async def test_table_has_every_turn_and_says_which_are_shown(bench, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", types.SimpleNamespace(DataFrame=list))
    chat = Chat(bench, "local", "echo")
    await chat.compare("which?", models=["echo", "echo"])
    await chat.branch(0)
    assert [row["shown"] for row in chat.to_pandas()] == [True, True, False]
    assert chat.to_pandas()[1]["completion_tokens"] == 34


def test_table_without_pandas_says_what_to_install(bench, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        Chat(bench, "local", "echo").to_pandas()


# -- with a page


def test_page_hears_the_answer_in_order_and_whole(bench, page):
    bench.inner.chat.script = "The lighthouse stands in the fog. " * 40
    view = page(Chat(bench, model="script"))
    assert view.call("hello")["state"]["models"]["looking"]
    looked(view)
    assert view.events[-1]["data"]["models"]["choice"]["model"] == "script"
    answer = view.call("ask", text="where?")["id"]
    view.until(lambda: view.state(answer) == "complete")
    assert view.text(answer) == bench.inner.chat.script
    assert [event["seq"] for event in view.events] == [*range(1, len(view.events) + 1)]
    assert len(view.events) < 40  # 194 pieces, at most one event per frame


def test_view_that_missed_events_gets_the_whole_state(bench, page):
    chat = Chat(bench, model="echo")
    view = page(chat)
    answer = view.call("ask", text="hello")["id"]
    view.until(lambda: chat.turns[-1].cost_usd is not None)
    state = view.call("sync", seen=0)
    assert [row["text"] for row in state["state"]["turns"]] == ["hello", "You said: hello"]
    assert state["state"]["about"]["active"] == answer
    assert view.call("alive")["seq"] >= state["seq"]


def test_page_sees_the_new_turn_before_its_request_is_answered(bench, page):
    view = page(Chat(bench, model="silent"))
    answer = view.call("ask", text="hello")["id"]
    assert view.state(answer) == "writing"  # else Send would come back for a moment where Stop belongs


def test_request_that_comes_twice_is_done_once_and_answered_twice(bench, page):
    chat = Chat(bench, model="echo")
    view = page(chat)
    answer = view.call("ask", text="hello")
    view.until(lambda: view.state(answer["id"]) == "complete")
    chat._receive(chat, {"k": "req", "id": view._count, "op": "ask", "args": {"text": "hello"}}, [])
    view.until(lambda: view._answers)
    assert view._answers[view._count][0]["data"] == answer
    assert len(chat.messages) == 2


def test_stop_before_the_first_token(bench, page):
    view = page(Chat(bench, model="silent"))
    answer = view.call("ask", text="hello")["id"]
    view.call("stop")
    assert view.state(answer) == "stopped"  # before the provider has let go
    view.until(lambda: bench.inner.chat.stopped == ["silent"])


def test_stop_while_the_question_is_still_on_its_way(bench, page):
    gate = asyncio.Event()
    say = bench.inner.conversations.say

    async def slowly(*args, **values):
        await gate.wait()
        return await say(*args, **values)

    bench.inner.conversations.say = slowly
    chat = Chat(bench, model="echo")
    view = page(chat)
    chat._receive(chat, {"k": "req", "id": "first", "op": "ask", "args": {"text": "hello"}}, [])
    view.call("alive")
    view.call("stop")
    view.until(lambda: "first" in view._answers)
    assert "still in the box" in view._answers["first"][0]["error"]["message"]


def test_asking_again_makes_a_version_and_a_failed_answer_makes_way(bench, page):
    chat = Chat(bench, model="refuses")
    view = page(chat)
    failed = view.call("ask", text="hello")["id"]
    view.until(lambda: view.state(failed) == "failed" and not chat._replies.writing)
    second = view.call("again", id=failed)["id"]
    view.until(lambda: view.state(second) == "complete")
    assert [message["content"] for message in chat.messages] == ["hello", "Now it works."]
    third = view.call("again", id=second)["id"]
    view.until(lambda: view.state(third) == "complete")
    assert [turn.id for turn in chat._kept.tree.alternatives(third)] == [second, third]
    assert "no such turn" in view.refused("again", id="other")


def test_editing_keeps_the_old_branch_and_deleting_takes_one_away(bench, page):
    chat = Chat(bench, model="echo")
    view = page(chat)
    first = view.call("ask", text="one")["id"]
    view.until(lambda: view.state(first) == "complete")
    question = chat.turns[0].id
    other = view.call("edit", id=question, text="other")["id"]
    view.until(lambda: view.state(other) == "complete" and not chat._replies.writing)
    assert chat.messages[0]["content"] == "other"
    view.call("show", id=question)
    assert chat.last == "You said: one"
    view.call("delete_turn", id=question)
    assert chat.last == "You said: other"
    assert view.events[-1]["data"]["whole"]


def test_continuing_asks_below_the_answer(bench, page):
    chat = Chat(bench, model="echo")
    view = page(chat)
    first = view.call("ask", text="one")["id"]
    view.until(lambda: view.state(first) == "complete" and not chat._replies.writing)
    more = view.call("continue", id=first)["id"]
    view.until(lambda: view.state(more) == "complete")
    assert len(chat.turns) == 4


def test_conversations_are_listed_opened_renamed_and_deleted(bench, page):
    chat = Chat(bench, model="echo")
    view = page(chat)
    for text in ("about fog", "about dawn"):
        answer = view.call("ask", text=text)["id"]
        view.until(lambda answer=answer: view.state(answer) == "complete" and not chat._replies.writing)
        view.call("new")
    assert chat.messages == []
    assert [row["title"] for row in view.call("conversations", search="DAWN")] == ["about dawn"]
    fog = next(row for row in view.call("conversations") if row["title"] == "about fog")
    view.call("open", id=fog["id"])
    assert chat.last == "You said: about fog"
    view.call("rename", title="Fog")
    view.call("delete", id=fog["id"])
    assert chat.messages == []
    assert [row["title"] for row in view.call("conversations")] == ["about dawn"]


def test_options_are_kept_as_values_and_shown_as_text(bench, page):
    chat = Chat(bench, model="echo")
    view = page(chat)
    view.call("option", name="seed", text=str(2**64 - 1))
    view.call("option", name="temperature", text="0,7")
    view.call("option", name="stop", text="END\nSTOP")
    view.call("system", text="Be brief.")
    answer = view.call("ask", text="one")["id"]
    view.until(lambda: view.state(answer) == "complete")
    wanted = {"seed": 2**64 - 1, "temperature": 0.7, "stop": ["END", "STOP"]}
    assert bench.inner.chat.requests[0]["options"] == wanted
    shown = view.call("sync")["state"]["about"]
    assert shown["options"] == {"seed": "18446744073709551615", "temperature": "0.7", "stop": "END\nSTOP"}
    view.call("option", name="seed", text="")
    assert "seed" not in view.call("sync")["state"]["about"]["options"]
    for name, text in [("temperature", "12"), ("top_p", "x"), ("max_tokens", "0"), ("seed", "1.5"), ("dance", "1")]:
        assert "VALIDATION_ERROR" in view.refused("option", name=name, text=text)


def test_picture_arrives_in_pieces_and_is_shown_again_only_to_its_conversation(bench, page):
    chat = Chat(bench, model="echo")
    view = page(chat)
    kept = view.call("attach", upload=view.upload(PICTURE), filename="a.png")
    answer = view.call("ask", text="", attachments=[kept["content"]])["id"]
    view.until(lambda: view.state(answer) == "complete")
    assert view.call("media", path=kept["thumbnail"]) == PICTURE
    assert "not of this conversation" in view.refused("media", path="/storage/media/other.png")
    assert "is no png" in view.refused("attach", upload=view.upload(b"text"), filename="b.png")


def test_compared_models_are_asked_at_once_and_stopped_one_by_one(bench, page):
    chat = Chat(bench, model="echo")
    view = page(chat)
    view.call("hello")
    looked(view)
    rows = [{"provider": "local", "model": name, "profile_id": None} for name in ("slow", "silent")]
    view.call("compared", models=rows)
    view.call("ask", text="which?")
    slow, silent = (turn.id for turn in chat._kept.tree.children(chat.turns[-1].id))
    view.call("stop", id=silent)
    assert view.state(silent) == "stopped"
    assert view.state(slow) == "writing"
    view.call("stop")
    assert view.state(slow) == "stopped"
    assert "At most 4" in view.refused("compared", models=rows * 3)
    view.call("keep", id=slow)
    view.call("compared", models=[])
    answer = view.call("ask", text="and then?")["id"]  # at once: its page has not heard that comparing ended
    view.until(lambda: view.state(answer) == "complete")
    assert [turn.text for turn in chat.turns[-2:]] == ["and then?", "You said: and then?"]


def test_what_the_page_asks_for_wrongly_is_refused_in_words(bench, page):
    view = page(Chat(bench, model="echo"))
    view.call("hello")
    looked(view)
    assert "cannot do 'dance'" in view.refused("dance")
    assert "is not among the models" in view.refused("choose", provider="local", model="gone", profile_id=None)
    assert "empty" in view.refused("ask", text="")


def test_unexpected_failure_still_answers(bench, page, caplog):
    view = page(Chat(bench, model="echo"))
    assert "INTERNAL_ERROR" in view.refused("choose", unknown=1)
    assert "failed on choose" in caplog.text


def test_choosing_changes_who_answers(bench, page):
    chat = Chat(bench, model="slow")
    view = page(chat)
    view.call("hello")
    looked(view)
    view.call("choose", provider="local", model="echo", profile_id=None)
    assert repr(chat) == "<Chat with echo, 0 turns>"


def test_look_that_fails_is_told_and_ends(bench, page):
    async def away():
        raise StoreUnavailable("The store is away")

    bench.inner.models.list = away
    view = page(Chat(bench))
    view.call("hello")
    looked(view)
    assert view.events[-1]["data"]["models"]["look_error"]["message"] == "The store is away"


def test_pull_shows_progress_and_then_there_is_a_model(page):
    bench = Bench(models=[])
    view = page(Chat(bench))
    assert view.call("hello")["state"]["models"]["choice"] is None
    bench.loop.call_soon_threadsafe(bench.inner.models.pulled.set)
    view.call("pull")
    view.until(lambda: any(event["data"].get("models", {}).get("choice") for event in view.events))
    shown = [event["data"]["pull"] for event in view.events if event["data"].get("pull")]
    assert shown[-1]["total"] == 94_000_000
    assert view.events[-1]["data"]["models"]["choice"]["model"] == "echo"
    bench.close()


def test_answering_never_runs_in_the_thread_that_delivered_the_message(bench, page):
    chat = Chat(bench, model="echo")
    view = page(chat)
    threads = []
    chat.op_alive = lambda: _note(threads)
    view.call("alive")
    assert threads == ["scripted"]


async def _note(threads):
    threads.append(threading.current_thread().name)


def test_saved_copy_escapes_everything(bench):
    chat = Chat(bench, "local", "echo")
    chat.ask("<script>alert(1)</script> & more").result(5)
    html, text = chat.saved()
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in html
    assert "You said: <script>" in text


def test_kernel_subshell_choice_is_left_to_the_page(bench):
    chat = Chat(bench, model="echo")
    assert getattr(chat.comm, "_reply_subshell_for", None) is None

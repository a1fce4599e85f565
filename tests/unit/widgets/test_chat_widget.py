"""The chat pane's Python half, headless and with a page that speaks the protocol."""

import asyncio
import threading

import pytest

from browser.scripted import Bench
from spoonkernel.errors import BadRequest, Conflict, ProviderConnectionError, RateLimited, StoreUnavailable
from spoonwidgets import Chat


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
    assert [message["content"] for message in bench.inner.chat.requests[1]["messages"]] == [
        "one",
        "You said: one",
        "two",
    ]


async def test_failure_is_raised_and_the_partial_text_kept(bench):
    chat = Chat(bench, "local", "breaks")
    with pytest.raises(ProviderConnectionError, match="the line went dead"):
        await chat.ask("go")
    assert chat.last == "The first half"


async def test_failure_keeps_how_long_to_wait(bench):
    with pytest.raises(RateLimited) as caught:
        await Chat(bench, "local", "refuses").ask("go")
    assert caught.value.retry_after_s == 18


async def test_cancelling_ask_stops_the_provider(bench):
    chat = Chat(bench, "local", "slow")
    asking = asyncio.ensure_future(chat.ask("go")._wait())
    await asyncio.sleep(0)  # it awaits now; a task that is cancelled before its first step never ran
    while not chat.last:
        await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    while not bench.inner.chat.stopped:
        await asyncio.sleep(0.01)
    assert chat.last.startswith("word0")


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


def test_page_hears_the_answer_in_order_and_whole(bench, page):
    bench.inner.chat.script = "The lighthouse stands in the fog. " * 40
    view = page(Chat(bench, model="script"))
    assert view.call("hello")["state"]["looking"]
    view.until(lambda: view.events and not view.events[-1]["data"]["looking"])
    assert view.events[-1]["data"]["choice"]["model"] == "script"
    answer = view.call("ask", text="where?")["id"]
    view.until(lambda: view.state(answer) == "done")
    assert view.text(answer) == bench.inner.chat.script
    assert [event["seq"] for event in view.events] == [*range(1, len(view.events) + 1)]
    assert len(view.events) < 40  # 194 pieces, at most one event per frame


def test_view_that_missed_events_gets_the_whole_state(bench, page):
    view = page(Chat(bench, model="echo"))
    answer = view.call("ask", text="hello")["id"]
    view.until(lambda: view.state(answer) == "done")
    state = view.call("sync", seen=0)
    assert state["seq"] == view.events[-1]["seq"]
    assert [row["text"] for row in state["state"]["turns"]] == ["hello", "You said: hello"]
    assert view.call("alive") == {"seq": state["seq"]}


def test_page_sees_the_new_turn_before_its_request_is_answered(bench, page):
    view = page(Chat(bench, model="silent"))
    answer = view.call("ask", text="hello")["id"]
    assert view.state(answer) == "waiting"  # else Send would come back for a moment where Stop belongs


def test_request_that_comes_twice_is_done_once_and_answered_twice(bench, page):
    chat = Chat(bench, model="echo")
    view = page(chat)
    answer = view.call("ask", text="hello")
    view.until(lambda: view.state(answer["id"]) == "done")
    chat._receive(chat, {"k": "req", "id": view._count, "op": "ask", "args": {"text": "hello"}}, [])
    view.until(lambda: view._answers)
    assert view._answers[view._count][0]["data"] == answer
    assert len(chat.messages) == 2


def test_stop_before_the_first_token(bench, page):
    view = page(Chat(bench, model="silent"))
    answer = view.call("ask", text="hello")["id"]
    view.call("stop")
    view.until(lambda: view.state(answer) == "stopped")
    assert bench.inner.chat.stopped == ["silent"]


def test_retry_asks_again_in_the_same_turn(bench, page):
    chat = Chat(bench, model="refuses")
    view = page(chat)
    answer = view.call("ask", text="hello")["id"]
    view.until(lambda: view.state(answer) == "failed")
    assert view.call("retry", id=answer) == {"id": answer}
    view.until(lambda: view.state(answer) == "done")
    assert [message["content"] for message in chat.messages] == ["hello", "Now it works."]
    assert "NOT_FOUND" in view.refused("retry", id="other")


def test_what_the_page_asks_for_wrongly_is_refused_in_words(bench, page):
    view = page(Chat(bench, model="echo"))
    view.call("hello")
    view.until(lambda: view.events and not view.events[-1]["data"]["looking"])
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
    view.until(lambda: view.events and not view.events[-1]["data"]["looking"])
    view.call("choose", provider="local", model="echo", profile_id=None)
    assert repr(chat) == "<Chat with echo, 0 turns>"


def test_look_that_fails_is_told_and_ends(bench, page):
    async def away():
        raise StoreUnavailable("The store is away")

    bench.inner.models.list = away
    view = page(Chat(bench))
    view.call("hello")
    view.until(lambda: view.events and not view.events[-1]["data"]["looking"])
    assert view.events[-1]["data"]["look_error"]["message"] == "The store is away"


def test_pull_shows_progress_and_then_there_is_a_model(page):
    bench = Bench(models=[])
    view = page(Chat(bench))
    assert view.call("hello")["state"]["choice"] is None
    bench.loop.call_soon_threadsafe(bench.inner.models.pulled.set)
    view.call("pull")
    view.until(lambda: any(event["data"].get("choice") for event in view.events))
    shown = [event["data"]["pull"] for event in view.events if event["data"].get("pull")]
    assert shown[-1]["total"] == 94_000_000
    assert view.events[-1]["data"]["choice"]["model"] == "echo"
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

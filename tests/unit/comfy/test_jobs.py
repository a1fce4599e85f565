"""Queue and history as ComfyUI answers them: recorded bodies, then what custom nodes and other versions may send."""

import json
from itertools import pairwise
from typing import Any

import pytest

from comfy_transcripts import answers, events, http
from spoonkernel.comfy.answers import plain_name
from spoonkernel.comfy.jobs import JobState, Output, QueueState, queued, read_queue, read_ran


def ran(entry: dict[str, Any]) -> Any:
    return read_ran({"p": entry}, "p")


def test_recorded_queues_are_read_in_the_order_in_which_they_run() -> None:
    seen = 0
    for _, body in (found for name in ("13", "14", "21") for found in answers(name, "/queue")):
        if not isinstance(body, dict) or "queue_pending" not in body:
            continue
        state = read_queue(json.dumps(body).encode())
        assert set(state.pending) == {entry[1] for entry in body["queue_pending"]}
        number = {entry[1]: entry[0] for entry in body["queue_pending"]}
        assert all(number[one] <= number[two] for one, two in pairwise(state.pending))
        seen += 1
    assert seen
    assert read_queue(json.dumps(http("queue")).encode()) == QueueState()


def test_the_pending_heap_is_sorted_and_graphs_may_hold_anything() -> None:
    graph = {"1": {"inputs": {"text": 'a "quoted", ] } \\ \u00e9 \ud800'}}}
    pending = [[7.5, "c", graph, {}, []], [9, "d"], [-3, "b", graph, {}, [], {"key": 1}]]
    body = json.dumps(
        {"queue_running": [[1, "a", graph, {}, ["9"]]], "queue_pending": pending, "other": [1, {}]}, indent=1
    )
    assert read_queue(body.encode()) == QueueState(("a",), ("b", "c", "d"))


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"{", b'{"queue_running"}', b'{"queue_running": [', b'{"queue_running": 5}'],
    ids=repr,
)
def test_what_is_no_queue_is_refused(body: bytes) -> None:
    with pytest.raises((ValueError, TypeError)):
        read_queue(body)


@pytest.mark.parametrize("entry", [5, [], [1], ["1", "p"], [1, 2]])
def test_an_entry_without_number_and_id_is_refused(entry: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        read_queue(json.dumps({"queue_running": [entry], "queue_pending": []}).encode())


def test_positions_count_from_the_next_to_run() -> None:
    queue = QueueState(("a",), ("b", "c"))
    assert queued(queue, "a") == JobState("running")
    assert queued(queue, "c") == JobState("pending", 1)
    assert queued(queue, "x") is None


def test_recorded_histories() -> None:
    found = {}
    for case, answer in http("history_samples").items():
        for prompt_id in answer:
            found[case] = read_ran(answer, prompt_id)
    success, cached = found["success"], found["cached"]
    assert (success.status, success.completed, success.error) == ("success", True, None)
    assert success.outputs == (Output("9", "images", 0, "t2i_00001_.png", "rec", "output"),)
    assert success.duration_s == pytest.approx(1.187)
    assert success.cached_nodes == frozenset()
    assert cached.outputs == success.outputs  # trap 7: the old file again
    assert cached.cached_nodes == {"3", "4", "5", "6", "7", "8", "9"}
    assert [output.index for output in found["batch4"].outputs] == [0, 1, 2, 3]


def test_every_recorded_history_ends_as_its_messages_say() -> None:
    endings: set[str] = set()
    for name in ("07", "11", "22", "40"):
        for event in events(name):
            if event["kind"] != "http" or not event["req"]["path"].startswith("/history/"):
                continue
            for prompt_id, entry in (event["resp"] or {}).items():
                read = read_ran(event["resp"], prompt_id)
                assert read is not None
                kinds = {message[0] for message in entry["status"]["messages"]}
                assert read.status == (
                    "interrupted"
                    if "execution_interrupted" in kinds
                    else ("error" if "execution_error" in kinds else "success")
                )
                assert (read.error is not None) == (read.status == "error")
                endings.add(read.status)
    assert endings == {"success", "error", "interrupted"}


def test_trap_08_outputs_of_every_recorded_kind() -> None:
    found = {case: ran(entry).outputs for case, entry in http("output_kinds").items()}
    assert found["video_mp4"] == (Output("3", "images", 0, "vid_00001_.mp4", "media", "output", animated=True),)
    assert found["audio_mp3_preview"][1].folder == "temp"
    assert found["text_previewany"] == (Output("2", "text", 0, text="hello \u00e9 539315925"),)
    assert all(output.filename or output.text for outputs in found.values() for output in outputs)


def test_unknown_kinds_and_odd_items_do_no_harm() -> None:
    outputs = {
        "1": {"gifs": [{"filename": "a.mp4", "subfolder": "", "type": "temp", "format": "video/h264-mp4"}]},
        "2": None,
        "3": {"text": "one", "tags": [["x"]], "a": [5, None, {}], "bboxes": {"x": 1}, "ui": {"filename": "b.png"}},
        "4": {"images": [{"filename": 5}, {"filename": ""}, {"filename": "x", "type": "etc"}, {"filename": "c.png"}]},
        "5": {
            "images": [{"filename": "d", "subfolder": 7}, {"filename": "e"}, {"filename": "f"}],
            "animated": [False, True],
        },
    }
    read = ran({"outputs": outputs, "status": {"status_str": "success", "completed": True, "messages": []}})
    assert [(one.node_id, one.kind, one.index, one.filename or one.text, one.animated) for one in read.outputs] == [
        ("1", "gifs", 0, "a.mp4", False),
        ("3", "text", 0, "one", False),
        ("3", "ui", 0, "b.png", False),
        ("4", "images", 3, "c.png", False),
        ("5", "images", 1, "e", True),
        ("5", "images", 2, "f", True),
    ]


@pytest.mark.parametrize("status", [None, {}, [], {"messages": 5}, {"messages": [5, [], ["x"], ["a", 5]]}])
def test_a_history_without_a_proper_status_is_read(status: object) -> None:
    read = ran({"outputs": None, "status": status})
    assert (read.status, read.completed, read.outputs, read.duration_s) == ("success", False, (), None)


def test_an_unexplained_failure_is_a_failure() -> None:
    read = ran({"status": {"status_str": "error"}})
    assert (read.status, read.error) == ("error", "ComfyUI: failed without saying why")


def test_a_prompt_that_is_not_in_the_answer_has_not_ended() -> None:
    assert read_ran({}, "p") is None
    assert read_ran({"q": {}}, "p") is None
    for odd in (None, [], {"p": 5}):
        with pytest.raises(TypeError):
            read_ran(odd, "p")


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("cat.png", "cat.png"),
        ("my cat (1).PNG", "my_cat_1.PNG"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\a.jpg", "a.jpg"),
        ("\u732b.png", "image.png"),
        ("\u732b", "image"),
        ("", "image"),
        (".hidden", "image.hidden"),
        ("a\r\nb\x00.png", "a_b.png"),
        ("x" * 300 + ".webp", "x" * 91 + ".webp"),
    ],
)
def test_names_that_are_sent_are_plain(given: str, sent: str) -> None:
    assert plain_name(given) == sent

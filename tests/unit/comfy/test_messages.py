"""Frames of ComfyUI's websocket: every recorded one is understood, and nothing malformed gets through or raises."""

import json
import struct

import pytest

from comfy_transcripts import NAMES, TRANSCRIPTS, text_frames
from spoonkernel.comfy.frames import MAX_ID, MAX_NODES, MAX_TEXT, parse_binary, parse_text
from spoonkernel.comfy.messages import (
    Executed,
    Executing,
    ExecutionCached,
    ExecutionError,
    ExecutionInterrupted,
    ExecutionStart,
    ExecutionSuccess,
    FeatureFlags,
    NodeProgress,
    NodeText,
    Preview,
    Progress,
    ProgressState,
    Status,
    prompt_id_of,
)

JPEG = b"\xff\xd8\xff\xe0picture"
PNG = b"\x89PNG\r\n\x1a\npicture"


def frame(kind: str, **data: object) -> str:
    return json.dumps({"type": kind, "data": data})


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_text_frame_is_understood(name: str) -> None:
    for text in text_frames(name):
        message = parse_text(text)
        assert message is not None, text
        said = json.loads(text)
        assert prompt_id_of(message) == said["data"].get("prompt_id"), text


def test_each_kind_says_what_it_holds() -> None:
    assert parse_text(frame("status", status={"exec_info": {"queue_remaining": 3}}, sid="me")) == Status(3, "me")
    assert parse_text(frame("feature_flags", max_upload_size=9)) == FeatureFlags({"max_upload_size": 9})
    assert parse_text(frame("execution_start", prompt_id="p", timestamp=7)) == ExecutionStart("p", 7)
    assert parse_text(frame("execution_cached", prompt_id="p", nodes=["3", 4], timestamp=7)) == ExecutionCached(
        "p", frozenset({"3", "4"})
    )
    nodes = {"3": {"value": 1, "max": 4, "state": "running", "display_node_id": "2", "activity": "loading"}}
    state = parse_text(frame("progress_state", prompt_id="p", nodes=nodes))
    assert state == ProgressState("p", (NodeProgress("3", "running", 1.0, 4.0, "2"),))
    assert state.nodes[0].share == 0.25
    assert parse_text(frame("executing", node="3", display_node="2", prompt_id="p")) == Executing("p", "3", "2")
    assert parse_text(frame("executing", node=None, prompt_id="p")) == Executing("p", None)
    assert parse_text(frame("progress", value=1, max=4, prompt_id="p", node="3")) == Progress("p", "3", 1.0, 4.0)
    output = {"images": [{"filename": "a.png"}]}
    assert parse_text(frame("executed", node="9", prompt_id="p", output=output)) == Executed("p", "9", None, output)
    assert parse_text(frame("executed", node="9", prompt_id="p", output=None)) == Executed("p", "9")
    assert parse_text(frame("execution_success", prompt_id="p")) == ExecutionSuccess("p")
    assert parse_text(frame("execution_interrupted", prompt_id="p", node_id="3", node_type="KSampler")) == (
        ExecutionInterrupted("p", "3", "KSampler")
    )


def test_trap_03_a_socket_opened_mid_run_hears_of_a_node_without_its_prompt() -> None:
    assert parse_text(frame("executing", node="3")) == Executing(None, "3")


def test_an_error_keeps_its_reason_and_loses_traceback_and_inputs() -> None:
    error = next(found for text in text_frames("07") if isinstance(found := parse_text(text), ExecutionError))
    assert (error.node_id, error.node_type, error.exception_type) == ("8", "VAEDecode", "RuntimeError")
    assert "channels" in error.exception_message
    assert "Traceback" not in repr(error)
    assert "execution.py" not in repr(error)


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "[]", "7", '"executing"', "{", '{"type":"executing"}', '{"data":{}}', '{"type":[],"data":{}}'),
        *('{"type":"executing","data":[]}', '{"type":"executing","data":null}', '{"type":null,"data":null}'),
        frame("executing", node=["3"], prompt_id="p"),
        frame("executing", node="3", prompt_id={"a": 1}),
        frame("execution_start"),
        frame("execution_start", prompt_id=""),
        frame("execution_start", prompt_id="x" * (MAX_ID + 1)),
        frame("execution_cached", prompt_id="p", nodes="3"),
        frame("execution_cached", prompt_id="p", nodes=[None]),
        frame("progress", value="1", max=4, prompt_id="p", node="3"),
        frame("progress", value=float("nan"), max=4, prompt_id="p", node="3"),
        frame("progress_state", prompt_id="p", nodes=[]),
        frame("progress_state", prompt_id="p", nodes={"3": {"value": True, "max": 1, "state": "running"}}),
        frame("progress_state", prompt_id="p", nodes={str(n): {} for n in range(MAX_NODES + 1)}),
        frame("executed", node="9", prompt_id="p", output=[1]),
        frame("status", status={"exec_info": {"queue_remaining": "many"}}),
        frame("status", status=None),
        frame("crystools.monitor", cpu=3),
        '{"type":"status","data":' + "[" * 100_000 + "]" * 100_000 + "}",
        " " * (MAX_TEXT + 1),
    ],
    ids=lambda text: text[:40],
)
def test_malformed_and_unknown_text_is_nothing(text: str) -> None:
    assert parse_text(text) is None


def test_recorded_previews_are_cut_from_their_frames() -> None:
    plain = parse_binary((TRANSCRIPTS / "preview_event1_sample.bin").read_bytes())
    named = parse_binary((TRANSCRIPTS / "preview_event4_sample.bin").read_bytes())
    assert isinstance(plain, Preview)
    assert isinstance(named, Preview)
    assert (plain.format, plain.prompt_id, plain.node_id, plain.metadata) == ("jpeg", None, None, False)
    assert (named.format, named.node_id, named.metadata) == ("jpeg", "3", True)
    assert named.prompt_id == "28c9483b-37ca-4d98-950d-a41be10dab5d"
    for preview in (plain, named):
        assert preview.image.startswith(b"\xff\xd8\xff")
        assert preview.image.rstrip(b"\x00").endswith(b"\xff\xd9")
        assert len(preview.image) == preview.size_bytes


def test_a_final_picture_of_save_image_websocket_is_a_png() -> None:
    found = parse_binary(struct.pack(">II", 1, 2) + PNG)
    assert isinstance(found, Preview)
    assert (found.format, found.image) == ("png", PNG)


def test_the_format_is_read_from_the_picture_and_not_believed() -> None:
    found = parse_binary(struct.pack(">II", 1, 2) + JPEG)
    assert isinstance(found, Preview)
    assert found.format == "jpeg"


def test_a_text_of_a_node() -> None:
    assert parse_binary(struct.pack(">II", 3, 2) + b"12waiting 5 s") == NodeText("12", "waiting 5 s")


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\x00", b"\x00\x00\x00\x01", struct.pack(">II", 1, 1), struct.pack(">II", 9, 1) + JPEG),
        *(struct.pack(">II", 1, 1) + b"<svg>", struct.pack(">II", 1, 1) + b"RIFF1234WAVE"),
        *(struct.pack(">II", 3, 900) + b"12", struct.pack(">II", 3, 0) + b"text", struct.pack(">II", 3, 1) + b"\xff"),
        *(struct.pack(">II", 4, 2**32 - 1) + JPEG, struct.pack(">II", 4, 4) + b"null" + JPEG),
        *(struct.pack(">II", 4, 2) + b"[]" + JPEG, struct.pack(">II", 4, 3) + b"{x}" + JPEG),
        struct.pack(">II", 4, 17) + b'{"prompt_id":[1]}' + JPEG,
    ],
    ids=repr,
)
def test_malformed_and_unknown_bytes_are_nothing(data: bytes) -> None:
    assert parse_binary(data) is None

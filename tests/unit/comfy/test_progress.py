"""How far a prompt is: every recorded run is played frame by frame, then the cases that recordings cannot show."""

from collections import defaultdict

import pytest

from comfy_transcripts import NAMES, text_frames
from spoonkernel.comfy.frames import parse_text
from spoonkernel.comfy.messages import (
    Executed,
    Executing,
    ExecutionCached,
    ExecutionError,
    ExecutionInterrupted,
    ExecutionStart,
    ExecutionSuccess,
    Message,
    NodeProgress,
    Preview,
    Progress,
    ProgressState,
    prompt_id_of,
)
from spoonkernel.comfy.previews import PreviewGate
from spoonkernel.comfy.progress import RunProgress

TXT2IMG = frozenset({"3", "4", "5", "6", "7", "8", "9"})


def by_prompt(name: str, who: str | None = None) -> dict[str, list[Message]]:
    found: dict[str, list[Message]] = defaultdict(list)
    for text in text_frames(name, who):
        message = parse_text(text)
        if message is not None and (prompt_id := prompt_id_of(message)):
            found[prompt_id].append(message)
    return found


def nodes_of(messages: list[Message]) -> frozenset[str]:
    """The nodes that a run told of."""
    found: set[str] = set()
    for message in messages:
        match message:
            case ExecutionCached(nodes=nodes):
                found |= nodes
            case ProgressState(nodes=states):
                found |= {state.node_id for state in states}
    return frozenset(found)


def states(**shares: float) -> ProgressState:
    return ProgressState(
        "p",
        tuple(
            NodeProgress(node.strip("n"), "finished" if share == 1 else "running", share, 1.0)
            for node, share in shares.items()
        ),
    )


@pytest.mark.parametrize("name", NAMES)
def test_recorded_runs_go_forward_and_end_at_one_only_in_success(name: str) -> None:
    for prompt_id, messages in by_prompt(name).items():
        progress = RunProgress(nodes_of(messages), prompt_id)
        before = 0.0
        for message in messages:
            progress.feed(message)
            assert before <= progress.fraction <= 1.0
            assert progress.fraction < 1.0 or progress.ended == "success"
            before = progress.fraction
        kinds = {type(message) for message in messages}
        endings = {ExecutionSuccess: "success", ExecutionError: "error", ExecutionInterrupted: "interrupted"}
        assert progress.ended == next((ending for kind, ending in endings.items() if kind in kinds), None)
        assert progress.settled == any(isinstance(one, Executing) and one.node is None for one in messages)
        assert (progress.fraction == 1.0) == (progress.ended == "success")


def test_trap_11_the_whole_counts_nodes_and_steps_and_leaves_cached_ones_out() -> None:
    (messages,) = by_prompt("03").values()
    progress = RunProgress(TXT2IMG)
    seen: list[float] = []
    for message in messages:
        progress.feed(message)
        if isinstance(message, ProgressState):
            told = {state.node_id: state.share if state.state != "finished" else 1.0 for state in message.nodes}
            assert progress.fraction == pytest.approx(min(0.99, sum(told.values()) / 3))  # 3, 8, 9 run; 4 to 7 do not
        seen.append(progress.fraction)
    assert len(set(seen)) > 4
    assert progress.ended == "success"


def test_trap_11_a_second_sampler_starts_at_zero_without_going_back() -> None:
    progress = RunProgress({"1", "2"})
    progress.feed(states(n1=1.0))
    progress.feed(Progress("p", "2", 0, 10))
    assert progress.fraction == 0.5
    progress.feed(Progress("p", "2", 5, 10))
    progress.feed(Progress("p", "2", 1, 10))  # a node that samples twice
    assert progress.fraction == 0.75


def test_nodes_that_are_not_in_the_graph_cannot_push_it_on() -> None:
    progress = RunProgress({"1", "2"})
    progress.feed(ProgressState("p", tuple(NodeProgress(f"1.0.{n}", "finished", 1, 1, "1") for n in range(50))))
    assert progress.fraction == 0.0
    progress.feed(Executing("p", "1.0.7", "1"))
    assert progress.node == "1"


def test_all_nodes_done_is_not_yet_the_end() -> None:
    progress = RunProgress({"1"})
    progress.feed(states(n1=1.0))
    assert progress.fraction == 0.99
    assert progress.ended is None
    progress.feed(ExecutionSuccess("p"))
    assert (progress.fraction, progress.ended) == (1.0, "success")


def test_trap_01_success_is_not_settled_before_the_last_message() -> None:
    (messages,) = by_prompt("01").values()
    progress = RunProgress(TXT2IMG)
    for message in messages[:-1]:
        progress.feed(message)
    assert (progress.ended, progress.settled) == ("success", False)
    progress.feed(messages[-1])
    assert progress.settled


def test_trap_05_messages_of_other_prompts_change_nothing() -> None:
    progress = RunProgress({"1"}, "mine")
    for message in (ExecutionStart("theirs"), states(n1=1.0), ExecutionSuccess("theirs"), Executing(None, "1")):
        progress.feed(message)
    assert (progress.fraction, progress.started, progress.ended, progress.node) == (0.0, False, None, None)


def test_trap_07_an_identical_graph_is_cached_from_end_to_end() -> None:
    (messages,) = by_prompt("02").values()
    progress = RunProgress(TXT2IMG)
    for message in messages:
        progress.feed(message)
    (cached,) = (message.nodes for message in messages if isinstance(message, ExecutionCached))
    assert progress.is_all_of(cached)
    assert not progress.is_all_of(cached - {"9"})
    assert (progress.fraction, progress.ended) == (1.0, "success")


def test_a_failed_run_says_node_and_reason_and_stays_where_it_was() -> None:
    (messages,) = by_prompt("07").values()
    progress = RunProgress(TXT2IMG)
    for message in messages:
        progress.feed(message)
    assert progress.ended == "error"
    assert progress.error is not None
    assert progress.error.startswith("VAEDecode (node 8): RuntimeError: ")
    assert progress.fraction < 1.0
    progress.feed(ExecutionSuccess("p"))
    assert progress.ended == "error"


def test_an_interrupted_run_ends_so() -> None:
    endings = []
    for messages in by_prompt("11").values():
        progress = RunProgress(TXT2IMG)
        for message in messages:
            progress.feed(message)
        endings.append((progress.ended, progress.settled))
    assert ("interrupted", True) in endings


def test_an_older_server_that_tells_no_states_still_moves() -> None:
    progress = RunProgress({"1", "2", "3", "4"})
    progress.feed(Executing("p", "1"))
    progress.feed(Executing("p", "2"))
    assert progress.fraction == 0.25
    progress.feed(Progress("p", None, 1, 2))
    assert progress.fraction == 0.375
    progress.feed(Executed("p", "2"))
    assert (progress.fraction, progress.node) == (0.5, "2")


def test_zero_and_negative_steps_are_no_steps() -> None:
    progress = RunProgress({"1"})
    for value, most in ((1, 0), (-5, 10), (3, -3)):
        progress.feed(Progress("p", "1", value, most))
        assert progress.fraction == 0.0
    progress.feed(Progress("p", "1", 99, 10))
    assert progress.fraction == 0.99


def test_without_a_graph_nothing_is_claimed_until_the_end() -> None:
    progress = RunProgress(frozenset())
    progress.feed(states(n1=1.0))
    assert (progress.fraction, progress.is_all_of(frozenset()), progress.started) == (0.0, False, True)
    progress.feed(ExecutionSuccess("p"))
    assert progress.fraction == 1.0


def preview(number: int) -> Preview:
    return Preview("jpeg", "p", "3", True, bytes([number]), 0)


def test_previews_pass_four_times_a_second_and_the_newest_is_kept() -> None:
    gate = PreviewGate(4)
    passed = [(n, gate.offer("p", preview(n), n * 0.03125)) for n in range(16)]
    assert [n for n, shown in passed if shown] == [0, 8]
    assert gate.due(0.49) == []
    assert gate.due(0.5) == [("p", preview(15))]
    assert gate.due(9.0) == []


def test_each_prompt_has_its_own_turn_and_an_ended_one_is_forgotten() -> None:
    gate = PreviewGate(4)
    assert gate.offer("p", preview(1), 0.0)
    assert gate.offer("q", preview(2), 0.0)
    assert gate.offer("q", preview(3), 0.1) is None
    gate.drop("q")
    assert gate.due(5.0) == []
    assert gate.offer("q", preview(4), 0.1)

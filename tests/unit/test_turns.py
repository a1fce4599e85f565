"""The tree of turns, and what a row says at a moment; what an answer costs."""

from datetime import timedelta
from types import SimpleNamespace

import pytest

from spoonkernel.services.answers import cost_usd
from spoonkernel.store.turns import STALE, as_turn, below, leaf, path_to
from spoonkernel.types.base import utc_now
from spoonkernel.types.chat import Usage

TREE = {"a": None, "b": "a", "c": "b", "d": "a", "e": "d", "f": None, "g": "d"}
"""a to b and c, or to d and then e or g; f begins again."""


def test_a_path_goes_from_the_beginning_to_the_turn() -> None:
    assert path_to("e", TREE) == ["a", "d", "e"]
    assert path_to("f", TREE) == ["f"]


def test_below_a_turn_is_everything_that_hangs_on_it() -> None:
    assert below("a", TREE) == ["a", "b", "c", "d", "e", "g"]
    assert below("c", TREE) == ["c"]


def test_a_leaf_is_the_end_of_the_newest_branch() -> None:
    assert leaf("a", TREE) == "g"
    assert leaf("c", TREE) == "c"
    assert leaf(None, TREE) == "f"
    assert leaf(None, {}) is None


@pytest.mark.parametrize(
    ("state", "silent", "read"),
    [
        ("writing", timedelta(0), "writing"),
        ("writing", STALE, "writing"),
        ("writing", STALE + timedelta(milliseconds=1), "stopped"),
        ("writing", None, "stopped"),
        ("complete", None, "complete"),
        ("failed", STALE * 2, "failed"),
    ],
)
def test_an_answer_without_a_sign_of_life_is_stopped(state: str, silent: timedelta | None, read: str) -> None:
    now = utc_now()
    values = {"id": "x", "conversation_id": "y", "role": "assistant", "state": state, "created_at": now}
    values["heartbeat_at"] = None if silent is None else now - silent
    assert as_turn(SimpleNamespace(**values, _asdict=lambda: dict(values)), now).state == read


def test_a_cost_is_known_when_prices_and_counts_are() -> None:
    usage = Usage(prompt_tokens=1_000, completion_tokens=500, total_tokens=1_500)
    assert cost_usd(usage, (3.0, 15.0)) == pytest.approx(0.0105)
    assert cost_usd(usage, (0.0, 0.0)) == 0
    assert cost_usd(usage, None) is None
    assert cost_usd(Usage(prompt_tokens=1_000), (3.0, 15.0)) is None

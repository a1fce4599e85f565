"""Texts as the page sends them: comments, choices, dates, and other nodes' values in file names."""

from datetime import UTC, datetime

import pytest

from comfy_drawing import node, workflow
from spoonkernel.comfy.convert import Texts, to_api
from spoonkernel.errors import ValidationFailed

NOW = datetime(2026, 3, 7, 9, 5, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("a cat", "a cat"),
        ("a {red|blue} cat", "a red cat"),
        ("a {{tiny|big} red|blue} cat", "a tiny red cat"),
        ("{only}", "only"),
        (r"\{kept|as is\}", "{kept|as is}"),
        ("a cat // not a dog\nat night", "a cat \nat night"),
        ("a /* black\n */cat", "a cat"),
        ("open {a|b", "open a"),
        ("end \\", "end \\"),
        ("", ""),
    ],
)
def test_a_prompt_loses_its_comments_and_gets_its_choices_made(written, sent):
    assert Texts().prompt(written) == sent


def test_whoever_chooses_is_told_how_many_there_are():
    assert Texts(choose=lambda count: count - 1).prompt("{a|b|c} {d|e}") == "c e"


def test_choices_too_deep_are_an_error():
    with pytest.raises(ValidationFailed, match="more than 50 deep"):
        Texts().prompt("{" * 5_000)


def test_only_widgets_that_say_so_hold_prompts(object_info):
    text = "{a|b}"
    nodes = (node(1, "CLIPTextEncode", [text]), node(2, "PrimitiveStringMultiline", [text]))
    graph = to_api(workflow(*nodes), object_info)
    assert (graph["1"]["inputs"]["text"], graph["2"]["inputs"]["value"]) == ("a", text)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("%date:yyyy-MM-dd%/%date:yy-M-d hh-mm-ss%", "2026-03-07/26-3-7 09-05-02"),
        ("%KSampler.seed%", "7"),
        ("%Named.sampler_name%", "euler"),
        ("%KSampler.nothing% %Nobody.seed% %width% 100%", "%KSampler.nothing% %Nobody.seed% %width% 100%"),
    ],
)
def test_a_file_name_gets_dates_and_values(written, sent, object_info):
    sampler = node(1, "KSampler", [7, "fixed", 20, 8, "euler", "normal", 1], title="Named",
                   properties={"Node name for S&R": "KSampler"})  # fmt: skip
    drawn = workflow(sampler, node(2, "SaveImage", [written]))
    assert to_api(drawn, object_info, texts=Texts(now=NOW))["2"]["inputs"]["filename_prefix"] == sent


def test_what_a_file_name_cannot_hold_is_replaced_in_values(object_info):
    drawn = workflow(node(1, "CLIPTextEncode", ["a/b: c"], title="T"), node(2, "SaveImage", ["%T.text%"]))
    assert to_api(drawn, object_info)["2"]["inputs"]["filename_prefix"] == "a_b_ c"


def test_dates_stay_as_written_without_a_clock(object_info):
    graph = to_api(workflow(node(2, "SaveImage", ["%date:yyyy%"])), object_info)
    assert graph["2"]["inputs"]["filename_prefix"] == "%date:yyyy%"

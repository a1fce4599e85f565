"""Why ComfyUI refused: node, field and reason out of every recorded body, and nothing of the server's insides."""

import json

import pytest

from comfy_transcripts import NAMES, answers, events, text_frames
from spoonkernel.comfy.refusal import failed_text, node_reasons, refused_text

SAID = {
    "value_not_in_list checkpoint": "CheckpointLoaderSimple (node 4): ckpt_name: 'missing.safetensors' is not one of "
    "its choices (tiny_sd15.safetensors, tiny_sd15_b.safetensors)",
    "several errors on two nodes": "EmptyLatentImage (node 5): width: 99999 is larger than the maximum 16384; "
    "KSampler (node 3): sampler_name: 'nope' is not one of its 42 choices; "
    "KSampler (node 3): steps: 0 is smaller than the minimum 1",
    "invalid_input_type": "KSampler (node 3): steps: 'abc' is not of type INT",
    "seed -1": "KSampler (node 3): seed: -1 is smaller than the minimum 0",
    "seed 2**64": "KSampler (node 3): seed: 18446744073709551616 is larger than the maximum 18446744073709551615",
    "required_input_missing": "KSampler (node 3): seed: is required and missing",
    "return_type_mismatch": "KSampler (node 3): model: takes MODEL, but node 5 gives it LATENT",
    "link to a node that is not there": "KSampler (node 3): samples: could not be checked: it is linked to node 99, "
    "which is not in the graph",
    "bad_linked_input": "KSampler (node 3): model: ['4'] is not a link; one is [node id, output slot]",
    "unknown class_type": "Cannot execute because node NoSuchNode does not exist (node 3)",
    "no class_type": "Cannot execute because a node is missing the class_type property (node 3)",
    "no outputs": "the graph has no output node, such as SaveImage",
    "empty graph": "the graph has no output node, such as SaveImage",
    "self loop": "CLIPTextEncode (node 6): clip: takes CLIP, but node 6 gives it CONDITIONING",
}


def refused_cases() -> dict[str, object]:
    found, case = {}, ""
    for event in events("08"):
        case = event.get("case", case)
        if event["kind"] == "http" and event["status"] == 400:
            found.setdefault(case, event["resp"])
    return found


@pytest.mark.parametrize("case", SAID)
def test_a_recorded_refusal_in_words(case: str) -> None:
    assert refused_text(refused_cases()[case]) == SAID[case]


def test_every_recorded_refusal_says_something_short_without_paths() -> None:
    seen = 0
    for name in NAMES:
        for status, body in answers(name, "/prompt"):
            if status == 400:
                said = refused_text(body)
                assert said
                assert len(said) <= 1_000
                assert "/" not in said
                assert "execution.py" not in said
                assert "\n" not in said
                seen += 1
    assert seen >= 16


def test_a_saved_page_sent_as_a_graph_names_what_it_stumbled_over() -> None:
    *_, (_, body) = ((status, body) for status, body in answers("08", "/prompt") if status == 400)
    assert refused_text(body) == "Cannot execute because a node is missing the class_type property (node nodes)"


def test_a_half_taken_graph_tells_what_was_left_out() -> None:
    lines = [node_reasons(body["node_errors"]) for status, body in answers("08", "/prompt") if status == 200]
    assert [line for line in lines if line] == [("SaveImage (node 10): images: is required and missing",)]


def test_newer_servers_name_the_missing_node() -> None:
    error = {"type": "missing_node_type", "message": "Node 'x' not found", "details": "Node ID '#7'"}
    error |= {"extra_info": {"node_id": "7", "class_type": "VHS_Load", "node_title": "Load"}}
    assert refused_text({"error": error, "node_errors": {}}) == (
        "VHS_Load (node 7): the server has no such node; install the package it is in"
    )


def test_a_nodes_own_check_speaks_for_itself() -> None:
    info = {"input_name": "image", "received_value": "x.png"}
    error = {"type": "custom_validation_failed", "message": "Custom validation failed for node"}
    error |= {"details": "image - Invalid image file: x.png", "extra_info": info}
    node = {"1": {"class_type": "LoadImage", "errors": [error]}}
    assert node_reasons(node) == ("LoadImage (node 1): image: Invalid image file: x.png",)


def test_both_forms_of_a_choice_are_shortened() -> None:
    for config in ([[f"m{n}" for n in range(9)], {}], ["COMBO", {"options": [f"m{n}" for n in range(9)]}]):
        error = {"type": "value_not_in_list", "extra_info": {"input_name": "a", "input_config": config}}
        error["extra_info"]["received_value"] = "x" * 500
        (said,) = node_reasons({"1": {"class_type": "N", "errors": [error]}})
        assert said.endswith("is not one of its choices (m0, m1, m2, m3, m4 and 4 more)")
        assert len(said) < 200
    error["extra_info"]["input_config"] = [[], {}]
    (said,) = node_reasons({"1": {"class_type": "N", "errors": [error]}})
    assert said.endswith("the server has nothing to choose from")


def test_an_unknown_kind_of_error_is_passed_on() -> None:
    error = {"type": "dependency_cycle", "message": "Dependency cycle detected", "details": "3 -> 8 -> 3"}
    assert node_reasons({"3": {"errors": [error]}}) == ("A node (node 3): Dependency cycle detected (3 -> 8 -> 3)",)


def test_only_a_few_reasons_are_told_and_the_rest_counted() -> None:
    error = {"type": "required_input_missing", "extra_info": {"input_name": "a"}}
    said = refused_text({"node_errors": {str(n): {"class_type": "N", "errors": [error]} for n in range(9)}})
    assert said is not None
    assert said.count("is required") == 4
    assert said.endswith("; and 5 more")


@pytest.mark.parametrize(
    "body",
    [
        *(None, [], "no", {}, {"error": None}, {"error": 5, "node_errors": []}, {"error": {}, "node_errors": {}}),
        *({"node_errors": {"1": None}}, {"node_errors": {"1": {"errors": 5}}}, {"node_errors": {"1": {"errors": [5]}}}),
    ],
    ids=repr,
)
def test_what_is_no_refusal_of_comfyui_gives_no_text(body: object) -> None:
    assert refused_text(body) is None


@pytest.mark.parametrize("config", [None, 5, [], [5], ["INT"], ["INT", None], [None, {}]])
@pytest.mark.parametrize(
    "kind",
    [
        *("value_not_in_list", "value_smaller_than_min", "value_bigger_than_max", "invalid_input_type", "nonsense"),
        *("return_type_mismatch", "bad_linked_input", "exception_during_inner_validation", "custom_validation_failed"),
    ],
)
def test_a_mangled_error_still_names_its_node(kind: str, config: object) -> None:
    error = {"type": kind, "message": "m", "details": None, "extra_info": {"input_config": config}}
    (said,) = node_reasons({"1": {"class_type": "N", "errors": [error]}})
    assert said.startswith("N (node 1): ")
    assert node_reasons({"1": {"class_type": "N", "errors": [error | {"extra_info": 5}]}})


def test_a_failed_run_names_node_and_kind() -> None:
    assert failed_text("VAEDecode", "8", "torch.OutOfMemoryError", "no room\n  left") == (
        "VAEDecode (node 8): OutOfMemoryError: no room left"
    )
    assert failed_text(None, None, "", "") == "ComfyUI: failed without saying why"
    assert len(failed_text("N", "1", "E", "x" * 9_000)) <= 1_000


def test_recorded_errors_hold_no_traceback() -> None:
    texts = [json.loads(text)["data"] for text in text_frames("07") if "execution_error" in text]
    (data,) = texts
    said = failed_text(data["node_type"], data["node_id"], data["exception_type"], data["exception_message"])
    assert said.startswith("VAEDecode (node 8): RuntimeError: ")
    assert "File" not in said

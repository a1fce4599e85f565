"""A workflow file that is not what it should be is refused with a word about what and where, never with a crash."""

import copy
import json
import random
from pathlib import Path

import pytest

from comfy_drawing import image, loader, node, preview, slot, subgraph, workflow
from spoonkernel.comfy.convert import MAX_NODES, to_api
from spoonkernel.comfy.convert.workflow import MAX_SLOTS
from spoonkernel.comfy.object_info import ObjectInfo
from spoonkernel.errors import ValidationFailed

PAIRS = Path(__file__).parents[2] / "recordings" / "comfyui" / "workflow-pairs"
JUNK = (None, 0, -1, 2**70, "", "x", [], {}, [[]], {"a": 1}, True, 1.5, "-10", [1, 2], ["-1", "text"], float("inf"))


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        ({"links": []}, "an object with a list called 'nodes'; there is none"),
        ({"nodes": []}, "The workflow has no nodes"),
        (workflow(node(1, "Note")), "no nodes that would run"),
        (workflow(5), "A node of the workflow is not an object: 5"),
        (workflow({"type": "KSampler"}), "A node of the workflow has no id"),
        (workflow({"id": 4}), "Node 4 of the workflow has no type"),
        (workflow(loader(1), loader("1")), "two nodes of the workflow have the id 1"),
        (workflow(node(1, "KSampler", ins=[5])), r"Node 1 \(KSampler\): an input is not an object"),
        (workflow(preview(2, [])), r"Node 2 \(PreviewImage\): the link of input 'images' is malformed"),
        (workflow({"id": 1, "type": "KSampler", "inputs": 5}), r"The inputs of Node 1 \(KSampler\) should be a list"),
        ({"nodes": [loader()], "links": 5}, "The links of the workflow should be a list"),
        (workflow(loader(), links=[[1, 2]]), r"A link of the workflow is malformed: \[1, 2\]"),
        (workflow(loader(), links=[[1, {}, 0, 9, 0]]), "A link of the workflow at node 9 is malformed"),
        (workflow(loader(), links=[[1, 1, "a", 9, 0]]), "A link of the workflow at node 9 has no slot number"),
        (workflow(loader(), subgraphs=[{}]), "A subgraph definition of the workflow has no id"),
        (workflow(loader(), definitions={"subgraphs": 5}), "The definitions.subgraphs should be a list"),
        (workflow(loader(), subgraphs=[subgraph("s", {"id": 3})]), "Node 3 of subgraph 's' has no type"),
    ],
)
def test_a_malformed_workflow_is_refused_with_what_is_wrong(drawn, message, object_info):
    with pytest.raises(ValidationFailed, match=message):
        to_api(drawn, object_info)


def test_a_workflow_with_too_many_nodes_is_refused(object_info):
    notes = [node(number, "Note") for number in range(MAX_NODES + 1)]
    with pytest.raises(ValidationFailed, match="5001 nodes; at most 5000"):
        to_api(workflow(*notes), object_info)


def test_a_workflow_with_too_many_slots_is_refused(object_info):
    wide = subgraph("wide", ins={f"in{number}": "INT" for number in range(1_000)})
    with pytest.raises(ValidationFailed, match=f"over {MAX_SLOTS} inputs and outputs"):
        to_api(workflow(*(node(number, "wide") for number in range(300)), subgraphs=[wide]), object_info)


def test_the_largest_workflow_is_taken(object_info):
    links = [[number, number - 1, 0, number, 0, "IMAGE"] for number in range(2, MAX_NODES + 1)]
    chain = [node(number, "ImageInvert", ins=[slot("image", "IMAGE", number)]) for number in range(2, MAX_NODES + 1)]
    assert len(to_api(workflow(image(), *chain, links=links), object_info)) == MAX_NODES


def test_holes_and_loose_ends_among_the_links_are_passed_over(object_info):
    drawn = workflow(image(), preview(2, 1), links=[None, [3, -1, -1, 2, 0, "IMAGE"], [1, 1, 0, 2, 0, "IMAGE"]])
    assert to_api(drawn, object_info)["2"]["inputs"] == {"images": ["1", 0]}


def test_a_server_that_told_nothing_is_no_reason_to_crash():
    drawn = workflow(image(), preview(2, 1), links=[[1, 1, 0, 2, 0, "IMAGE"]])
    with pytest.raises(ValidationFailed, match=r"Node 1 \(LoadImage\): the class 'LoadImage' is not among"):
        to_api(drawn, None)


def places(value, here=()):
    """The path of everything inside a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield (*here, key)
        yield from places(one, (*here, key))


@pytest.mark.parametrize(
    "name", ["flux1_dev_uso_reference_image_gen", "video_wan2_2_14B_s2v", "sdxl_refiner_prompt_example"]
)
def test_a_damaged_workflow_is_converted_or_refused_and_nothing_else(name, object_info):
    info, dice = ObjectInfo(object_info), random.Random(7)  # the same damage in every run
    whole = json.loads((PAIRS / f"{name}.ui.json").read_text(encoding="utf-8"))
    paths = list(places(whole))
    refused = 0
    for _ in range(150):
        damaged, (*way, last) = copy.deepcopy(whole), dice.choice(paths)
        at = damaged
        for key in way:
            at = at[key]
        at[last] = copy.deepcopy(dice.choice(JUNK))
        try:
            to_api(damaged, info)
        except ValidationFailed:
            refused += 1
    assert 0 < refused < 150

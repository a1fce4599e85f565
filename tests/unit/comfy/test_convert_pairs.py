"""Recorded workflows of ComfyUI's template collection become, value for value, what its own page made of them."""

import json
from pathlib import Path

import pytest

from spoonkernel.comfy.convert import to_api
from spoonkernel.comfy.object_info import ObjectInfo

PAIRS = Path(__file__).parents[2] / "recordings" / "comfyui" / "workflow-pairs"
NAMES = sorted(path.name.removesuffix(".ui.json") for path in PAIRS.glob("*.ui.json"))


def read(name):
    return json.loads((PAIRS / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def info(object_info):
    return ObjectInfo(object_info)


def test_all_recorded_pairs_are_there():
    assert len(NAMES) == 70


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_workflow_becomes_the_graph_that_the_page_sends(name, info):
    assert to_api(read(f"{name}.ui.json"), info) == read(f"{name}.api.json")


def test_conversion_leaves_the_workflow_as_it_was(info):
    workflow = read("flux1_dev_uso_reference_image_gen.ui.json")
    before = json.dumps(workflow)
    to_api(workflow, info)
    assert json.dumps(workflow) == before

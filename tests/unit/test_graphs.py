"""From a workflow and layers of parameters to a graph and what is recorded of it, with the recorded node classes."""

import json
import random
from copy import deepcopy

import pytest

import comfy_graphs
from comfy_recordings import RECORDINGS
from spoonkernel.comfy.object_info import ObjectInfo
from spoonkernel.comfy.templates import shipped
from spoonkernel.errors import ValidationFailed
from spoonkernel.services.graphs import again, graph_hash, merged, prepare
from spoonkernel.services.templates import template_of

INFO = ObjectInfo(json.loads((RECORDINGS / "object_info.json").read_text()))
FILES = {"tiny_sd15.safetensors"}


def graph(**inputs):
    """The small graph with a checkpoint that the recorded server has."""
    choices = INFO.input("CheckpointLoaderSimple", "ckpt_name").choices
    made = comfy_graphs.graph(**inputs)
    made["4"]["inputs"]["ckpt_name"] = choices[0]
    return made


def prepared(workflow, *layers, prompt=None, negative=None, info=INFO, adapts=False, **more):
    template = template_of(workflow, info, adapts=adapts)
    return prepare(template, *layers, prompt_text=prompt, negative_prompt=negative, **more)


def test_a_graph_differs_only_in_what_was_asked_for():
    template = graph()
    made = prepared(template, {"steps": 9, "seed": 3, "7.text": "ugly"}, prompt="a cat").graph
    expected = deepcopy(template)
    expected["3"]["inputs"] |= {"steps": 9, "seed": 3}
    expected["6"]["inputs"]["text"] = "a cat"
    expected["7"]["inputs"]["text"] = "ugly"
    assert made == expected
    assert template == graph()  # it is not changed itself


@pytest.mark.parametrize("given", ["cfg_scale", "cfgScale", "cfg", "CFG"])
def test_names_are_taken_in_every_spelling_and_the_last_layer_wins(given):
    assert merged({"cfg": 1, "steps": 2}, {given: 3, "steps": None}) == {"cfg_scale": 3, "steps": 2}
    assert merged({"3.cfgScale": 1}) == {"3.cfgScale": 1}  # addresses stay as they are


def test_seeds_of_the_graph_are_never_taken_over():
    drawn = {prepared(graph(seed=42)).values["seed"] for _ in range(5)}
    assert len(drawn) == 5
    assert all(0 <= seed <= 2**32 - 1 for seed in drawn)
    made = prepared(graph(seed=42), {"seed": 42}, {})
    assert (made.values["seed"], made.drawn) == (42, ())


def test_a_workflows_own_seed_address_is_kept_by_layers_that_give_none():
    made = prepared(graph(), {"3.seed": 5}, {}, {"steps": 2})
    assert (made.values["seed"], made.values["steps"], made.drawn) == (5, 2, ())
    assert prepared(graph(), {"3.seed": 5}, {}, {"seed": 6}).values["seed"] == 6
    made = prepared(graph(), {"3.seed": 5}, {}, {"seed": -1})
    assert made.drawn == ("3.seed",)
    assert made.values["seed"] != 5


def test_two_samplers_with_other_seeds_keep_their_distance_through_all_layers():
    template = graph(seed=1)
    template["13"] = deepcopy(template["3"])
    template["13"]["inputs"] |= {"seed": 2, "latent_image": ["3", 0], "denoise": 0.5}
    template["8"]["inputs"]["samples"] = ["13", 0]
    for layers in (({"seed": 70},), ({"3.steps": 3}, {"seed": 70})):
        made = prepared(template, *layers)
        assert made.seeds == {"3.seed": 70, "13.seed": 71}


def test_only_addresses_that_ran_are_recorded_with_the_value_that_ran():
    made = prepared(graph(), {"3.steps": 4, "5.width": 64}, {"steps": "9"})
    assert made.parameters["steps"] == 9
    assert "3.steps" not in made.parameters
    assert made.parameters["5.width"] == made.parameters["width"] == 64
    assert prepared(graph(), {"3.denoise": "0.5"}).parameters["3.denoise"] == 0.5


def test_running_it_again_says_the_same():
    made = prepared(graph(), {"3.denoise": 0.5, "steps": 3}, prompt="a cat")
    same = again(made.graph, INFO, parameters=made.parameters)
    assert (same.graph, same.values, same.parameters, same.seeds) == (
        made.graph,
        made.values,
        made.parameters,
        made.seeds,
    )


def test_a_hash_is_of_what_runs_and_of_nothing_else():
    one, other = graph(), graph()
    other["3"]["_meta"] = {"title": "Mine"}
    assert graph_hash(one) == graph_hash(dict(reversed(other.items())))
    assert graph_hash(one) != graph_hash(graph(steps=5))


def test_what_no_server_told_of_is_filled_by_habit_and_checked_by_nobody():
    nothing = ObjectInfo(None)
    made = prepared(graph(), {"steps": 9}, prompt="a cat", info=nothing)
    assert (made.values["steps"], made.values["prompt_text"]) == (9, "a cat")
    odd = graph() | {"20": {"class_type": "Nowhere", "inputs": {}}}
    assert prepared(odd, info=nothing).graph["20"]["class_type"] == "Nowhere"
    with pytest.raises(ValidationFailed, match=r"Nowhere \(node 20\): this ComfyUI has no node class Nowhere"):
        prepared(odd)


@pytest.mark.parametrize("template", shipped(), ids=lambda one: one.key)
def test_a_shipped_workflow_fits_core_and_any_servers_files(template):
    made = prepared(template.workflow_json, prompt=None, adapts=True)
    assert made.running == made.graph.keys()
    for node_id, node in made.graph.items():
        spec = INFO[node["class_type"]]
        assert {name for name, one in spec.inputs.items() if one.required} == node["inputs"].keys(), node_id
    replaced = [told for told in made.warnings if "is not on this server" in told]
    for told in replaced:
        assert any(told.endswith(f"{one} was used") for node in made.graph.values() for one in node["inputs"].values())
    if "text" in template.name:
        assert made.values["seed"] is not None
        assert prepared(template.workflow_json, prompt="a cat", adapts=True).values["prompt_text"] == "a cat"


def test_files_are_only_replaced_where_it_is_said_that_they_may_be():
    template = graph()
    template["4"]["inputs"]["ckpt_name"] = "nowhere.safetensors"
    assert prepared(template).values["checkpoint_name"] == "nowhere.safetensors"
    made = prepared(template, adapts=True)
    assert made.values["checkpoint_name"] == graph()["4"]["inputs"]["ckpt_name"]
    assert len(made.warnings) == 1


def test_random_layers_of_names_and_addresses_end_as_the_last_one_says():
    rng = random.Random(7)
    fields = {"steps": "3.steps", "cfg_scale": "3.cfg", "width": "5.width", "batch_size": "5.batch_size"}
    for _ in range(60):
        layers, last = [], {}
        for _ in range(3):
            layer = {}
            for name in rng.sample(sorted(fields), rng.randint(0, 3)):
                value = rng.choice([16, 32, 64])
                layer[rng.choice([name, fields[name]])] = last[name] = value
            layers.append(layer)
        made = prepared(graph(), *layers)
        assert {name: made.values[name] for name in last} == last


@pytest.mark.parametrize("wrong", ["abc", 2**40, -1, 1.5, True, None, {"a": 1}, float("nan")])
def test_what_does_not_fit_a_column_is_left_to_comfyui_to_refuse(wrong):
    template = graph(steps=wrong)
    template["4"]["inputs"]["ckpt_name"] = "x" * 300 if wrong == "abc" else "a\0b"
    made = prepared(template)
    assert made.values["steps"] is made.values["checkpoint_name"] is None
    assert repr(made.graph["3"]["inputs"]["steps"]) == repr(wrong)  # it is sent as it is
    assert "steps" not in made.parameters
    assert prepared(graph(steps="12", cfg="7.5")).values["steps"] == 12

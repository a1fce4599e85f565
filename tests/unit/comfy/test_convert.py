"""One node of a saved workflow: its values by the page's list of widgets, its title, its class; and `as_graph`."""

import pytest

from comfy_drawing import image, loader, node, preview, slot, workflow
from spoonkernel.comfy.convert import MAX_NODES, as_graph, to_api
from spoonkernel.comfy.object_info import ObjectInfo
from spoonkernel.errors import ValidationFailed

SAMPLER = [7, "randomize", 20, 8, "euler", "normal", 1]
SAMPLED = {"seed": 7, "steps": 20, "cfg": 8, "sampler_name": "euler", "scheduler": "normal", "denoise": 1}


def only(drawn, object_info):
    """The inputs of a workflow's only node."""
    return next(iter(to_api(drawn, object_info).values()))["inputs"]


def described(**inputs):
    """Node classes with one class `Own` of these required inputs."""
    return {"Own": {"input": {"required": inputs}, "output": [], "output_node": True}}


def test_values_go_by_position_and_the_control_behind_a_seed_is_passed_over(object_info):
    assert only(workflow(node(3, "KSampler", SAMPLER)), object_info) == SAMPLED


def test_values_saved_by_name_need_no_order(object_info):
    drawn = workflow(node(3, "KSampler", {"cfg": 3, "seed": 7}))
    defaults = {"steps": 20, "cfg": 3, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
    assert only(drawn, object_info) == {"seed": 7} | defaults


def test_values_that_were_not_saved_are_the_servers_defaults(object_info):
    assert only(workflow(node(5, "EmptyLatentImage", [64])), object_info) == {
        "width": 64,
        "height": 512,
        "batch_size": 1,
    }


def test_both_forms_of_a_choice_hold_a_value_and_default_to_their_first():
    classes = described(old=[["a", "b"], {}], new=["COMBO", {"options": ["c", "d"]}])
    assert only(workflow(node(1, "Own", ["b", "d"])), classes) == {"old": "b", "new": "d"}
    assert only(workflow(node(1, "Own")), classes) == {"old": "a", "new": "c"}


def test_a_controlled_choice_has_two_widgets_behind_it():
    classes = described(model=[["a", "b"], {"control_after_generate": True}], text=["STRING", {}])
    assert only(workflow(node(1, "Own", ["b", "fixed", "", "hello"])), classes) == {"model": "b", "text": "hello"}


def test_a_seed_has_a_control_even_if_the_server_does_not_say_so_unless_it_says_no():
    values = [5, "fixed", 1]
    assert only(workflow(node(1, "Own", values)), described(seed=["INT", {}], steps=["INT", {}]))["steps"] == 1
    told = described(seed=["INT", {"control_after_generate": False}], steps=["INT", {}])
    assert only(workflow(node(1, "Own", [5, 1])), told) == {"seed": 5, "steps": 1}


def test_upload_buttons_take_a_place_and_are_not_sent(object_info):
    assert only(workflow(image()), object_info) == {"image": "example.png"}


@pytest.mark.parametrize(
    ("drawn", "shown"),
    [
        (node(1, "LoadAudio", ["a.mp3", None, None]), {"audio": "a.mp3", "audioUI": ""}),
        (node(1, "SaveAudio", ["audio/x", "/view?filename=old"]), {"filename_prefix": "audio/x", "audioUI": ""}),
        (node(1, "SaveGLB", ["mesh/x", ""]), {"filename_prefix": "mesh/x", "image": ""}),
        (node(1, "PreviewAny", [None, None, None]), {"preview": ""}),
        (node(1, "LoadImageOutput", ["a.png", False, "refresh", "image"]), {"image": "a.png", "refresh": "refresh"}),
    ],
    ids=["load_audio", "save_audio", "save_mesh", "preview_any", "load_output"],
)
def test_what_the_pages_extensions_add_to_a_class_is_sent_too(drawn, shown, object_info):
    assert only(workflow(drawn), object_info) == shown


def test_a_list_as_value_is_wrapped_so_that_it_is_no_link():
    classes = described(names=["COMBO", {"options": ["a", "b", "c"], "multi_select": True}])
    assert only(workflow(node(1, "Own", [["a", "c"]])), classes) == {"names": {"__value__": ["a", "c"]}}


def test_an_unlinked_input_that_stands_in_for_a_value_keeps_the_value(object_info):
    drawn = workflow(node(3, "KSampler", SAMPLER, [slot("seed", "INT", widget=True)]))
    assert only(drawn, object_info) == SAMPLED


def test_a_linked_value_becomes_the_link(object_info):
    number = node(2, "PrimitiveInt", [9, "fixed"], outs=["INT"])
    drawn = workflow(
        number, node(3, "KSampler", SAMPLER, [slot("steps", "INT", 1, widget=True)]), links=[[1, 2, 0, 3, 0, "INT"]]
    )
    assert to_api(drawn, object_info)["3"]["inputs"] == SAMPLED | {"steps": ["2", 0]}


def test_optional_inputs_are_there_only_when_linked(object_info):
    drawn = workflow(image(), preview(2, 1), links=[[1, 1, 0, 2, 0, "IMAGE"]])
    assert to_api(drawn, object_info)["2"]["inputs"] == {"images": ["1", 0]}
    drawn["nodes"][1]["inputs"][0]["link"] = None
    assert to_api(drawn, object_info)["2"]["inputs"] == {}


def test_values_saved_before_an_input_became_a_socket_are_left_out(object_info):
    old = node(1, "SaveLoRANode", ["loras/x", 12], [slot("lora", "LORA_MODEL"), slot("steps", "INT")])
    assert only(workflow(old), object_info) == {"prefix": "loras/x"}


def test_a_dynamic_choice_brings_the_inputs_of_its_option():
    option = {"key": "big", "inputs": {"required": {"size": ["INT", {"default": 4}]}}}
    choice = ["COMFY_DYNAMICCOMBO_V3", {"options": [{"key": "small", "inputs": {}}, option]}]
    classes = described(mode=choice, text=["STRING", {}])
    assert only(workflow(node(1, "Own", ["big", 9, "x"])), classes) == {"mode": "big", "mode.size": 9, "text": "x"}
    assert only(workflow(node(1, "Own", ["small", "x"])), classes) == {"mode": "small", "text": "x"}


def test_ids_are_texts_and_titles_are_the_given_the_displayed_or_the_class(object_info):
    graph = to_api(workflow(loader(1), loader("2", title="Base"), node(3, "KSampler", SAMPLER)), object_info)
    assert {key: one["_meta"]["title"] for key, one in graph.items()} == {
        "1": "Load Checkpoint",
        "2": "Base",
        "3": "KSampler",
    }


def test_old_names_of_classes_and_samplers_are_put_right(object_info):
    old = [7, "fixed", 20, 8, "sample_euler", "normal", 1]
    graph = to_api(workflow(node(1, "T2IAdapterLoader", ["x.pth"]), node(2, "KSampler", old)), object_info)
    assert graph["1"]["class_type"] == "ControlNetLoader"
    assert graph["2"]["inputs"]["sampler_name"] == "euler"


def test_notes_and_decorations_are_left_out(object_info):
    notes = [
        node(8, "Note", ["hi"]),
        node(9, "MarkdownNote", ["hi"]),
        node(10, "Label (rgthree)"),
        node(11, "Some Label"),
    ]
    assert list(to_api(workflow(loader(), *notes), object_info)) == ["1"]


def test_an_unknown_class_is_converted_where_the_node_names_its_values(object_info):
    named = [slot("image", "IMAGE", 1), slot("seed", "INT", widget=True), slot("mode", "COMBO", widget=True)]
    drawn = workflow(image(), node(2, "Odd", [5, "randomize", "soft"], named), links=[[1, 1, 0, 2, 0, "IMAGE"]])
    assert to_api(drawn, object_info)["2"] == {
        "inputs": {"seed": 5, "mode": "soft", "image": ["1", 0]},
        "class_type": "Odd",
        "_meta": {"title": "Odd"},
    }


def test_an_unknown_class_with_values_by_name_is_converted(object_info):
    values = {"frame_rate": 8, "videopreview": {"hidden": False}}
    drawn = workflow(node(2, "Odd", values, [slot("images", "IMAGE")]))
    assert only(drawn, object_info) == {"frame_rate": 8}


@pytest.mark.parametrize("ins", [[slot("x", "IMAGE")], [slot("x", "INT", widget=True)]], ids=["none", "too_few"])
def test_an_unknown_class_whose_values_have_no_names_is_an_error_that_names_node_and_class(ins, object_info):
    with pytest.raises(ValidationFailed, match=r"Node 2 \(Odd\): the class 'Odd' is not among .* 2 values"):
        to_api(workflow(node(2, "Odd", [5, "soft"], ins)), object_info)


def test_an_unknown_class_does_no_harm_where_it_is_muted(object_info):
    assert list(to_api(workflow(loader(), node(2, "Odd", [5], [slot("x", "IMAGE")], mode=2)), object_info)) == ["1"]


def test_a_graph_in_api_format_stays_as_it_is(object_info):
    graph = {"3": {"class_type": "KSampler", "inputs": {"seed": 1}, "extra": True}}
    assert as_graph(graph, object_info) == graph
    assert as_graph({"prompt": graph, "client_id": "x"}, ObjectInfo(None)) == graph


def test_as_graph_converts_what_the_page_saves(object_info):
    assert as_graph(workflow(loader()), object_info) == to_api(workflow(loader()), object_info)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (None, r"it is nothing \(null\)"),
        ([1], "it is a list"),
        ({}, "it is empty"),
        ({"prompt": {}}, "it is empty"),
        ({"a": 1}, "its entry 'a' is a number, not a node"),
        ({"3": {"inputs": {}}}, "its entry '3' has no class_type"),
        ({"3": {"class_type": "X", "inputs": [1]}}, "the inputs of its node '3' are a list"),
    ],
    ids=["null", "list", "empty", "empty_prompt", "number", "no_class", "inputs"],
)
def test_what_is_no_workflow_is_told_with_what_was_expected(given, problem, object_info):
    with pytest.raises(ValidationFailed, match=f"{problem}. Expected is what ComfyUI saves"):
        as_graph(given, object_info)


def test_a_graph_with_too_many_nodes_is_refused(object_info):
    graph = {str(number): {"class_type": "X", "inputs": {}} for number in range(MAX_NODES + 1)}
    with pytest.raises(ValidationFailed, match="5001 nodes; at most 5000"):
        as_graph(graph, object_info)

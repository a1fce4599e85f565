"""Subgraph instances are opened out: ids, links through inputs and outputs, values on the instance; group nodes too."""

import pytest

from comfy_drawing import image, node, preview, slot, subgraph, workflow
from spoonkernel.comfy.convert import MAX_NODES, to_api
from spoonkernel.errors import ValidationFailed

BYPASSED = 4
SIZES = [64, 32, 1]


def latent(node_id, *links):
    """An empty latent whose first values are linked from the subgraph's inputs."""
    names = ("width", "height", "batch_size")
    ins = [slot(name, "INT", link, widget=True) for name, link in zip(names, (*links, None, None, None), strict=False)]
    return node(node_id, "EmptyLatentImage", SIZES, ins, ["LATENT"])


def inverting(definition_id="invert"):
    """IMAGE in, IMAGE out."""
    inner = node(5, "ImageInvert", ins=[slot("image", "IMAGE", 1)], outs=["IMAGE"])
    return subgraph(
        definition_id, inner, links=[(1, -10, 0, 5, 0), (2, 5, 0, -20, 0)], ins={"in": "IMAGE"}, outs={"out": "IMAGE"}
    )


def between(instance, *definitions):
    """A picture, an instance, and a preview."""
    links = [[1, 1, 0, 2, 0, "IMAGE"], [2, 2, 0, 3, 0, "IMAGE"]]
    return workflow(image(), instance, preview(3, 2), links=links, subgraphs=definitions)


def sized(instance_values, *, classes, properties=None, ins=()):
    """What the two sizes inside a subgraph become; `ins` are the instance's inputs in the file."""
    definition = subgraph(
        "sizes", latent(5, 1, 2), links=[(1, -10, 0, 5, 0), (2, -10, 1, 5, 1)], ins={"w": "INT", "h": "INT"}
    )
    instance = node(2, "sizes", instance_values, ins, properties=properties or {})
    number = node(7, "PrimitiveInt", [9, "fixed"], outs=["INT"])
    graph = to_api(workflow(instance, number, links=[[1, 7, 0, 2, 0, "INT"]], subgraphs=[definition]), classes)
    return graph["2:5"]["inputs"]["width"], graph["2:5"]["inputs"]["height"]


@pytest.fixture(scope="session")
def recent(object_info):
    """The same classes as a server of 2026 tells of them."""
    return {name: one | {"is_input_list": False} for name, one in object_info.items()}


def test_inner_nodes_have_ids_below_the_instance_and_links_lead_in_and_out(object_info):
    graph = to_api(between(node(2, "invert", ins=[slot("in", "IMAGE", 1)], outs=["IMAGE"]), inverting()), object_info)
    assert list(graph) == ["1", "2:5", "3"]
    assert graph["2:5"]["inputs"] == {"image": ["1", 0]}
    assert graph["3"]["inputs"] == {"images": ["2:5", 0]}


def test_subgraphs_lie_in_subgraphs(object_info):
    inner = node(4, "invert", ins=[slot("in", "IMAGE", 1)], outs=["IMAGE"])
    outer = subgraph(
        "outer", inner, links=[(1, -10, 0, 4, 0), (2, 4, 0, -20, 0)], ins={"a": "IMAGE"}, outs={"b": "IMAGE"}
    )
    graph = to_api(
        between(node(2, "outer", ins=[slot("a", "IMAGE", 1)], outs=["IMAGE"]), outer, inverting()), object_info
    )
    assert graph["2:4:5"]["inputs"] == {"image": ["1", 0]}
    assert graph["3"]["inputs"] == {"images": ["2:4:5", 0]}


def test_definitions_may_lie_inside_the_definition_that_uses_them(object_info):
    inner = node(4, "invert", ins=[slot("in", "IMAGE", 1)], outs=["IMAGE"])
    outer = subgraph(
        "outer", inner, links=[(1, -10, 0, 4, 0), (2, 4, 0, -20, 0)], ins={"a": "IMAGE"}, outs={"b": "IMAGE"}
    )
    outer["definitions"] = {"subgraphs": [inverting()]}
    graph = to_api(between(node(2, "outer", ins=[slot("a", "IMAGE", 1)], outs=["IMAGE"]), outer), object_info)
    assert graph["3"]["inputs"] == {"images": ["2:4:5", 0]}


def test_a_bypassed_instance_is_passed_by_its_type(object_info):
    instance = node(2, "invert", ins=[slot("in", "IMAGE", 1)], outs=["IMAGE"], mode=BYPASSED)
    assert to_api(between(instance, inverting()), object_info)["3"]["inputs"] == {"images": ["1", 0]}


def test_inner_nodes_of_a_bypassed_instance_are_sent_as_the_page_sends_them(object_info):
    instance = node(2, "invert", ins=[slot("in", "IMAGE", 1)], outs=["IMAGE"], mode=BYPASSED)
    assert "2:5" in to_api(between(instance, inverting()), object_info)


def test_an_output_wired_straight_to_an_input_leads_through(object_info):
    through = subgraph("through", image(5), links=[(1, -10, 0, -20, 0)], ins={"in": "IMAGE"}, outs={"out": "IMAGE"})
    graph = to_api(between(node(2, "through", ins=[slot("in", "IMAGE", 1)], outs=["IMAGE"]), through), object_info)
    assert graph["3"]["inputs"] == {"images": ["1", 0]}


def test_an_instance_without_values_leaves_those_inside(object_info):
    assert sized([], classes=object_info) == (64, 32)


def test_an_instances_values_stand_in_the_order_of_its_inputs(object_info):
    assert sized([512, 256], classes=object_info) == (512, 256)


def test_a_link_to_the_instance_comes_before_its_value(object_info):
    linked = [slot("w", "INT", 1, widget=True)]
    assert sized([512, 256], classes=object_info, ins=linked) == (["7", 0], 256)


def test_a_recent_page_follows_the_names_that_the_instance_gives_its_values(recent):
    proxies = {"proxyWidgets": [["-1", "h"], ["5", "batch_size"], ["-1", "w"]]}
    assert sized([256, None, 512], classes=recent, properties=proxies) == (512, 256)


def test_a_recent_page_sets_what_the_instance_names_inside(recent):
    definition = subgraph("plain", latent(5))
    instance = node(2, "plain", [512], properties={"proxyWidgets": [["5", "width"]]})
    graph = to_api(workflow(instance, node(3, "plain"), subgraphs=[definition]), recent)
    assert [one["inputs"]["width"] for one in graph.values()] == [512, 64]


def test_a_recent_page_passes_over_the_control_behind_a_seed(recent):
    sampler = node(5, "KSampler", [7, "fixed", 20, 8, "euler", "normal", 1],
                   [slot("seed", "INT", 1, widget=True), slot("steps", "INT", 2, widget=True)])  # fmt: skip
    definition = subgraph(
        "sampling", sampler, links=[(1, -10, 0, 5, 4), (2, -10, 1, 5, 5)], ins={"s": "INT", "n": "INT"}
    )
    graph = to_api(workflow(node(2, "sampling", [5, "randomize", 30]), subgraphs=[definition]), recent)
    assert (graph["2:5"]["inputs"]["seed"], graph["2:5"]["inputs"]["steps"]) == (5, 30)


@pytest.mark.parametrize(("server", "steps"), [("object_info", 7), ("recent", 20)])
def test_the_page_that_ships_with_the_server_says_which_value_an_old_slot_number_means(server, steps, request):
    sampler = node(5, "KSampler", [7, "fixed", 20, 8, "euler", "normal", 1], [slot("steps", "INT", 1, widget=True)])
    definition = subgraph("sampling", sampler, links=[(1, -10, 0, 5, 4)], ins={"n": "INT"})
    graph = to_api(workflow(node(2, "sampling"), subgraphs=[definition]), request.getfixturevalue(server))
    assert graph["2:5"]["inputs"]["steps"] == steps


def test_a_value_comes_down_through_two_instances(object_info):
    inner = subgraph("inner", latent(5, 1), links=[(1, -10, 0, 5, 0)], ins={"w": "INT"})
    held = node(4, "inner", [128], [slot("w", "INT", 1, widget=True)])
    outer = subgraph("outer", held, links=[(1, -10, 0, 4, 0)], ins={"width": "INT"})
    graph = to_api(workflow(node(2, "outer", [512]), node(3, "outer"), subgraphs=[outer, inner]), object_info)
    assert graph["2:4:5"]["inputs"]["width"] == 512
    assert graph["3:4:5"]["inputs"]["width"] == 128


def test_a_primitive_reaches_the_values_inside_a_subgraph(object_info):
    definition = subgraph("sizes", latent(5, 1), links=[(1, -10, 0, 5, 0)], ins={"w": "INT"})
    instance = node(2, "sizes", [1], [slot("w", "INT", 1, widget=True)])
    primitive = node(9, "PrimitiveNode", [832, "fixed"], outs=["INT"])
    graph = to_api(workflow(instance, primitive, links=[[1, 9, 0, 2, 0, "INT"]], subgraphs=[definition]), object_info)
    assert graph["2:5"]["inputs"]["width"] == 832


def test_a_subgraph_that_contains_itself_is_an_error_that_names_the_node(object_info):
    a, b = subgraph("a", node(4, "b")), subgraph("b", node(5, "a"))
    with pytest.raises(ValidationFailed, match="Node 2:4:5: the subgraph 'a' contains itself"):
        to_api(workflow(node(2, "a"), subgraphs=[a, b]), object_info)


def test_subgraphs_too_deep_are_an_error(object_info):
    chain = [subgraph(f"s{depth}", node(1, f"s{depth + 1}")) for depth in range(60)]
    with pytest.raises(ValidationFailed, match="subgraphs lie more than 50 deep"):
        to_api(workflow(node(1, "s0"), subgraphs=chain), object_info)


def test_subgraphs_that_multiply_are_stopped_at_the_limit(object_info):
    doubling = [subgraph(f"s{depth}", node(1, f"s{depth + 1}"), node(2, f"s{depth + 1}")) for depth in range(40)]
    with pytest.raises(ValidationFailed, match=f"opened out, the workflow has over {MAX_NODES} nodes"):
        to_api(workflow(node(1, "s0"), subgraphs=doubling), object_info)


def group(*nodes, links=(), external=(), **rest):
    """A file that uses the group `pair` once, between a picture and a preview."""
    data = {"nodes": list(nodes), "links": list(links), "external": list(external)}
    instance = node(2, "workflow>pair", rest.pop("values", []), [slot("image", "IMAGE", 1)], ["IMAGE"])
    return between(instance) | {"extra": {"groupNodes": {"pair": data}}}


def test_a_group_node_is_opened_with_its_values_and_links(object_info):
    scale = node(-1, "ImageScaleBy", ["area", 0.5], [slot("image", "IMAGE")], ["IMAGE"])
    invert = node(-1, "ImageInvert", ins=[slot("image", "IMAGE")], outs=["IMAGE"], title="Last")
    graph = to_api(group(scale, invert, links=[[0, 0, 1, 0, 7, "IMAGE"]], values=["lanczos", 2]), object_info)
    assert list(graph) == ["1", "2:0", "2:1", "3"]
    assert graph["2:0"]["inputs"] == {"upscale_method": "lanczos", "scale_by": 2, "image": ["1", 0]}
    assert graph["2:1"] == {"inputs": {"image": ["2:0", 0]}, "class_type": "ImageInvert", "_meta": {"title": "Last"}}
    assert graph["3"]["inputs"] == {"images": ["2:1", 0]}


def test_two_inputs_of_one_name_in_a_group_are_told_apart_by_their_nodes_titles(object_info):
    inner = [node(-1, "ImageInvert", ins=[slot("image", "IMAGE")], outs=["IMAGE"], title=f"N{one}") for one in (0, 1)]
    drawn = group(*inner)
    drawn["nodes"][1]["inputs"] = [slot("image", "IMAGE"), slot("N1 image", "IMAGE", 1)]
    graph = to_api(drawn, object_info)
    assert (graph["2:0"]["inputs"], graph["2:1"]["inputs"]) == ({}, {"image": ["1", 0]})


def test_a_group_that_contains_itself_is_an_error(object_info):
    with pytest.raises(ValidationFailed, match="the group contains itself"):
        to_api(group(node(0, "workflow>pair")), object_info)


@pytest.mark.parametrize(
    "data", [{"nodes": 1}, {"nodes": [{}]}, {"nodes": [node(0, "ImageInvert")], "links": [[0, 0, 9, 0]]}]
)
def test_a_malformed_group_is_an_error_that_names_the_node(data, object_info):
    drawn = group() | {"extra": {"groupNodes": {"pair": data}}}
    with pytest.raises(ValidationFailed, match=r"Node 2 \(workflow>pair\): the group has"):
        to_api(drawn, object_info)

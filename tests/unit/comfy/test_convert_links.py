"""Links of a saved workflow are followed through muted and bypassed nodes, reroutes, primitives, and named relays."""

import pytest

from comfy_drawing import image, loader, node, preview, slot, workflow
from spoonkernel.comfy.convert import to_api
from spoonkernel.errors import ValidationFailed

MUTED, BYPASSED = 2, 4


def invert(node_id, link, **rest):
    return node(node_id, "ImageInvert", ins=[slot("image", "IMAGE", link)], outs=["IMAGE"], **rest)


def reroute(node_id, link, type_="*"):
    return node(node_id, "Reroute", ins=[slot("", type_, link)], outs=[type_])


def test_a_muted_node_is_left_out_and_so_are_the_links_to_it(object_info):
    drawn = workflow(
        image(), invert(2, 1, mode=MUTED), preview(3, 2), links=[[1, 1, 0, 2, 0, "IMAGE"], [2, 2, 0, 3, 0, "IMAGE"]]
    )
    graph = to_api(drawn, object_info)
    assert list(graph) == ["1", "3"]
    assert graph["3"]["inputs"] == {}


def test_a_chain_of_bypassed_nodes_passes_on_what_goes_in(object_info):
    count = 4_000
    chain = [invert(number, number - 1, mode=BYPASSED) for number in range(2, count)]
    links = [[number, number, 0, number + 1, 0, "IMAGE"] for number in range(1, count)]
    graph = to_api(workflow(image(), *chain, preview(count, count - 1), links=links), object_info)
    assert list(graph) == ["1", str(count)]
    assert graph[str(count)]["inputs"] == {"images": ["1", 0]}


def test_a_bypassed_node_passes_on_the_input_of_the_outputs_type(object_info):
    lora = node(
        2,
        "LoraLoader",
        ["x", 1, 1],
        [slot("model", "MODEL", 1), slot("clip", "CLIP", 2)],
        ["MODEL", "CLIP"],
        mode=BYPASSED,
    )
    text = node(3, "CLIPTextEncode", ["hi"], [slot("clip", "CLIP", 3)], ["CONDITIONING"])
    links = [[1, 1, 0, 2, 0, "MODEL"], [2, 1, 1, 2, 1, "CLIP"], [3, 2, 1, 3, 0, "CLIP"]]
    assert to_api(workflow(loader(), lora, text, links=links), object_info)["3"]["inputs"]["clip"] == ["1", 1]


def test_a_bypassed_node_prefers_the_input_in_the_outputs_place(object_info):
    classes = object_info | {
        "Two": {"input": {"required": {"a": ["IMAGE"], "b": ["IMAGE"]}}, "output": ["IMAGE", "IMAGE"]}
    }
    two = node(3, "Two", None, [slot("a", "IMAGE", 1), slot("b", "IMAGE", 2)], ["IMAGE", "IMAGE"], mode=BYPASSED)
    links = [[1, 1, 0, 3, 0, "IMAGE"], [2, 2, 0, 3, 1, "IMAGE"], [3, 3, 1, 4, 0, "IMAGE"]]
    graph = to_api(workflow(image(1), image(2), two, preview(4, 3), links=links), classes)
    assert graph["4"]["inputs"] == {"images": ["2", 0]}


def test_a_bypassed_node_without_a_fitting_input_passes_on_nothing(object_info):
    decode = node(2, "VAEDecode", None, [slot("samples", "LATENT"), slot("vae", "VAE", 1)], ["IMAGE"], mode=BYPASSED)
    links = [[1, 1, 2, 2, 1, "VAE"], [2, 2, 0, 3, 0, "IMAGE"]]
    graph = to_api(workflow(loader(), decode, preview(3, 2), links=links), object_info)
    assert graph["3"]["inputs"] == {}


def test_old_reroute_nodes_are_looked_through(object_info):
    links = [[1, 1, 0, 2, 0, "*"], [2, 2, 0, 3, 0, "*"], [3, 3, 0, 4, 0, "IMAGE"]]
    graph = to_api(workflow(image(), reroute(2, 1), reroute(3, 2), preview(4, 3), links=links), object_info)
    assert graph["4"]["inputs"] == {"images": ["1", 0]}
    assert list(graph) == ["1", "4"]


def test_a_bypassed_node_behind_a_reroute_goes_by_the_type_that_is_wanted(object_info):
    lora = node(
        2,
        "LoraLoader",
        ["x", 1, 1],
        [slot("model", "MODEL", 1), slot("clip", "CLIP", 2)],
        ["MODEL", "CLIP"],
        mode=BYPASSED,
    )
    text = node(4, "CLIPTextEncode", ["hi"], [slot("clip", "CLIP", 4)])
    links = [[1, 1, 0, 2, 0, "MODEL"], [2, 1, 1, 2, 1, "CLIP"], [3, 2, 1, 3, 0, "*"], [4, 3, 0, 4, 0, "*"]]
    graph = to_api(workflow(loader(), lora, reroute(3, 3), text, links=links), object_info)
    assert graph["4"]["inputs"]["clip"] == ["1", 1]


def test_reroutes_that_live_in_the_links_change_nothing(object_info):
    extra = {"reroutes": [{"id": 1, "linkIds": [1]}], "linkExtensions": [{"id": 1, "parentId": 1}]}
    drawn = workflow(image(), preview(2, 1), links=[[1, 1, 0, 2, 0, "IMAGE"]], extra=extra)
    assert to_api(drawn, object_info)["2"]["inputs"] == {"images": ["1", 0]}


def test_a_primitive_writes_its_value_into_its_targets(object_info):
    links = [[1, 9, 0, 1, 0, "INT"], [2, 9, 0, 2, 0, "INT"]]
    sized = [
        node(number, "EmptyLatentImage", [64, 64, 1], [slot("width", "INT", number, widget=True)]) for number in (1, 2)
    ]
    graph = to_api(workflow(*sized, node(9, "PrimitiveNode", [832, "fixed"], outs=["INT"]), links=links), object_info)
    assert [one["inputs"]["width"] for one in graph.values()] == [832, 832]


def test_named_relays_lead_to_what_was_set(object_info):
    setter = node(2, "SetNode", ["picture"], [slot("IMAGE", "IMAGE", 1)], ["*"])
    getter = node(3, "GetNode", ["picture"], outs=["IMAGE"])
    links = [[1, 1, 0, 2, 0, "IMAGE"], [2, 3, 0, 4, 0, "IMAGE"]]
    graph = to_api(workflow(image(), setter, getter, preview(4, 2), links=links), object_info)
    assert graph["4"]["inputs"] == {"images": ["1", 0]}


def test_a_relay_that_nobody_set_gives_nothing(object_info):
    drawn = workflow(node(3, "GetNode", ["lost"], outs=["IMAGE"]), preview(4, 2), links=[[2, 3, 0, 4, 0, "IMAGE"]])
    assert to_api(drawn, object_info)["4"]["inputs"] == {}


@pytest.mark.parametrize("links", [[], [[1, 77, 0, 2, 0, "IMAGE"]]], ids=["no_such_link", "no_such_node"])
def test_a_link_that_leads_nowhere_is_none(links, object_info):
    assert to_api(workflow(preview(2, 1), links=links), object_info)["2"]["inputs"] == {}


def test_links_are_found_by_the_input_even_where_their_slot_number_is_old(object_info):
    sampler = node(2, "KSampler", [7, "fixed", 20, 8, "euler", "normal", 1], [slot("model", "MODEL", 1)])
    drawn = workflow(loader(), sampler, links=[[1, 1, 0, 2, 9, "MODEL"]])
    assert to_api(drawn, object_info)["2"]["inputs"]["model"] == ["1", 0]


def test_links_as_objects_are_read_at_the_root_too(object_info):
    link = {"id": 1, "origin_id": 1, "origin_slot": 0, "target_id": 2, "target_slot": 0, "type": "IMAGE"}
    drawn = workflow(image(), preview(2, 1), links=[link], version=1)
    assert to_api(drawn, object_info)["2"]["inputs"] == {"images": ["1", 0]}


@pytest.mark.parametrize(
    ("first", "second"),
    [(reroute(2, 2), reroute(3, 1)), (invert(2, 2, mode=BYPASSED), invert(3, 1, mode=BYPASSED))],
    ids=["reroutes", "bypassed"],
)
def test_links_in_a_circle_are_an_error_that_names_a_node(first, second, object_info):
    links = [[1, 2, 0, 3, 0, "IMAGE"], [2, 3, 0, 2, 0, "IMAGE"], [3, 3, 0, 4, 0, "IMAGE"]]
    with pytest.raises(ValidationFailed, match=r"Node 3 \(\w+\): its links run in a circle"):
        to_api(workflow(first, second, preview(4, 3), links=links), object_info)

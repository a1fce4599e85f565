"""Seeds of the fourteen kinds of graph: found, grouped, set at their origins and nowhere else, never negative."""

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from spoonkernel.comfy.graph import Input
from spoonkernel.comfy.seeds import DRAWN_MAX, resolve, resolve_random, seed_map, set_seeds
from spoonkernel.errors import ValidationFailed

RECORDINGS = Path(__file__).parents[2] / "recordings" / "comfyui"
TOP = 2**64 - 1
DRAW = random.Random(7).randint


@pytest.fixture(scope="module")
def info(object_info: dict[str, Any]) -> dict[str, Any]:
    custom = json.loads((RECORDINGS / "custom_nodes.json").read_text(encoding="utf-8"))["nodes"]
    return {**object_info, **custom}


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs, "_meta": {"title": class_type}}


def sampler(
    seed: Any, latent: Any = ("5", 0), denoise: float = 1, kind: str = "KSampler", **more: Any
) -> dict[str, Any]:
    pace = {"steps": 20, "cfg": 7, "sampler_name": "euler", "scheduler": "normal", "denoise": denoise}
    links = {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": list(latent)}
    return node(kind, seed=seed, **pace, **links, **more)


def staged(seed: int, latent: str, add_noise: str, start: int) -> dict[str, Any]:
    stage = {"add_noise": add_noise, "noise_seed": seed, "steps": 25, "start_at_step": start, "end_at_step": 10000}
    pace = {"cfg": 8, "sampler_name": "euler", "scheduler": "normal", "return_with_leftover_noise": "disable"}
    links = {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": [latent, 0]}
    return node("KSamplerAdvanced", **stage, **pace, **links)


def picture(last: str = "3", **nodes: Any) -> dict[str, Any]:
    """A whole text-to-image graph around samplers; `n3` is node 3."""
    return {
        "4": node("CheckpointLoaderSimple", ckpt_name="tiny.safetensors"),
        "5": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "6": node("CLIPTextEncode", text="a fox", clip=["4", 1]),
        "7": node("CLIPTextEncode", text="blurry", clip=["4", 1]),
        **{name.removeprefix("n").replace("_", ":"): one for name, one in nodes.items()},
        "8": node("VAEDecode", samples=[last, 0], vae=["4", 2]),
        "9": node("SaveImage", filename_prefix="s", images=["8", 0]),
    }


FLUX = picture(
    "13",
    n13=node(
        "SamplerCustomAdvanced",
        noise=["25", 0],
        guider=["22", 0],
        sampler=["16", 0],
        sigmas=["17", 0],
        latent_image=["5", 0],
    ),
    n25=node("RandomNoise", noise_seed=11),
    n22=node("BasicGuider", model=["4", 0], conditioning=["6", 0]),
    n16=node("KSamplerSelect", sampler_name="euler"),
    n17=node("BasicScheduler", scheduler="simple", steps=20, denoise=1, model=["4", 0]),
)
HIRES = picture("11", n11=sampler(5, ("10", 0), 0.5), n10=node("LatentUpscale", samples=["3", 0]), n3=sampler(4))
GRAPHS: dict[str, dict[str, Any]] = {
    "ksampler": picture(n3=sampler(8)),
    "base and refiner": picture("11", n10=staged(70, "5", "enable", 0), n11=staged(0, "10", "disable", 20)),
    "flux": FLUX,
    "hires fix": HIRES,
    "primitive": picture(
        "11", n3=sampler(["20", 0]), n11=sampler(["20", 0], ("3", 0), 0.5), n20=node("PrimitiveInt", value=3)
    ),
    "core seed node": picture(n3=sampler(["20", 0]), n20=node("SeedNode", seed=TOP)),
    "rgthree": picture(
        n3=sampler(["21", 0]), n21=node("Reroute (any)", any=["20", 0]), n20=node("Seed (rgthree)", seed=-1)
    ),
    "efficient": picture(n3=sampler(8, kind="KSampler (Efficient)")),
    "api": {
        "1": node("VeoVideoGenerationNode", prompt="a fox", seed=9),
        "2": node("SaveVideo", filename_prefix="v", format="auto", codec="auto", video=["1", 0]),
    },
    "subgraph ids": picture("12:3", n12_3=sampler(["12:20", 0]), n12_20=node("PrimitiveInt", value=6)),
    "unreachable": picture(n3=sampler(8), n30=sampler(-1)),
    "no seed": {
        "1": node("EmptyImage", width=8, height=8, batch_size=1, color=0),
        "2": node("PreviewImage", images=["1", 0]),
    },
    "largest": picture(n3=sampler(TOP)),
}
"""Thirteen; the fourteenth, the page's own format, is recorded."""

GROUPS: dict[str, list[tuple[str, Any, list[str], int, bool]]] = {
    # origin, value, consumers, maximum, primary
    "ksampler": [("3.seed", 8, ["3.seed"], TOP, True)],
    "base and refiner": [
        ("10.noise_seed", 70, ["10.noise_seed"], TOP, True),
        ("11.noise_seed", 0, ["11.noise_seed"], TOP, False),
    ],
    "flux": [("25.noise_seed", 11, ["25.noise_seed"], TOP, True)],
    "hires fix": [("11.seed", 5, ["11.seed"], TOP, False), ("3.seed", 4, ["3.seed"], TOP, True)],
    "primitive": [("20.value", 3, ["3.seed", "11.seed"], 2**63 - 1, True)],
    "core seed node": [("20.seed", TOP, ["3.seed"], TOP, True)],
    "rgthree": [("20.seed", -1, ["3.seed"], 2**50, True)],
    "efficient": [("3.seed", 8, ["3.seed"], TOP, True)],
    "api": [("1.seed", 9, ["1.seed"], 2**32 - 1, True)],
    "subgraph ids": [("12:20.value", 6, ["12:3.seed"], 2**63 - 1, True)],
    "unreachable": [("3.seed", 8, ["3.seed"], TOP, True)],
    "no seed": [],
    "largest": [("3.seed", TOP, ["3.seed"], TOP, True)],
}


def address(where: Input) -> str:
    return f"{where.node_id}.{where.field}"


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Every input that differs, by address; anything else that differs fails."""
    assert list(before) == list(after)
    found = {}
    for node_id, old in before.items():
        new = after[node_id]
        assert {k: v for k, v in old.items() if k != "inputs"} == {k: v for k, v in new.items() if k != "inputs"}
        assert list(old["inputs"]) == list(new["inputs"])
        found |= {
            f"{node_id}.{name}": new["inputs"][name]
            for name, one in old["inputs"].items()
            if one != new["inputs"][name]
        }
    return found


@pytest.mark.parametrize("name", GRAPHS)
def test_seeds_are_grouped_by_where_they_are_set(name: str, info: dict[str, Any]) -> None:
    found = seed_map(GRAPHS[name], info)
    assert [
        (address(one.origin), one.value, [address(where) for where in one.consumers], one.maximum, one.is_primary)
        for one in found.groups
    ] == GROUPS[name]
    assert all(one.settable and one.minimum == 0 for one in found.groups)


@pytest.mark.parametrize("name", GRAPHS)
def test_a_seed_is_set_at_the_origins_and_nowhere_else(name: str, info: dict[str, Any]) -> None:
    graph = GRAPHS[name]
    kept = json.dumps(graph)
    after = set_seeds(graph, seed_map(graph, info), 4242)
    assert changed(graph, after) == {origin: 4242 for origin, *_ in GROUPS[name]}
    assert json.dumps(graph) == kept


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("mode", ["same", "offset", "primary", "keep"])
def test_no_mode_leaves_a_negative_seed(name: str, mode: Any, info: dict[str, Any]) -> None:
    after = set_seeds(GRAPHS[name], seed_map(GRAPHS[name], info), 4242, mode)
    assert all(one.value is None or one.value >= 0 for one in seed_map(after, info).groups)


@pytest.mark.parametrize("name", GRAPHS)
def test_the_names_are_enough_where_no_server_answers(name: str) -> None:
    found = seed_map(GRAPHS[name], None)
    wanted = [group[:3] for group in GROUPS[name]]
    if name == "unreachable":  # nobody can tell that a sampler which nobody reads is no output
        wanted.append(("30.seed", -1, ["30.seed"]))
    assert [(address(one.origin), one.value, [address(w) for w in one.consumers]) for one in found.groups] == wanted


def test_the_page_s_own_format_has_the_seeds_of_the_graph_it_sends(info: dict[str, Any]) -> None:
    pair = RECORDINGS / "workflow-pairs" / "flux_canny_model_example"
    ui, api = (json.loads(pair.with_suffix(end).read_text(encoding="utf-8")) for end in (".ui.json", ".api.json"))
    found = seed_map(ui, info)
    assert [(address(one.origin), one.value) for one in found.groups] == [("3.seed", 1125476660951871)]
    after = set_seeds(ui, found, 5, object_info=info)
    assert after["3"]["inputs"] == {**api["3"]["inputs"], "seed": 5}


def test_offsets_follow_the_order_of_values_and_keep_equal_ones_equal(info: dict[str, Any]) -> None:
    graph = picture("12", n3=sampler(4), n11=sampler(9, ("3", 0), 0.5), n12=sampler(4, ("11", 0), 0.4))
    after = set_seeds(graph, seed_map(graph, info), 100, "offset")
    assert [after[one]["inputs"]["seed"] for one in ("3", "11", "12")] == [100, 101, 100]


def test_offsets_wrap_into_the_range_of_each_input(info: dict[str, Any]) -> None:
    found = seed_map(HIRES, info)
    after = set_seeds(HIRES, found, TOP, "offset")
    assert after["3"]["inputs"]["seed"] == TOP
    assert after["11"]["inputs"]["seed"] == 0


def test_primary_leaves_the_second_pass_alone(info: dict[str, Any]) -> None:
    assert changed(HIRES, set_seeds(HIRES, seed_map(HIRES, info), 6, "primary")) == {"3.seed": 6}
    assert changed(HIRES, set_seeds(HIRES, seed_map(HIRES, info), 6, "keep")) == {}


def test_a_seed_out_of_range_names_node_field_and_range(info: dict[str, Any]) -> None:
    graph = GRAPHS["api"]
    with pytest.raises(
        ValidationFailed, match=r"VeoVideoGenerationNode \(node 1\), seed: 4294967296 .* 0 to 4294967295"
    ):
        set_seeds(graph, seed_map(graph, info), 2**32)


@pytest.mark.parametrize("bad", ["twelve", 1.5, True, "1e3"])
def test_what_is_no_whole_number_is_refused(bad: Any, info: dict[str, Any]) -> None:
    with pytest.raises(ValidationFailed, match="whole number"):
        set_seeds(HIRES, seed_map(HIRES, info), bad)


def test_large_seeds_may_come_as_digits(info: dict[str, Any]) -> None:
    graph = GRAPHS["ksampler"]
    assert set_seeds(graph, seed_map(graph, info), str(TOP))["3"]["inputs"]["seed"] == TOP
    as_text = picture(n3=sampler("18446744073709551615"))
    assert seed_map(as_text, info).groups[0].value == TOP


def test_minus_one_is_never_set(info: dict[str, Any]) -> None:
    with pytest.raises(ValidationFailed, match="draw one"):
        set_seeds(HIRES, seed_map(HIRES, info), -1)


@pytest.mark.parametrize("stored", [-1, -2, -3])
def test_seeds_that_only_the_page_draws_are_drawn_here(stored: int, info: dict[str, Any]) -> None:
    graph = picture(n3=sampler(["20", 0]), n20=node("Seed (rgthree)", seed=stored))
    after, drawn = resolve_random(graph, seed_map(graph, info), DRAW)
    assert list(drawn) == [Input("20", "seed")]
    assert changed(graph, after) == {"20.seed": drawn[Input("20", "seed")]}
    assert 0 <= drawn[Input("20", "seed")] <= DRAWN_MAX
    assert resolve_random(HIRES, seed_map(HIRES, info), DRAW) == (HIRES, {})


def test_a_drawn_seed_fits_what_asks_for_it() -> None:
    assert all(0 <= resolve(seed, 3, DRAW) <= 3 for seed in (None, -1, "-1") for _ in range(20))
    assert resolve(-1, TOP, lambda low, high: high) == DRAWN_MAX
    assert (resolve(0, 3, DRAW), resolve("18446744073709551615", TOP, DRAW)) == (0, TOP)


def test_a_computed_seed_is_reported_and_left(info: dict[str, Any]) -> None:
    graph = picture(n3=sampler(["20", 0]), n20=node("IntMultiply", a=["21", 0], b=3), n21=node("PrimitiveInt", value=2))
    found = seed_map(graph, info)
    assert [(address(one.origin), one.settable) for one in found.groups] == [("3.seed", False)]
    assert "computed by another node" in found.warnings[0]
    assert set_seeds(graph, found, 9) == graph


def test_a_primitive_that_feeds_no_seed_is_none(info: dict[str, Any]) -> None:
    graph = picture(
        n3={**sampler(1), "inputs": {**sampler(1)["inputs"], "steps": ["20", 0]}}, n20=node("PrimitiveInt", value=9)
    )
    assert [address(one.origin) for one in seed_map(graph, info).groups] == ["3.seed"]


def test_what_undermines_a_seed_is_said(info: dict[str, Any]) -> None:
    said = {name: " ".join(seed_map(graph, info).warnings) for name, graph in GRAPHS.items()}
    assert "add_noise is off" in said["base and refiner"]
    assert "-1 is drawn by the page only" in said["rgthree"]
    assert said["ksampler"] == said["hires fix"] == ""
    spoilt = {**HIRES, "40": node("GlobalSeed //Inspire", value=5, mode=True, action="fixed", last_seed="")}
    found = seed_map(spoilt, info)
    assert Input("40", "value") in {one.origin for one in found.groups}
    assert all("node 40 sets the seeds" in one.warnings[0] for one in found.groups if one.origin.node_id != "40")


def test_a_depth_pass_without_noise_is_not_primary(info: dict[str, Any]) -> None:
    graph = json.loads((RECORDINGS / "workflow-pairs" / "flux_depth_lora_example.api.json").read_text(encoding="utf-8"))
    found = seed_map(graph, info).primary
    assert found is not None
    assert address(found.origin) == "150:3.seed"


def test_numbers_that_the_page_counts_up_are_no_seeds(info: dict[str, Any]) -> None:
    options = {"min": 0, "max": 99, "control_after_generate": True}
    batch = {"input": {"required": {"index": ["INT", options], "variant": ["INT", options]}}, "output": ["IMAGE"]}
    graph = {"1": node("LoadFromFolder", index=4, variant=2), "2": node("PreviewImage", images=["1", 0])}
    found = seed_map(graph, {**info, "LoadFromFolder": batch})
    assert [address(one.origin) for one in found.groups] == ["1.variant"]


def test_seeds_that_share_no_value_are_not_settable(info: dict[str, Any]) -> None:
    narrow = {"input": {"required": {"seed": ["INT", {"min": 0, "max": 10}], "model": ["MODEL"]}}, "output": ["IMAGE"]}
    wide = {"input": {"required": {"seed": ["INT", {"min": 50, "max": 90}], "model": ["MODEL"]}}, "output": ["IMAGE"]}
    graph = {
        "1": node("Narrow", seed=["3", 0]),
        "2": node("Wide", seed=["3", 0]),
        "3": node("PrimitiveInt", value=5),
        **{str(n + 3): node("PreviewImage", images=[str(n), 0]) for n in (1, 2)},
    }
    found = seed_map(graph, {**info, "Narrow": narrow, "Wide": wide})
    assert [one.settable for one in found.groups] == [False]
    assert "accept no common value" in found.warnings[0]

"""Which text reaches which side of a sampler: on the recorded workflows, and on graphs built to mislead."""

import json
from pathlib import Path
from typing import Any

import pytest

from spoonkernel.comfy.prompts import PromptRoles, prompt_roles, side_of

RECORDINGS = Path(__file__).parents[2] / "recordings" / "comfyui"
PAIRS = RECORDINGS / "workflow-pairs"
EXPECTED: dict[str, Any] = json.loads((RECORDINGS / "prompt_roles.json").read_text(encoding="utf-8"))
"""Read off the 70 graphs: for each sampler the inputs it hears, with the beginning of the text that stands there."""


@pytest.fixture(scope="module")
def info(object_info: dict[str, Any]) -> dict[str, Any]:
    custom = json.loads((RECORDINGS / "custom_nodes.json").read_text(encoding="utf-8"))["nodes"]
    return {**object_info, **custom}


def load(name: str, end: str = ".api.json") -> dict[str, Any]:
    graph: dict[str, Any] = json.loads((PAIRS / f"{name}{end}").read_text(encoding="utf-8"))
    return graph


def addresses(inputs: Any) -> list[str]:
    return [f"{node_id}.{field}" for node_id, field in inputs]


def heard(roles: PromptRoles, graph: dict[str, Any]) -> dict[str, Any]:
    def texts(inputs: Any) -> dict[str, str]:
        return {f"{one}.{field}": graph[one]["inputs"][field][:24] for one, field in inputs}

    return {one.node_id: {"positive": texts(one.positive), "negative": texts(one.negative)} for one in roles.samplers}


def node(class_type: str, *, called: str | None = None, **inputs: Any) -> dict[str, Any]:
    links = {
        name: [value, 0] if isinstance(value, str) and value.startswith("@") else value
        for name, value in inputs.items()
    }
    links = {name: [value[0][1:], value[1]] if isinstance(value, list) else value for name, value in links.items()}
    return {"class_type": class_type, "inputs": links, "_meta": {"title": called or class_type}}  # fmt: skip


def graph(positive: Any, negative: Any, **nodes: Any) -> dict[str, Any]:
    """A sampler `s` with these two links (`@node`, or `[@node, slot]`), texts `p` and `n`, and further nodes."""
    return {
        "ckpt": node("CheckpointLoaderSimple", ckpt_name="tiny.safetensors"),
        "latent": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "p": node("CLIPTextEncode", text="a fox", clip=["@ckpt", 1]),
        "n": node("CLIPTextEncode", text="blurry", clip=["@ckpt", 1]),
        **nodes,
        "s": node(
            "KSampler",
            model="@ckpt",
            seed=1,
            steps=2,
            cfg=7,
            sampler_name="euler",
            scheduler="normal",
            denoise=1,
            latent_image="@latent",
            positive=positive,
            negative=negative,
        ),
        "decoded": node("VAEDecode", samples="@s", vae=["@ckpt", 2]),
        "saved": node("SaveImage", images="@decoded", filename_prefix="x"),
    }


def sides(found: PromptRoles) -> tuple[list[str], list[str]]:
    return addresses(found.write_positive), addresses(found.write_negative)


def test_every_recorded_workflow_has_an_expectation() -> None:
    assert sorted(EXPECTED) == sorted(path.name.removesuffix(".api.json") for path in PAIRS.glob("*.api.json"))
    assert len(EXPECTED) == 70


@pytest.mark.parametrize("name", EXPECTED)
def test_recorded_workflows(name: str, info: dict[str, Any]) -> None:
    recorded = load(name)
    found = prompt_roles(recorded, info)
    assert heard(found, recorded) == EXPECTED[name]["samplers"]
    assert addresses(found.write_positive) == EXPECTED[name]["write_positive"]
    assert addresses(found.write_negative) == EXPECTED[name]["write_negative"]
    assert found.shared == ()


@pytest.mark.parametrize("name", EXPECTED)
def test_samplers_that_run_hear_the_same_where_no_server_tells_types(name: str) -> None:
    recorded = load(name)
    found = heard(prompt_roles(recorded, None), recorded)
    assert {key: found.get(key) for key in EXPECTED[name]["samplers"]} == EXPECTED[name]["samplers"]


@pytest.mark.parametrize("name", ["image_netayume_lumina_t2i", "text_to_video_wan", "flux_depth_lora_example"])
def test_the_page_s_own_format_reads_the_same(name: str, info: dict[str, Any]) -> None:
    found = prompt_roles(load(name, ".ui.json"), info)
    assert sides(found) == (EXPECTED[name]["write_positive"], EXPECTED[name]["write_negative"])


def test_control_net_keeps_the_sides_apart_even_when_they_are_crossed(info: dict[str, Any]) -> None:
    control = node("ControlNetApplyAdvanced", positive="@p", negative="@n", strength=1, start_percent=0, end_percent=1)
    assert sides(prompt_roles(graph("@c", ["@c", 1], c=control), info)) == (["p.text"], ["n.text"])
    assert sides(prompt_roles(graph(["@c", 1], "@c", c=control), info)) == (["n.text"], ["p.text"])


def test_two_control_nets_without_a_server(info: dict[str, Any]) -> None:
    first = node("ControlNetApplyAdvanced", positive="@p", negative="@n", strength=1)
    second = node("ControlNetApplyAdvanced", positive="@c1", negative=["@c1", 1], strength=1)
    assert sides(prompt_roles(graph("@c2", ["@c2", 1], c1=first, c2=second), None)) == (["p.text"], ["n.text"])


@pytest.mark.parametrize("kind", ["ConditioningCombine", "ConditioningConcat"])
def test_combined_conditioning_is_heard_whole(kind: str, info: dict[str, Any]) -> None:
    names = (
        ("conditioning_1", "conditioning_2") if kind.endswith("Combine") else ("conditioning_to", "conditioning_from")
    )
    more = node("CLIPTextEncode", text="in snow", clip=["@ckpt", 1])
    area = node("ConditioningSetArea", conditioning="@more", width=8, height=8, x=0, y=0, strength=1)
    both = node(kind, **dict(zip(names, ("@p", "@area"), strict=True)))
    found = prompt_roles(graph("@both", "@n", more=more, area=area, both=both), info)
    assert addresses(found.positive) == ["p.text", "more.text"]
    assert addresses(found.negative) == ["n.text"]


def test_both_texts_of_an_sdxl_encoder_get_the_prompt_once(info: dict[str, Any]) -> None:
    text = node("PrimitiveStringMultiline", value="a fox")
    encoder = node("CLIPTextEncodeSDXL", text_g="@text", text_l="@text", clip=["@ckpt", 1], width=64, height=64)
    assert sides(prompt_roles(graph("@e", "@n", text=text, e=encoder), info)) == (["text.value"], ["n.text"])
    own = node("CLIPTextEncodeSDXL", text_g="a fox", text_l="a fox", clip=["@ckpt", 1], width=64, height=64)
    assert sides(prompt_roles(graph("@e", "@n", e=own), info))[0] == ["e.text_g", "e.text_l"]


def test_a_zeroed_negative_is_no_negative_prompt(info: dict[str, Any]) -> None:
    found = prompt_roles(graph("@p", "@z", z=node("ConditioningZeroOut", conditioning="@p")), info)
    assert sides(found) == (["p.text"], [])
    assert found.shared == ()


def test_text_that_both_sides_hear_is_the_prompt_and_never_the_negative(info: dict[str, Any]) -> None:
    found = prompt_roles(graph("@p", "@p"), info)
    assert addresses(found.shared) == ["p.text"]
    assert sides(found) == (["p.text"], [])
    common = node("PrimitiveString", value="photo of")
    positive = node("StringConcatenate", string_a="@common", string_b="a fox", delimiter=" ")
    negative = node("StringConcatenate", string_a="@common", string_b="blur", delimiter=" ")
    joined = graph("@p", "@n", common=common, jp=positive, jn=negative)
    joined["p"]["inputs"]["text"], joined["n"]["inputs"]["text"] = ["jp", 0], ["jn", 0]
    found = prompt_roles(joined, info)
    assert addresses(found.shared) == ["common.value"]
    assert "common.value" not in sides(found)[1]


def test_text_of_its_own_is_written_before_text_that_is_shared(info: dict[str, Any]) -> None:
    common = node("PrimitiveString", value="photo")
    encoder = node("CLIPTextEncodeSDXL", text_g="@common", text_l="a fox", clip=["@ckpt", 1], width=64, height=64)
    nodes = graph("@e", "@n", common=common, e=encoder)
    nodes["n"]["inputs"]["text"] = ["common", 0]
    found = prompt_roles(nodes, info)
    assert addresses(found.shared) == ["common.value"]
    assert sides(found) == (["e.text_l"], [])


def test_a_guider_and_its_guidance(info: dict[str, Any]) -> None:
    nodes = graph("@p", "@n", fg=node("FluxGuidance", guidance=3.5, conditioning="@p"))
    nodes["g"] = node("CFGGuider", model="@ckpt", positive="@fg", negative="@n", cfg=1)
    nodes["noise"] = node("RandomNoise", noise_seed=1)
    nodes["s"] = node(
        "SamplerCustomAdvanced", noise="@noise", guider="@g", sampler="@k", sigmas="@b", latent_image="@latent"
    )
    nodes["k"] = node("KSamplerSelect", sampler_name="euler")
    nodes["b"] = node("BasicScheduler", model="@ckpt", steps=4, scheduler="simple", denoise=1)
    assert sides(prompt_roles(nodes, info)) == (["p.text"], ["n.text"])
    empty = node("CLIPTextEncode", text="", clip=["@ckpt", 1])
    perp = node(
        "PerpNegGuider", model="@ckpt", positive="@fg", negative="@n", empty_conditioning="@e", cfg=7, neg_scale=1
    )
    found = prompt_roles({**nodes, "g": perp, "e": empty}, info)
    assert sides(found) == (["p.text"], ["n.text"])
    assert "e.text" not in addresses(found.positive + found.negative)


def test_reroutes_of_conditioning_and_of_text(info: dict[str, Any]) -> None:
    nodes = graph("@r", "@n", r=node("Reroute (any)", any="@p"), t=node("PrimitiveString", value="a fox"))
    nodes["q"] = node("Reroute (any)", any="@t")
    nodes["p"]["inputs"]["text"] = ["q", 0]
    assert sides(prompt_roles(nodes, info)) == (["t.value"], ["n.text"])
    assert sides(prompt_roles(nodes, None)) == (["t.value"], ["n.text"])


def test_one_node_with_both_texts(info: dict[str, Any]) -> None:
    loader = node(
        "Efficient Loader",
        ckpt_name="a.safetensors",
        vae_name="Baked VAE",
        clip_skip=-1,
        lora_name="None",
        positive="a fox",
        negative="blurry",
        empty_latent_width=64,
        empty_latent_height=64,
        batch_size=1,
    )
    found = prompt_roles(graph(["@l", 1], ["@l", 2], l=loader), info)
    assert sides(found) == (["l.positive"], ["l.negative"])


def test_a_styler_writes_two_texts(info: dict[str, Any]) -> None:
    nodes = graph("@p", "@n", st=node("SDXLPromptStyler", text_positive="a fox", text_negative="blurry", style="base"))
    nodes["p"]["inputs"]["text"], nodes["n"]["inputs"]["text"] = ["st", 0], ["st", 1]
    assert sides(prompt_roles(nodes, info)) == (["st.text_positive"], ["st.text_negative"])


def test_pipes_carry_both_sides(info: dict[str, Any]) -> None:
    nodes = graph(
        "@p", "@n", pipe=node("ToBasicPipe", model="@ckpt", clip="@ckpt", vae="@ckpt", positive="@p", negative="@n")
    )
    nodes["s"] = node("ImpactKSamplerBasicPipe", basic_pipe="@pipe", seed=1, steps=2, latent_image="@latent")
    nodes["decoded"] = node("VAEDecode", samples=["@s", 1], vae=["@ckpt", 2])
    assert sides(prompt_roles(nodes, info)) == (["p.text"], ["n.text"])


def test_wrappers_with_their_own_types(info: dict[str, Any]) -> None:
    nodes = {
        "t": node("WanVideoTextEncode", positive_prompt="a fox", negative_prompt="blurry"),
        "e": node("WanVideoEmptyEmbeds", width=64, height=64, num_frames=5),
        "s": node("WanVideoSampler", text_embeds="@t", image_embeds="@e", steps=3, cfg=6, seed=1),
        "o": node("SaveLatent", samples="@s", filename_prefix="x"),
    }
    for known in (info, None):
        assert sides(prompt_roles(nodes, known)) == (["t.positive_prompt"], ["t.negative_prompt"])


def test_a_captioner_s_instruction_is_no_prompt(info: dict[str, Any]) -> None:
    nodes = graph(
        "@p", "@n", im=node("LoadImage", image="a.png"), cap=node("Florence2Run", image="@im", text_input="", seed=1)
    )
    nodes["p"]["inputs"]["text"] = ["cap", 0]
    assert sides(prompt_roles(nodes, info)) == ([], ["n.text"])


def test_a_prompt_goes_to_the_part_that_reads_like_one(info: dict[str, Any]) -> None:
    nodes = graph(
        "@p", "@n", sys=node("PrimitiveString", value="You are an artist."), sub=node("PrimitiveString", value="fox")
    )
    nodes["j"] = node("StringConcatenate", string_a="@sys", string_b="@sub", delimiter=" ")
    nodes["p"]["inputs"]["text"] = ["j", 0]
    found = prompt_roles(nodes, info)
    assert addresses(found.positive) == ["sys.value", "sub.value"]
    assert sides(found)[0] == ["sub.value"]
    nodes["sys"]["inputs"]["value"] = "a fox"
    nodes["sub"]["_meta"]["title"] = "Style"
    assert sides(prompt_roles(nodes, info))[0] == ["sys.value"]


def test_regional_text_beside_a_prompt_is_heard_and_kept(info: dict[str, Any]) -> None:
    region = node(
        "GLIGENTextBoxApply", conditioning_to="@p", clip=["@ckpt", 1], text="a hat", width=8, height=8, x=0, y=0
    )
    found = prompt_roles(graph("@box", "@n", box=region), info)
    assert addresses(found.positive) == ["p.text", "box.text"]
    assert sides(found)[0] == ["p.text"]


def test_a_circle_of_links_ends(info: dict[str, Any]) -> None:
    a, b = node("FluxGuidance", guidance=1, conditioning="@b"), node("FluxGuidance", guidance=1, conditioning="@a")
    assert sides(prompt_roles(graph("@a", "@n", a=a, b=b), info)) == ([], ["n.text"])


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("positive", "positive"),
        ("pos_cond", "positive"),
        ("CONDITIONING+", "positive"),
        ("CONDITIONING-", "negative"),
        ("negative_img_text", "negative"),
        ("text_negative", "negative"),
        ("uncond", "negative"),
        ("conditioning", None),
        ("text", None),
        ("denegation", None),
    ],
)
def test_sides_by_name(name: str, side: str | None) -> None:
    assert side_of(name) == side

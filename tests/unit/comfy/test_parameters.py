"""Parameters of a graph: found and labelled, filled by name and by address, and read back."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from spoonkernel.comfy.graph import Input
from spoonkernel.comfy.parameters import Parameter, extract, fill, plan, read_values
from spoonkernel.errors import ValidationFailed

RECORDINGS = Path(__file__).parents[2] / "recordings" / "comfyui"
PAIRS = RECORDINGS / "workflow-pairs"
NAMES = sorted(path.name.removesuffix(".api.json") for path in PAIRS.glob("*.api.json"))
BIG = 2**64 - 1


def load(name: str, end: str = ".api.json") -> dict[str, Any]:
    graph: dict[str, Any] = json.loads((PAIRS / f"{name}{end}").read_text(encoding="utf-8"))
    return graph


def node(class_type: str, title: str | None = None, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs, "_meta": {"title": title or class_type}}


def txt2img(**more: Any) -> dict[str, Any]:
    return {
        "3": node("KSampler", seed=8, steps=20, cfg=7.0, sampler_name="euler", scheduler="normal", denoise=1.0,
                  model=["4", 0], positive=["6", 0], negative=["7", 0], latent_image=["5", 0]),
        "4": node("CheckpointLoaderSimple", ckpt_name="tiny_sd15.safetensors"),
        "5": node("EmptyLatentImage", width=512, height=512, batch_size=1),
        "6": node("CLIPTextEncode", text="a fox", clip=["4", 1]),
        "7": node("CLIPTextEncode", text="blurry", clip=["4", 1]),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", filename_prefix="ComfyUI", images=["8", 0]),
        **more,
    }  # fmt: skip


def hires(**second: Any) -> dict[str, Any]:
    """A second pass over the first one's latent."""
    first = txt2img()
    again = {**first["3"]["inputs"], "latent_image": ["10", 0], "denoise": 0.5, **second}
    first["10"] = node(
        "LatentUpscale", samples=["3", 0], upscale_method="area", width=1024, height=1024, crop="disabled"
    )
    first["11"] = node("KSampler", "Second pass", **again)
    first["8"]["inputs"]["samples"] = ["11", 0]
    return first


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Every input that differs, by address; anything else that differs fails."""
    assert list(before) == list(after)
    found = {}
    for node_id, old in before.items():
        new = after[node_id]
        assert {key: value for key, value in new.items() if key != "inputs"} == {
            key: value for key, value in old.items() if key != "inputs"
        }
        assert list(new["inputs"]) == list(old["inputs"])
        found |= {f"{node_id}.{key}": value for key, value in new["inputs"].items() if value != old["inputs"][key]}
    return found


@pytest.mark.parametrize("name", NAMES)
def test_nothing_given_changes_nothing(name: str, object_info: dict[str, Any]) -> None:
    graph = load(name)
    assert fill(graph, {}, object_info) == graph
    assert fill(graph, {"prompt": None, "seed": None}, object_info) == graph


@pytest.mark.parametrize("name", NAMES)
def test_every_role_changes_only_the_inputs_it_names(name: str, object_info: dict[str, Any]) -> None:
    graph = load(name)
    kept = json.dumps(graph)
    values = {
        "seed": 77, "steps": 3, "cfg_scale": 1, "width": 1024, "height": 1152, "batch_size": 2, "denoise": 0.5,
        "sampler_name": "heun", "scheduler": "beta", "filename_prefix": "mine/x",
    }  # fmt: skip
    done = plan(graph, values, object_info)
    assert set(done.written) | set(done.ignored) == set(values)
    named = {f"{one}.{field}" for found in done.written.values() for one, field in found}
    assert set(changed(graph, done.graph)) <= named
    assert {done.graph[w.node_id]["inputs"][w.field] for w in done.written.get("width", ())} <= {1024}
    assert json.dumps(graph) == kept


@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_is_written_where_it_is_heard_and_read_back(name: str, object_info: dict[str, Any]) -> None:
    graph = load(name)
    expected = json.loads((RECORDINGS / "prompt_roles.json").read_text(encoding="utf-8"))[name]
    for key, where in (("prompt_text", "write_positive"), ("negative_prompt", "write_negative")):
        if expected[where]:
            filled = fill(graph, {key: "a lighthouse"}, object_info)
            assert changed(graph, filled) == dict.fromkeys(expected[where], "a lighthouse")
            assert read_values(filled, object_info)[key] == "a lighthouse"
        else:
            with pytest.raises(ValidationFailed, match="no text input of this workflow"):
                fill(graph, {key: "a lighthouse"}, object_info)
            assert plan(graph, {key: " "}, object_info).ignored == (key,)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_extracted_can_be_filled_in_again_by_address(name: str, object_info: dict[str, Any]) -> None:
    graph = load(name)
    found = extract(graph, object_info)
    assert len({(one.node_id, one.field) for one in found}) == len(found)
    assert len({one.label for one in found}) == len(found)
    for one in found:
        assert graph[one.node_id]["inputs"][one.field] == one.value
        if one.type == "string":
            values = {f"{one.node_id}.{one.field}": "changed"}
            assert changed(graph, fill(graph, values, object_info)) == {f"{one.node_id}.{one.field}": "changed"}


def test_parameters_as_the_reference_prints_them(object_info: dict[str, Any]) -> None:
    wire = {(one["nodeId"], one["field"]): one for one in (p.to_wire() for p in extract(txt2img(), object_info))}
    assert wire["3", "seed"] == {
        "nodeId": "3", "field": "seed", "type": "seed", "value": 8, "label": "Seed", "min": 0, "max": str(BIG),
        "role": "seed", "node": "KSampler", "integer": True,
    }  # fmt: skip
    assert wire["3", "steps"] == {
        "nodeId": "3", "field": "steps", "type": "number", "value": 20, "label": "Steps", "min": 1, "max": 10000,
        "role": "steps", "node": "KSampler", "integer": True,
    }  # fmt: skip
    sampler = wire["3", "sampler_name"]
    assert (sampler["type"], sampler["role"]) == ("choice", "sampler_name")
    assert "dpmpp_2m" in sampler["options"]
    assert wire["3", "cfg"]["step"] == 0.1
    assert [(wire[n, "text"]["label"], wire[n, "text"]["role"]) for n in "67"] == [
        ("Prompt", "prompt"), ("Negative prompt", "negative_prompt"),
    ]  # fmt: skip
    assert [wire["5", field]["role"] for field in ("width", "height", "batch_size")] == [
        "width",
        "height",
        "batch_size",
    ]
    assert wire["4", "ckpt_name"]["role"] == "checkpoint_name"
    assert wire["9", "filename_prefix"]["type"] == "string"


def test_what_a_form_shows_beside_the_limits_is_told_as_the_server_tells_it() -> None:
    told = {
        "strength": ["FLOAT", {"min": 0.0, "max": 2.0, "display": "slider", "tooltip": "How much of it"}],
        "text": ["STRING", {"multiline": True}],
        "tiled": ["BOOLEAN", {"default": False, "label_on": "in tiles", "label_off": "whole"}],
        "plain": ["BOOLEAN", {"default": False, "tooltip": ["not", "text"]}],
    }
    info = {"Mine": {"input": {"required": told}, "output": [], "output_node": True, "display_name": "My node"}}
    inputs = {"strength": 1.0, "text": "a", "tiled": True, "plain": False}
    graph = {"1": {"class_type": "Mine", "inputs": inputs}, "2": {"class_type": "Mine", "inputs": inputs}}
    graph["2"]["_meta"] = {"title": "Second"}
    wire = {(one["nodeId"], one["field"]): one for one in (p.to_wire() for p in extract(graph, info))}
    assert (wire["1", "strength"]["display"], wire["1", "strength"]["tooltip"]) == ("slider", "How much of it")
    assert wire["1", "text"]["multiline"] is True
    assert wire["1", "tiled"]["labels"] == ["whole", "in tiles"]
    assert not {"labels", "tooltip", "integer", "multiline"} & set(wire["1", "plain"])
    assert (wire["1", "text"]["node"], wire["2", "text"]["node"]) == ("My node", "Second")


def test_large_seeds_travel_as_strings() -> None:
    seed = Parameter("3", "seed", "seed", BIG, "Seed", 0, BIG)
    assert (seed.to_wire()["value"], seed.to_wire()["max"], seed.to_wire()["min"]) == (str(BIG), str(BIG), 0)
    assert Parameter("3", "seed", "seed", 2**53 - 1, "Seed").to_wire()["value"] == 2**53 - 1


def test_a_linked_value_appears_where_it_is_set(object_info: dict[str, Any]) -> None:
    graph = txt2img(**{"20": node("PrimitiveInt", "How many steps", value=20)})
    graph["3"]["inputs"]["steps"] = ["20", 0]
    found = {(one.node_id, one.field): one for one in extract(graph, object_info)}
    assert ("3", "steps") not in found
    steps = found["20", "value"]
    assert (steps.role, steps.label, steps.min, steps.max) == ("steps", "How many steps", 1, 10000)
    assert changed(graph, fill(graph, {"steps": 5}, object_info)) == {"20.value": 5}
    assert changed(graph, fill(graph, {"3.steps": 6}, object_info)) == {"20.value": 6}
    with pytest.raises(ValidationFailed, match=r"How many steps \(node 20\), value: 20000 .* 1 to 10000"):
        fill(graph, {"3.steps": 20000}, object_info)


def test_labels_name_the_node_where_fields_are_shared(object_info: dict[str, Any]) -> None:
    labels = {(one.node_id, one.field): one.label for one in extract(hires(), object_info)}
    assert (labels["3", "steps"], labels["11", "steps"]) == ("KSampler: Steps", "Second pass: Steps")
    same = hires()
    same["11"]["_meta"]["title"] = "KSampler"
    labels = {(one.node_id, one.field): one.label for one in extract(same, object_info)}
    assert (labels["3", "cfg"], labels["11", "cfg"]) == ("KSampler: Cfg (3)", "KSampler: Cfg (11)")


def test_only_what_runs_and_what_is_typed_in(object_info: dict[str, Any]) -> None:
    graph = txt2img(**{"30": node("EmptyLatentImage", width=1, height=1, batch_size=1)})
    graph["9"]["inputs"]["left_over"] = "of an older version"
    found = {(one.node_id, one.field) for one in extract(graph, object_info)}
    assert not {("30", "width"), ("9", "left_over"), ("3", "model")} & found
    audio = {(one.node_id, one.field) for one in extract(load("audio_ace_step_1_t2a_instrumentals"), object_info)}
    assert ("59", "audioUI") not in audio


def test_images_are_numbered_and_take_any_uploaded_name(object_info: dict[str, Any]) -> None:
    graph = load("wan2.1_flf2v_720_f16")
    images = {one.role: one.node_id for one in extract(graph, object_info) if one.type == "image"}
    assert images == {"image": "52", "image_2": "72"}
    assert changed(graph, fill(graph, {"image_2": "new.png"}, object_info)) == {"72.image": "new.png"}


def test_the_page_s_own_format_is_converted(object_info: dict[str, Any]) -> None:
    api = load("text_to_video_wan")
    filled = fill(load("text_to_video_wan", ".ui.json"), {"steps": 4}, object_info)
    assert filled["3"]["inputs"] == {**api["3"]["inputs"], "steps": 4}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 0}, r"KSampler \(node 3\), steps: 0 is not allowed; it takes 1 to 10000"),
        ({"steps": 2.5}, "a whole number"),
        ({"steps": "many"}, "a whole number"),
        ({"steps": True}, "a whole number"),
        ({"cfg": float("nan")}, "a number"),
        ({"cfg": 101}, r"0\.0 to 100\.0"),
        ({"sampler_name": "magic"}, r"'magic' is not allowed; it takes one of euler, .* and \d+ more"),
        ({"prompt": 5}, "text"),
        ({"width": ["4", 0]}, "a single value"),
        ({"3.steps": {}}, "a single value"),
        ({"99.steps": 1}, "no node '99'"),
        ({"3.stepz": 1}, "no input 'stepz'; it has seed, steps"),
        ({"3.model": "x"}, "cannot be set"),
        ({"seed": 2**64}, r"KSampler \(node 3\), seed: 18446744073709551616 is outside 0 to 18446744073709551615"),
        ({"seed": "x"}, "whole number"),
        ({"seed": -1}, "draw one"),
        ({"3.seed": -1}, "draw one"),
        ({"3.seed": 2**64}, "outside 0 to"),
    ],
)
def test_a_value_that_does_not_fit_is_named(values: Any, message: str, object_info: dict[str, Any]) -> None:
    with pytest.raises(ValidationFailed, match=message):
        fill(txt2img(), values, object_info)


def test_digits_are_numbers(object_info: dict[str, Any]) -> None:
    values = {"steps": "12", "cfg_scale": "6.5", "width": 640.0, "seed": str(BIG), "8.nothing": None}
    assert changed(txt2img(), fill(txt2img(), values, object_info)) == {
        "3.steps": 12, "3.cfg": 6.5, "5.width": 640, "3.seed": BIG,
    }  # fmt: skip
    assert isinstance(fill(txt2img(), {"width": 640.0}, object_info)["5"]["inputs"]["width"], int)


def test_an_address_wins_over_a_name(object_info: dict[str, Any]) -> None:
    done = plan(hires(), {"11.steps": 9, "steps": 5}, object_info)
    assert changed(hires(), done.graph) == {"3.steps": 5, "11.steps": 9}
    assert done.written == {"steps": (Input("3", "steps"),), "11.steps": (Input("11", "steps"),)}


def test_samplers_that_agree_follow_and_others_keep_their_own(object_info: dict[str, Any]) -> None:
    graph = hires(steps=10, cfg=7.0)
    values = {"steps": 30, "cfg": 5, "denoise": 0.9, "width": 768, "sampler_name": "heun"}
    assert changed(graph, fill(graph, values, object_info)) == {
        "3.steps": 30, "3.cfg": 5, "11.cfg": 5, "3.denoise": 0.9, "5.width": 768, "3.sampler_name": "heun",
        "11.sampler_name": "heun",
    }  # fmt: skip


def test_base_and_refiner_keep_their_stages(object_info: dict[str, Any]) -> None:
    graph = load("sdxl_refiner_prompt_example")
    done = plan(graph, {"steps": 40, "checkpoint_name": None}, object_info)
    assert changed(graph, done.graph) == {"10.steps": 40, "11.steps": 40}
    assert done.warnings == ()
    few = plan(graph, {"steps": 10}, object_info)
    assert len(few.warnings) == 1
    assert "(node 11), start_at_step: it starts at step 20 of 10" in few.warnings[0]


def test_seeds_that_differ_stay_apart(object_info: dict[str, Any]) -> None:
    together, apart = hires(), hires(seed=9)
    assert changed(together, fill(together, {"seed": 50}, object_info)) == {"3.seed": 50, "11.seed": 50}
    assert changed(apart, fill(apart, {"seed": 50}, object_info)) == {"3.seed": 50, "11.seed": 51}
    assert changed(apart, plan(apart, {"seed": 50}, object_info, seed_mode="primary").graph) == {"3.seed": 50}


def test_minus_one_is_drawn_and_told(object_info: dict[str, Any]) -> None:
    def draw(low: int, high: int) -> int:
        return (low + high) // 2

    done = plan(hires(), {"seed": -1}, object_info, draw=draw)
    assert changed(hires(), done.graph) == {"3.seed": (2**32 - 1) // 2, "11.seed": (2**32 - 1) // 2}
    assert done.drawn == {Input("3", "seed"): (2**32 - 1) // 2, Input("11", "seed"): (2**32 - 1) // 2}
    stored = hires(seed=-1)
    assert fill(stored, {}, object_info) == stored
    left = plan(stored, {"3.seed": "-1"}, object_info, draw=draw)
    assert set(left.drawn) == {Input("3", "seed"), Input("11", "seed")}
    assert min(left.graph[one]["inputs"]["seed"] for one in ("3", "11")) >= 0


def test_flux_guidance_is_cfg_only_where_there_is_none(object_info: dict[str, Any]) -> None:
    with_cfg = load("flux_canny_model_example")
    assert changed(with_cfg, fill(with_cfg, {"cfg_scale": 2, "guidance": 9}, object_info)) == {
        "3.cfg": 2,
        "26.guidance": 9,
    }
    without = {
        **txt2img(),
        "26": node("FluxGuidance", guidance=3.5, conditioning=["6", 0]),
        "22": node("BasicGuider", model=["4", 0], conditioning=["26", 0]),
        "25": node("RandomNoise", noise_seed=1),
        "16": node("KSamplerSelect", sampler_name="euler"),
        "17": node("BasicScheduler", model=["4", 0], scheduler="simple", steps=4, denoise=1),
        "3": node("SamplerCustomAdvanced", noise=["25", 0], guider=["22", 0], sampler=["16", 0], sigmas=["17", 0],
                  latent_image=["5", 0]),
    }  # fmt: skip
    values = {"cfg_scale": 2, "steps": 8, "sampler_name": "heun", "scheduler": "beta", "seed": 3, "width": 256}
    assert changed(without, fill(without, values, object_info)) == {
        "26.guidance": 2, "17.steps": 8, "16.sampler_name": "heun", "17.scheduler": "beta", "25.noise_seed": 3,
        "5.width": 256,
    }  # fmt: skip


def test_what_a_graph_has_no_place_for_is_reported(object_info: dict[str, Any]) -> None:
    graph = load("image_to_video_wan")
    del graph["50"]["inputs"]["batch_size"]
    done = plan(graph, {"batch_size": 4, "nonsense": 1, "steps": 5}, object_info)
    assert done.ignored == ("batch_size", "nonsense")
    assert list(done.written) == ["steps"]
    edited = load("api_recraft_image_gen_with_color_control")
    assert plan(edited, {"steps": 5, "width": 64}, object_info).graph == edited


def test_choices_are_checked_only_where_the_server_lists_any(object_info: dict[str, Any]) -> None:
    empty = json.loads(json.dumps(object_info["CheckpointLoaderSimple"]))
    empty["input"]["required"]["ckpt_name"] = [[], {}]
    fetched = {"input": {"required": {"ckpt_name": ["COMBO", {"remote": {"route": "/x"}}]}}, "output": empty["output"]}
    for entry in (empty, fetched):
        filled = fill(txt2img(), {"checkpoint_name": "mine"}, {**object_info, "CheckpointLoaderSimple": entry})
        assert filled["4"]["inputs"]["ckpt_name"] == "mine"
    listed = {**empty, "input": {"required": {"ckpt_name": ["COMBO", {"options": ["a", "b"]}]}}}
    with pytest.raises(ValidationFailed, match="one of a, b"):
        fill(txt2img(), {"checkpoint_name": "mine"}, {**object_info, "CheckpointLoaderSimple": listed})


def test_a_graph_is_filled_without_any_server() -> None:
    values = {
        "prompt_text": "a hare",
        "negative_prompt": "",
        "steps": 5,
        "seed": 1,
        "checkpoint_name": "x",
        "width": 64,
    }
    assert changed(txt2img(), fill(txt2img(), values, None)) == {
        "6.text": "a hare", "7.text": "", "3.steps": 5, "3.seed": 1, "4.ckpt_name": "x", "5.width": 64,
    }  # fmt: skip
    types = {(one.node_id, one.field): one.type for one in extract(txt2img(), None)}
    assert (types["3", "seed"], types["3", "cfg"], types["6", "text"]) == ("seed", "number", "string")


def test_the_filled_graph_shares_nothing_with_the_template(object_info: dict[str, Any]) -> None:
    graph = txt2img()
    fill(graph, {}, object_info)["4"]["inputs"]["ckpt_name"] = "other"
    assert graph == txt2img()


def test_values_are_read_as_they_stand(object_info: dict[str, Any]) -> None:
    graph = txt2img(**{
        "40": node("LoraLoader", lora_name="one", strength_model=0.5, strength_clip=0.4, model=["4", 0], clip=["4", 1]),
        "41": node("LoraLoaderModelOnly", lora_name="two", strength_model=1, model=["40", 0]),
    })  # fmt: skip
    graph["3"]["inputs"]["model"] = ["41", 0]
    assert read_values(graph, object_info) == {
        "prompt_text": "a fox", "negative_prompt": "blurry", "width": 512, "height": 512, "steps": 20, "cfg_scale": 7.0,
        "seed": 8, "sampler_name": "euler", "scheduler": "normal", "batch_size": 1, "denoise": 1.0,
        "checkpoint_name": "tiny_sd15.safetensors",
        "loras": [{"name": "one", "strength_model": 0.5, "strength_clip": 0.4}, {"name": "two", "strength_model": 1}],
    }  # fmt: skip
    assert "negative_prompt" not in read_values(load("flux1_krea_dev"), object_info)
    assert read_values(load("basic_mask_operations_and_compositing"), object_info) == {"loras": []}


def test_loras_that_share_one_node_are_read(object_info: dict[str, Any]) -> None:
    held = {
        "lora_1": {"on": True, "lora": "one", "strength": 0.5},
        "lora_2": {"on": False, "lora": "two", "strength": 1},
    }
    graph = txt2img(**{"40": node("Power Lora Loader (rgthree)", **held, model=["4", 0], clip=["4", 1])})
    graph["3"]["inputs"]["model"] = ["40", 0]
    assert read_values(graph, object_info)["loras"] == [{"name": "one", "strength_model": 0.5, "strength_clip": 0.5}]
    assert plan(graph, {"lora": "three"}, object_info).ignored == ("lora",)


def without_noise() -> dict[str, Any]:
    graph = load("image_qwen_image_instantx_controlnet")
    assert list(graph).index("112:16") < list(graph).index("111:3")
    return graph


def on_a_photo() -> dict[str, Any]:
    graph = hires(denoise=1.0, steps=4)
    graph["10"] = node("VAEEncode", pixels=["12", 0], vae=["4", 2])
    graph["12"] = node("LoadImage", image="a.png")
    graph["13"] = node("PreviewImage", images=["14", 0])
    graph["14"] = node("VAEDecode", samples=["3", 0], vae=["4", 2])
    return {"11": graph.pop("11"), **graph}


def late_in_the_graph(**second: Any) -> dict[str, Any]:
    graph = hires(steps=4, **second)
    return {"11": graph.pop("11"), **graph}


@pytest.mark.parametrize(
    ("graph", "steps"),
    [
        (without_noise(), 4),  # a depth pass comes first
        (late_in_the_graph(denoise=1.0), 20),  # a second pass comes first
        (late_in_the_graph(latent_image=["5", 0], denoise=0.5) | {"1": node("PreviewAny", source=["3", 0])}, 20),
        (on_a_photo(), 20),
    ],
)
def test_the_primary_sampler_is_the_one_the_others_build_on(
    graph: Any, steps: int, object_info: dict[str, Any]
) -> None:
    assert read_values(graph, object_info)["steps"] == steps


def test_a_depth_pass_keeps_its_own_sampler(object_info: dict[str, Any]) -> None:
    graph = load("flux_depth_lora_example")
    assert changed(graph, fill(graph, {"sampler_name": "heun"}, object_info)) == {"150:3.sampler_name": "heun"}


def test_size_is_that_of_the_latent_the_run_starts_from(object_info: dict[str, Any]) -> None:
    graph = txt2img(**{"10": node("LatentUpscale", samples=["5", 0], upscale_method="area", width=64, height=64)})
    graph["3"]["inputs"]["latent_image"] = ["10", 0]
    assert changed(graph, fill(graph, {"width": 320}, object_info)) == {"5.width": 320}


def test_a_size_that_an_image_decides_is_not_set(object_info: dict[str, Any]) -> None:
    sizes = {"input": {"required": {"image": ["IMAGE"], "width": ["INT", {}]}}, "output": ["IMAGE", "INT"]}
    graph = txt2img(**{"20": node("Fit", image=["21", 0], width=64), "21": node("LoadImage", image="a.png")})
    graph["5"]["inputs"]["width"] = ["20", 1]
    info = {**object_info, "Fit": {**sizes, "output_name": ["image", "width"]}}
    assert plan(graph, {"width": 320}, info).ignored == ("width",)
    with pytest.raises(ValidationFailed, match=r"EmptyLatentImage \(node 5\), width: it is computed"):
        fill(graph, {"5.width": 320}, info)


def test_a_given_seed_is_not_drawn_again(object_info: dict[str, Any]) -> None:
    graph = hires(seed=-1)
    graph["3"]["inputs"]["seed"] = -1
    done = plan(graph, {"3.seed": 5}, object_info, draw=lambda low, high: 123)
    assert changed(graph, done.graph) == {"3.seed": 5, "11.seed": 123}


def test_the_recorded_prompt_is_that_of_the_primary_sampler(object_info: dict[str, Any]) -> None:
    graph = load("sdxl_refiner_prompt_example")
    assert read_values(graph, object_info)["prompt_text"] == graph["6"]["inputs"]["text"]
    assert graph["6"]["inputs"]["text"] != graph["15"]["inputs"]["text"]


def test_primitives_that_set_the_size_are_found_behind_links(object_info: dict[str, Any]) -> None:
    graph = load("video_wan2.1_fun_camera_v1.1_1.3B")
    assert changed(graph, fill(graph, {"width": 640, "length": 41}, object_info)) == {"57.width": 640, "57.length": 41}

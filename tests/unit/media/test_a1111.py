"""A1111's text: read as A1111, Forge and Civitai write it, written so that A1111's own expression reads it."""

import json
import random
import re
import time

import pytest

from spoonkernel.media.metadata import Lora, read_metadata
from spoonkernel.media.metadata.a1111_writer import a1111_parameters
from spoonkernel.media.png import embed_png_text

PARAM = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
"""`re_param_code` of A1111's `modules/infotext_utils.py`, to check what we write."""

FORGE = """(a lighthouse at dusk:1.2), oil painting, <lora:ink_wash:0.75>
BREAK
Steps: of stone lead up to it
Negative prompt: blurry, lowres,
watermark
Steps: 28, Sampler: DPM++ 2M SDE, Schedule type: Karras, CFG scale: 6.5, Seed: 3141592653, Size: 832x1216, \
Model hash: 31e35c80fc, Model: sd_xl_base_1.0, VAE: "sdxl, fixed: v2.safetensors", Denoising strength: 0.4, \
Lora hashes: "ink_wash: 9a1b2c3d4e5f, paper: 0f1e2d3c4b5a", Version: f2.0.1v1.10.1-previous-665-gae278f79"""


@pytest.fixture
def read(pictures):
    png = pictures.png()

    def read(text):
        return read_metadata(embed_png_text(png, {"parameters": text}))

    return read


def test_a_whole_text_is_read(read):
    found = read(FORGE)
    assert (found.source, found.warnings) == ("a1111", [])
    assert found.prompt == FORGE.partition("\nNegative")[0]
    assert found.negative_prompt == "blurry, lowres,\nwatermark"
    assert (found.seed, found.steps, found.cfg_scale) == (3141592653, 28, 6.5)
    assert (found.sampler_name, found.scheduler) == ("dpmpp_2m_sde", "karras")
    assert (found.width, found.height) == (832, 1216)
    assert (found.model, found.model_hash) == ("sd_xl_base_1.0", "31e35c80fc")
    assert found.loras == [Lora("ink_wash", 0.75, "9a1b2c3d4e5f"), Lora("paper", None, "0f1e2d3c4b5a")]


@pytest.mark.parametrize(
    ("text", "prompt", "negative", "seed"),
    [
        ("a cat\nSteps: 20, Sampler: Euler, Seed: 5", "a cat", None, 5),
        ("Steps: 20, Sampler: Euler, Seed: 5", None, None, 5),
        ("\nNegative prompt: dog\nSteps: 20, Sampler: Euler, Seed: 5", None, "dog", 5),
        ("a\nNegative prompt:\nSteps: 20, Sampler: Euler, Seed: 5", "a", None, 5),
        ("stairs, Steps: 3, Seed: 1, Size: 2x2 yes\nSteps: 9, Sampler: Euler, Seed: 5", None, None, 5),
        ("Steps: 1, Seed: 2, Size: 8x8\nSteps: 9, Sampler: Euler, Seed: 5", "Steps: 1, Seed: 2, Size: 8x8", None, 5),
        ("a\nSteps: 9, Sampler: Euler, Seed: 5\nTemplate: {a|b}\nNegative Template: c", "a", None, 5),
        ("a\r\nSteps: 9, Sampler: Euler, Seed: 5\r\n", "a\r", None, 5),
        ("just words, nothing more", "just words, nothing more", None, None),
        ("two: colons, only: here", "two: colons, only: here", None, None),
    ],
)
def test_the_line_of_parameters_is_found(read, text, prompt, negative, seed):
    found = read(text)
    assert found.seed == seed
    assert found.negative_prompt == negative
    if prompt or not text.startswith("stairs"):
        assert found.prompt == prompt


def test_a_text_without_parameters_says_so(read):
    assert read("just words").warnings == [
        "The A1111 text has no line of parameters: all of it was taken for the prompt"
    ]


@pytest.mark.parametrize(
    ("line", "sampler", "scheduler"),
    [
        ("Sampler: Euler a", "euler_ancestral", None),
        ("Sampler: DPM++ 2M Karras", "dpmpp_2m", "karras"),
        ("Sampler: DPM++ 3M SDE Exponential", "dpmpp_3m_sde", "exponential"),
        ("Sampler: Euler, Schedule type: SGM Uniform", "euler", "sgm_uniform"),
        ("Sampler: Euler, Schedule type: Automatic", "euler", None),
        ("Sampler: UniPC, Schedule type: Uniform", "uni_pc", "normal"),
        ("Sampler: Restart, Schedule type: Align Your Steps", "Restart", "Align Your Steps"),
    ],
)
def test_samplers_get_their_names_of_comfyui(read, line, sampler, scheduler):
    found = read(f"x\nSteps: 2, {line}, Seed: 1")
    assert (found.sampler_name, found.scheduler) == (sampler, scheduler)


def test_civitai_s_json_among_the_parameters_is_read(read):
    hashes = {"model": "c6bbc15e32", "lora:ink": "aabbccddee", "vae": "63aeecb90f"}
    found = read(f"x\nSteps: 2, Seed: 1, Hashes: {json.dumps(hashes)}, CFG scale: 4, Civitai resources: [{{}}, {{}}]")
    assert (found.model_hash, found.cfg_scale, found.loras) == ("c6bbc15e32", 4.0, [Lora("ink", None, "aabbccddee")])


@pytest.mark.parametrize(
    ("line", "warning"),
    [
        ("Seed: -1", "The seed '-1' is no whole number from 0 to 18446744073709551615"),
        ("Seed: 18446744073709551616", "The seed '18446744073709551616' is no whole number"),
        ("Seed: ٣", "The seed '٣' is no whole number"),
        ("CFG scale: nan", "The CFG scale 'nan' is no number"),
        ("Size: 0x5", "The size '0' is no whole number from 1"),
        ("Seed: " + "9" * 5000, "The seed '999"),
    ],
)
def test_a_value_out_of_range_is_left_out_with_a_warning(read, line, warning):
    found = read(f"x\nSteps: 3, Sampler: Euler, VAE: v, {line}")
    assert (found.steps, found.seed) == (3, None)
    assert [sentence for sentence in found.warnings if sentence.startswith(warning)]


@pytest.mark.parametrize(
    "text",
    [
        "a" * 1_000_000,
        "ab " * 300_000 + "\n" + "ab:" * 300_000,
        "Steps: 1, " + 'a: "' * 200_000,
        "Steps: 1, " + "a: [" * 200_000,
        "Steps: 1, a: " + '[{"a":' * 100_000,
        "Steps: 1\n" * 100_000,
        "," * 1_000_000 + ":",
        "<lora:" * 150_000,
    ],
    ids=["one word", "colons", "quotes", "brackets", "nested", "lines", "commas", "loras"],
)
def test_a_hostile_text_takes_no_time(read, text):
    began = time.process_time()
    read(text)
    assert time.process_time() - began < 3  # seconds; A1111's own expression needs hours for the first


WORDS = [
    *("a cat", "(sun:1.2)", "Steps: 20", "Steps: 1, Seed: 2, Size: 3x3", "Negative prompt: no", "Negative prompt:"),
    *(
        "\n",
        "\n\n",
        ",",
        ":",
        '"',
        "\\",
        " ",
        "  ",
        "größe",
        "雪😀",
        "\r\n",
        "\t",
        "\u2028",
        "{",
        "}",
    ),
    *("Version: Spoon 1, Seed: 3, Steps: 4", "Spoon prompts: x", "BREAK"),
]
SAMPLERS = ["euler", "euler_ancestral", "dpmpp_2m_sde_gpu", "uni_pc_bh2", "dpmpp_2m", "res_multistep", "ddim", None]
SCHEDULERS = ["karras", "normal", "sgm_uniform", "ddim_uniform", "linear_quadratic", "beta", None]


def drawn(rng):
    """The values of some generation; every one may be missing."""

    def maybe(value):
        return value if rng.random() < 0.8 else None

    has_size = rng.random() < 0.8
    return {
        "prompt": "".join(rng.choice(WORDS) for _ in range(rng.randrange(8))),
        "negative_prompt": "".join(rng.choice(WORDS) for _ in range(rng.randrange(5))),
        "seed": maybe(rng.choice([0, 1, 2**32 - 1, 2**53 + 1, 2**64 - 1, rng.randrange(2**64)])),
        "steps": maybe(rng.randrange(1, 200)),
        "cfg_scale": maybe(rng.choice([7.0, 1.0, 6.5, 0.1 + 0.2, 0.0, -1.5])),
        "sampler_name": rng.choice(SAMPLERS),
        "scheduler": rng.choice(SCHEDULERS),
        "width": rng.randrange(1, 9000) if has_size else None,
        "height": rng.randrange(1, 9000) if has_size else None,
        "model": maybe(rng.choice(["sd_xl_base_1.0", 'a, "b": c', "{x}", " spaced", "\\", "größe"])),
        "loras": [Lora(f"l{number}", rng.choice([None, 0.75, 1.0]), "0a1b2c") for number in range(rng.randrange(3))],
    }


def test_what_is_written_is_read_again(read):
    rng = random.Random(20_240_817)
    for _ in range(600):
        values = drawn(rng)
        if values["model"]:
            values["model"] = values["model"].strip().rpartition("\\")[2] or None
        text = a1111_parameters(**values, model_sha256="ABCDEF0123456789" * 4)
        found = read(text)
        named = {match[0].strip(): match[1] for match in PARAM.findall(text.strip().rpartition("\n")[2])}
        for name, value in values.items():
            assert getattr(found, name) == (None if value == "" else value), (name, text)
        assert found.warnings == []
        assert found.model_hash == "abcdef0123"
        assert named["Version"].startswith("Spoon ")
        assert named.get("Seed") == (None if values["seed"] is None else str(values["seed"]))
        assert len(named) == len(re.findall(PARAM, text.strip().rpartition("\n")[2]))


def test_an_ordinary_generation_is_written_as_a1111_would():
    text = a1111_parameters(
        prompt="a cat",
        negative_prompt="blurry",
        seed=2**64 - 1,
        steps=20,
        cfg_scale=7.0,
        sampler_name="euler_ancestral",
        scheduler="karras",
        width=512,
        height=768,
        model="SDXL\\sd_xl_base_1.0.safetensors",
        model_sha256="31E35C80FC4829D14F90153F4C74CD59C90B779F6AFE05A74CD6120B893F7E5B",
    )
    lines = text.split("\n")
    assert lines[:2] == ["a cat", "Negative prompt: blurry"]
    assert lines[2].startswith(
        "Steps: 20, Sampler: Euler a, Schedule type: Karras, CFG scale: 7, Seed: 18446744073709551615, "
        "Size: 512x768, Model hash: 31e35c80fc, Model: sd_xl_base_1.0, Version: Spoon "
    )
    assert lines[2].endswith(" / ComfyUI")


def test_prompts_that_the_grammar_cannot_hold_are_repeated_for_us_alone(read):
    prompt = "a sign that reads\nNegative prompt: none"
    text = a1111_parameters(prompt=prompt, negative_prompt=" x ", seed=1)
    assert "Spoon prompts: " in text
    assert (read(text).prompt, read(text).negative_prompt) == (prompt, " x ")
    assert "Spoon prompts" not in a1111_parameters(prompt="a\nb", negative_prompt="c", seed=1)

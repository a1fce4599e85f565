"""What files of five programs say about how they were made, in each place where they say it."""

import json
import struct
import time
import zlib

import pytest
from PIL import Image

from spoonkernel.media.metadata import Lora, read_metadata
from spoonkernel.media.png import MAX_TEXT_BYTES, embed_png_text

GRAPH = {
    "3": {"class_type": "KSampler", "inputs": {"seed": 505913792, "model": ["4", 0]}, "is_changed": [None]},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "größe 雪"}},
}
WORKFLOW = {"id": "w-1", "nodes": [{"id": 3, "type": "KSampler"}], "links": [], "version": 0.4}
A1111 = "a cat, größe 雪\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, Seed: 7, Size: 512x512"
SWARM = {
    "sui_image_params": {
        "prompt": "a photo of a cat",
        "negativeprompt": "dog",
        "model": "Official/sd_xl_base_1.0",
        "seed": "18446744073709551615",
        "steps": 20,
        "cfgscale": "7.0",
        "width": 1024,
        "height": 768,
        "sampler": "dpmpp_2m",
        "scheduler": "karras",
        "loras": ["inks/wash", "paper"],
        "loraweights": "0.5,1",
        "swarm_version": "0.9.3.1",
    },
    "sui_extra_data": {"date": "2025-01-25"},
    "sui_models": [
        {"name": "Official/sd_xl_base_1.0.safetensors", "param": "model", "hash": "0xd7a9"},
        {"name": "inks/wash.safetensors", "param": "used_loras", "hash": "0xbeef"},
        {"name": "paper.safetensors", "param": "used_loras", "hash": None},
    ],
}
INVOKE = {
    "app_version": "5.4.2",
    "generation_mode": "sdxl_txt2img",
    "positive_prompt": "a cat",
    "negative_prompt": "dog",
    "width": 1024,
    "height": 768,
    "seed": 3400881859,
    "rand_device": "cpu",
    "cfg_scale": 7.5,
    "steps": 30,
    "scheduler": "dpmpp_2m_sde_k",
    "model": {"key": "1c2d", "hash": "blake3:0a1b", "name": "Juggernaut XL v9", "base": "sdxl", "type": "main"},
    "loras": [{"model": {"key": "k", "hash": "blake3:ff", "name": "ink", "base": "sdxl"}, "weight": 0.75}],
}


@pytest.fixture
def png(pictures):
    plain = pictures.png()

    def png(**texts):
        return embed_png_text(
            plain, {name: value if isinstance(value, str) else json.dumps(value) for name, value in texts.items()}
        )

    return png


def exif_with(comment):
    exif = Image.Exif()
    exif[0x0131] = "made in a test"  # Pillow leaves out a block that has nothing at its top
    exif.get_ifd(0x8769)[0x9286] = comment
    return exif


def values(found):
    return (found.prompt, found.negative_prompt, found.seed, found.steps, found.cfg_scale, found.width, found.height)


@pytest.mark.parametrize("packed", [False, True])
def test_comfyui_s_png_hands_out_both_graphs(pictures, packed):
    nan = json.dumps(GRAPH).replace("[null]", "[NaN]")
    found = read_metadata(pictures.png({"prompt": nan, "workflow": json.dumps(WORKFLOW)}, packed=packed))
    assert (found.source, found.comfy_prompt, found.comfy_workflow) == ("comfyui", GRAPH, WORKFLOW)
    assert (found.warnings, found.seed, found.prompt) == ([], None, None)
    assert found.raw["prompt"] == nan


def test_comfyui_s_webp_hands_out_both_graphs(pictures):
    exif = Image.Exif()  # as `comfy_api/latest/_ui.py` writes it
    exif[0x0110] = f"prompt:{json.dumps(GRAPH)}"
    exif[0x010F] = f"workflow:{json.dumps(WORKFLOW)}"
    exif[0x010E] = 'spoon:{"seed": 5}'
    found = read_metadata(pictures.encode(pictures.noise(), "WEBP", exif=exif))
    assert (found.source, found.comfy_prompt, found.comfy_workflow) == ("spoon", GRAPH, WORKFLOW)
    assert (found.spoon, found.seed) == ({"seed": 5}, 5)


def test_the_capital_letters_of_other_writers_of_webp_are_read(pictures):
    exif = Image.Exif()
    exif[0x010E] = f"Workflow: {json.dumps(WORKFLOW)}"
    assert read_metadata(pictures.encode(pictures.noise(), "WEBP", exif=exif)).comfy_workflow == WORKFLOW


@pytest.mark.parametrize(
    "comment",
    [
        b"UNICODE\0" + A1111.encode("utf-16-be"),
        b"UNICODE\0" + A1111.encode("utf-16-le"),
        b"UNICODE\0" + A1111.encode("utf-16"),
        b"UNICODE\0" + A1111.encode("utf-8"),
        b"ASCII\0\0\0" + A1111.encode("utf-8"),
        b"\0" * 8 + A1111.encode("utf-8") + b"\0\0",
        A1111.encode("utf-8"),
    ],
    ids=["big", "little", "marked", "utf-8", "ascii", "undefined", "bare"],
)
@pytest.mark.parametrize("form", ["JPEG", "WEBP", "PNG"])
def test_a1111_s_user_comment_is_read_in_every_spelling(pictures, form, comment):
    found = read_metadata(pictures.encode(pictures.noise(), form, exif=exif_with(comment)))
    assert (found.source, found.prompt, found.negative_prompt) == ("a1111", "a cat, größe 雪", "dog")
    assert (found.seed, found.sampler_name) == (7, "euler_ancestral")


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders_of_exif_are_read(order):
    text = b"ASCII\0\0\0" + A1111.encode()
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    first = struct.pack(order + "HHHII", 1, 0x8769, 4, 1, 26) + bytes(4)
    second = struct.pack(order + "HHHII", 1, 0x9286, 7, len(text), 44) + bytes(4)
    block = b"Exif\0\0" + head + first + second + text
    jpeg = b"\xff\xd8\xff\xe1" + struct.pack(">H", len(block) + 2) + block + b"\xff\xd9"
    assert read_metadata(jpeg).seed == 7


@pytest.mark.parametrize("place", ["png", "jpeg"])
def test_swarmui_s_json_is_read(pictures, png, place):
    text = json.dumps(SWARM, indent=2)
    exif = exif_with(b"UNICODE\0" + text.encode("utf-16-le"))
    content = png(parameters=text) if place == "png" else pictures.encode(pictures.noise(), "JPEG", exif=exif)
    found = read_metadata(content)
    assert (found.source, found.warnings) == ("swarmui", [])
    assert values(found) == ("a photo of a cat", "dog", 2**64 - 1, 20, 7.0, 1024, 768)
    assert (found.sampler_name, found.scheduler) == ("dpmpp_2m", "karras")
    assert (found.model, found.model_hash) == ("sd_xl_base_1.0", "d7a9")
    assert found.loras == [Lora("wash", 0.5, "beef"), Lora("paper", 1.0)]


def test_invokeai_s_metadata_is_read(png):
    found = read_metadata(png(invokeai_metadata=INVOKE, invokeai_graph="{}"))
    assert (found.source, found.warnings) == ("invokeai", [])
    assert values(found) == ("a cat", "dog", 3400881859, 30, 7.5, 1024, 768)
    assert (found.sampler_name, found.scheduler) == ("dpmpp_2m_sde", "karras")
    assert (found.model, found.model_hash) == ("Juggernaut XL v9", "blake3:0a1b")
    assert found.loras == [Lora("ink", 0.75, "blake3:ff")]


def test_invokeai_3_names_its_models_otherwise(png):
    lora = {"lora": {"model_name": "ink", "base_model": "sd-1"}, "weight": 0.5}
    old = INVOKE | {"model": {"model_name": "dreamshaper_8", "base_model": "sd-1"}, "loras": [lora]}
    found = read_metadata(png(invokeai_metadata=old | {"scheduler": "euler_a"}))
    assert (found.model, found.model_hash, found.loras) == ("dreamshaper_8", None, [Lora("ink", 0.5)])
    assert (found.sampler_name, found.scheduler) == ("euler_ancestral", None)


@pytest.mark.parametrize("key", ["image", "images"])
def test_invokeai_2_has_its_negative_prompt_in_brackets(png, key):
    image = {
        "prompt": [{"prompt": "a cat [dog, blurry] on a mat [fog]", "weight": 1.0}],
        "steps": 50,
        "cfg_scale": 7.5,
        "width": 512,
        "height": 640,
        "seed": 42,
        "sampler": "k_euler_a",
    }
    old = {"model_weights": "stable-diffusion-1.5", "model_hash": "cc6c", key: image if key == "image" else [image]}
    found = read_metadata(png(**{"sd-metadata": old}))
    assert values(found) == ("a cat on a mat", "dog, blurry, fog", 42, 50, 7.5, 512, 640)
    assert (found.source, found.sampler_name) == ("invokeai", "euler_ancestral")
    assert (found.model, found.model_hash) == ("stable-diffusion-1.5", "cc6c")


def test_our_record_comes_first_and_others_fill_what_it_leaves_open(png):
    record = {"generation_id": "abc", "seed": 9, "prompt_text": "ours", "steps": None}
    found = read_metadata(png(spoon=record, prompt=GRAPH, parameters=A1111))
    assert (found.source, found.spoon, found.comfy_prompt) == ("spoon", record, GRAPH)
    assert (found.prompt, found.seed, found.steps, found.negative_prompt) == ("ours", 9, 20, "dog")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_picture_that_says_nothing_has_no_source(pictures, form):
    found = read_metadata(pictures.encode(pictures.noise(), form))
    assert (found.source, found.raw, found.warnings) == (None, {}, [])


def test_a_plain_prompt_of_another_program_is_no_graph(png):
    found = read_metadata(png(prompt="a cat", workflow={"nodes": "none"}))
    assert (found.source, found.warnings, found.raw["prompt"]) == (None, [], "a cat")


def test_latin_1_and_utf_8_in_a_plain_chunk_are_told_apart(pictures):
    for data in ("größe".encode(), "größe".encode("latin-1")):
        assert read_metadata(pictures.with_chunk(pictures.chunk(b"tEXt", b"k\0" + data))).raw == {"k": "größe"}


def test_what_a_store_cannot_keep_is_taken_out(png):
    found = read_metadata(png(spoon='{"a\\u0000": ["\\ud800x", 1e999, NaN, "\\ud83d\\ude00"]}'))
    assert found.spoon == {"a": ["?x", None, None, "😀"]}
    json.dumps(found.spoon, ensure_ascii=False, allow_nan=False).encode()


@pytest.mark.parametrize(
    ("texts", "warning"),
    [
        ({"prompt": "{broken"}, "The text 'prompt' cannot be read as JSON"),
        ({"spoon": "[1]"}, "The text 'spoon' is JSON, but no object"),
        ({"spoon": "{" + '"a":{' * 5000}, "The text 'spoon' cannot be read as JSON"),
        ({"spoon": '{"a":' * 300 + "1" + "}" * 300}, "The text 'spoon' cannot be read as JSON: nested too deep"),
        ({"spoon": '{"a":' + "[" * 90_000 + "]" * 90_000 + "}"}, "The text 'spoon' cannot be read as JSON: nested"),
        ({"spoon": '{"seed":' + "9" * 5000 + "}"}, "The text 'spoon' cannot be read as JSON"),
        ({"spoon": {"seed": 2**64}}, "The seed 18446744073709551616 is no whole number"),
        ({"spoon": {"seed": True, "cfg_scale": [1]}}, "The seed True is no whole number"),
        ({"parameters": "{}\n"}, None),
        ({"invokeai_metadata": {"model": 5, "loras": {"a": 1}, "seed": 1.5}}, "The seed 1.5 is no whole number"),
        ({"invokeai_metadata": {"loras": [1, None, {"model": []}], "scheduler": {}}}, None),
        ({"sd-metadata": {"images": [], "image": "x", "model_weights": 4}}, None),
        ({"parameters": {"sui_image_params": {"loras": {}, "seed": -1}, "sui_models": [1]}}, "The seed -1 is no"),
    ],
)
def test_malformed_metadata_give_a_warning_at_most(png, texts, warning):
    found = read_metadata(png(**texts))
    assert found.seed is None
    if warning:
        assert [sentence for sentence in found.warnings if sentence.startswith(warning)], found.warnings


@pytest.mark.parametrize("name", [b"zTXt", b"iTXt"])
def test_a_packed_bomb_is_left_out_in_no_time(pictures, name):
    packed = zlib.compress(b"a" * (MAX_TEXT_BYTES * 20))
    data = b"prompt\0" + (b"\0" if name == b"zTXt" else b"\1\0\0\0") + packed
    content = pictures.with_chunk(pictures.chunk(name, data) * 1000, pictures.png({"kept": "yes"}))
    began = time.process_time()
    found = read_metadata(content)
    assert time.process_time() - began < 6  # 200 of the 1000 are tried
    assert found.raw == {}
    assert "is broken, or too long once unpacked" in found.warnings[0]
    assert found.warnings[-1] == "The PNG has more than 200 texts: the rest was left out"


def test_texts_are_read_up_to_a_sum(pictures):
    one = pictures.chunk(b"tEXt", b"k\0" + b"x" * (MAX_TEXT_BYTES - 10))
    two = (
        one
        + pictures.chunk(b"tEXt", b"l\0" + b"x" * (MAX_TEXT_BYTES - 10))
        + pictures.chunk(b"tEXt", b"m\0" + b"x" * 99)
    )
    found = read_metadata(pictures.with_chunk(two))
    assert list(found.raw) == ["k", "l"]
    assert found.warnings == ["The file has more metadata than is read: the rest was left out"]


@pytest.mark.parametrize(
    ("chunk", "warning"),
    [
        ((b"tEXt", b"k\0v", 5), "A tEXt chunk has a wrong checksum: it was left out"),
        ((b"tEXt", b"no end"), "A tEXt chunk has no name: it was left out"),
        ((b"zTXt", b"k\0\0broken"), "The text 'k' is broken, or too long once unpacked: it was left out"),
        ((b"zTXt", b"k\0"), "The text 'k' is broken, or too long once unpacked: it was left out"),
    ],
)
def test_a_broken_chunk_is_left_out_and_the_others_are_read(pictures, chunk, warning):
    found = read_metadata(pictures.with_chunk(pictures.chunk(*chunk), pictures.png({"kept": "yes"})))
    assert (found.raw, found.warnings) == ({"kept": "yes"}, [warning])


def test_any_cut_and_any_flipped_byte_never_raises(pictures, png):
    jpeg = pictures.encode(Image.new("RGB", (8, 8)), "JPEG", exif=exif_with(b"UNICODE\0" + A1111.encode("utf-16-be")))
    webp = pictures.encode(Image.new("RGB", (8, 8)), "WEBP", exif=exif_with(b"ASCII\0\0\0" + A1111.encode("utf-8")))
    for content in (
        png(prompt=GRAPH, parameters=A1111, spoon='{"a": "雪"}'),
        jpeg,
        webp,
        b"",
        b"\xff\xd8\xff",
        b"RIFF",
    ):
        for at in range(len(content)):
            read_metadata(content[:at])
            read_metadata(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
    assert read_metadata(png(prompt=GRAPH)[:-3]).warnings == ["The PNG is cut off inside its chunk 'IEND'"]


def test_exif_entries_that_all_point_at_the_same_bytes_take_no_time(pictures):
    text = b"x" * 60_000
    count = 500
    entries = b"".join(struct.pack(">HHII", 0x0100 + number % 17, 2, len(text), 10_000) for number in range(count))
    block = b"MM\0*" + struct.pack(">IH", 8, count) + entries
    block = block.ljust(10_000, b"\0") + text
    webp = b"RIFF\0\0\0\0WEBPEXIF" + struct.pack("<I", len(block)) + block
    began = time.process_time()
    read_metadata(webp)
    assert time.process_time() - began < 1

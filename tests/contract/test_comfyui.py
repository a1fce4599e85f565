"""ComfyUI itself: what it offers, the files that go through us, and prompts without a session."""

import asyncio
import io
from hashlib import sha256

import pytest
from PIL import Image

from spoonkernel.errors import BadRequest, NotFound, ProviderConnectionError, ValidationFailed

DIMENSIONS = [512, 768, 832, 896, 1024, 1152, 1216, 1344, 1536]
UNKNOWN = "00000000-0000-4000-8000-000000000000"
TRAVERSAL = [
    *("../spoon.db", "..", "/etc/passwd", "..\\..\\spoon.db", "a\0.png", "%2e%2e%2fspoon.db", "....//spoon.db"),
    *("C:\\Windows\\win.ini", "CON", "nul.png", "a.png:stream", "~/.ssh/id_rsa", "file:///etc/passwd"),
]


def picture(colour: str = "red", kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 24), colour).save(file, kind)
    return file.getvalue()


async def test_the_options_are_what_the_server_has(workbench, comfy, sim):
    options = await workbench.comfyui.options()
    assert {"euler", "dpmpp_2m", "uni_pc_bh2"} <= set(options.samplers)
    assert {"normal", "karras", "beta"} <= set(options.schedulers)
    assert options.dimensions == DIMENSIONS
    assert sorted(options.checkpoints) == sorted(sim.models["checkpoints"])
    assert sorted(options.loras) == sorted(sim.models["loras"])
    assert await workbench.comfyui.options(profile_id=comfy.id) == options


async def test_the_options_of_a_server_that_is_away_are_an_error(workbench, comfy, sim, profile):
    await sim.die()
    with pytest.raises(ProviderConnectionError, match=r"Cannot connect to ComfyUI\. Is it running\?"):
        await workbench.comfyui.options()
    with pytest.raises(NotFound, match="Profile abc123 not found"):
        await workbench.comfyui.options(profile_id="abc123")
    with pytest.raises(BadRequest, match="openai"):
        await workbench.comfyui.options(profile_id=profile.id)


async def test_an_image_is_our_copy_byte_by_byte_and_comfyuis_picture_pixel_by_pixel(workbench, finished, sim):
    [output] = (await finished()).outputs
    media = await workbench.comfyui.image(output.filename, subfolder=output.subfolder)
    assert (media.content_type, media.filename) == ("image/png", output.filename)
    assert media.content == (await workbench.media.open(output.content)).content
    assert (len(media.content), sha256(media.content).hexdigest()) == (output.size_bytes, output.file_sha256)
    original = Image.open(sim.files.root / "output" / output.subfolder / output.filename)
    served = Image.open(io.BytesIO(media.content))
    assert (served.size, served.tobytes()) == (original.size, original.tobytes())
    assert served.text["prompt"] == original.text["prompt"]  # what ComfyUI wrote into it is kept


async def test_an_image_stays_when_comfyui_is_away(workbench, finished, sim):
    [output] = (await finished()).outputs
    await sim.die()
    assert (await workbench.comfyui.image(output.filename, subfolder=output.subfolder)).content_type == "image/png"


async def test_only_files_that_a_generation_recorded_are_served(workbench, comfy, finished, sim):
    [output] = (await finished()).outputs
    (sim.files.root / "output" / "private.png").write_bytes(picture())
    for asked in (
        {"filename": "private.png"},
        {"filename": "example.png", "type": "input"},
        {"filename": output.filename},  # it lies in a subfolder
        {"filename": output.filename, "subfolder": output.subfolder, "type": "temp"},
        {"filename": output.filename, "subfolder": f"{output.subfolder}/../{output.subfolder}"},
    ):
        with pytest.raises(NotFound):
            await workbench.comfyui.image(**asked)


@pytest.mark.parametrize("name", TRAVERSAL)
async def test_no_name_leads_out_of_the_recorded_files(workbench, comfy, sim, name):
    before = sim.requests.copy()
    for filename, subfolder in ((name, ""), ("a.png", name)):
        with pytest.raises((NotFound, ValidationFailed, BadRequest)):
            await workbench.comfyui.image(filename, subfolder=subfolder)
    assert not [path for path in (sim.requests - before) if "/view" in path]


async def test_a_type_that_is_no_folder_is_refused_by_name(workbench, comfy):
    with pytest.raises(ValidationFailed, match="type"):
        await workbench.comfyui.image("a.png", type="models")


async def test_a_prompt_without_a_session_makes_one(workbench, comfy, workflow):
    await workbench.workflows.set_parameters(workflow.id, is_default=True)
    row = await workbench.comfyui.prompt(prompt="A beautiful sunset", negative_prompt="ugly")
    assert (row.status, row.workflow_id) == ("running", workflow.id)
    assert (row.prompt_text, row.negative_prompt) == ("A beautiful sunset", "ugly")
    session = await workbench.sessions.get(row.session_id)
    assert [one.id for one in session.generations] == [row.id]
    assert (await workbench.generations.get(row.id, wait_s=20)).status == "complete"


async def test_a_prompt_goes_into_the_session_that_is_named(workbench, session, workflow):
    await workbench.workflows.set_parameters(workflow.id, is_default=True)
    row = await workbench.comfyui.prompt(prompt="A beautiful sunset", session_id=session.id)
    assert row.session_id == session.id


async def test_a_session_that_is_not_there_is_created_under_its_id(workbench, comfy, workflow):
    await workbench.workflows.set_parameters(workflow.id, is_default=True)
    prompts = (workbench.comfyui.prompt(prompt=f"sunset {number}", session_id=UNKNOWN) for number in range(3))
    rows = await asyncio.gather(*prompts)
    assert {row.session_id for row in rows} == {UNKNOWN}
    assert [one.id for one in await workbench.sessions.list()] == [UNKNOWN]
    with pytest.raises(NotFound, match="Session abc123 not found"):
        await workbench.comfyui.prompt(prompt="A beautiful sunset", session_id="abc123")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
async def test_an_uploaded_image_can_be_used_and_seen(workbench, comfy, sim, kind):
    content = picture(kind=kind)
    name = f"a fox.{kind.lower()}"
    upload = await workbench.comfyui.upload(content, filename=name)
    assert (upload.type, upload.width, upload.height) == ("input", 40, 24)
    assert (sim.files.root / "input" / upload.subfolder / upload.name).read_bytes() == content
    seen = await workbench.comfyui.image(upload.name, subfolder=upload.subfolder, type="input")
    assert (seen.content, seen.content_type) == (content, f"image/{kind.lower()}")


async def test_the_name_of_an_upload_is_the_one_that_comfyui_gave(workbench, comfy, sim):
    first = await workbench.comfyui.upload(picture("red"), filename="fox.png", profile_id=comfy.id)
    second = await workbench.comfyui.upload(picture("blue"), filename="fox.png", profile_id=comfy.id)
    assert first.name != second.name
    assert (await workbench.comfyui.image(second.name, type="input")).content == picture("blue")


@pytest.mark.parametrize("content", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF8", b"\x89PNG\r\n\x1a\n"])
async def test_what_is_no_image_is_not_uploaded(workbench, comfy, sim, content):
    with pytest.raises((ValidationFailed, BadRequest)):
        await workbench.comfyui.upload(content, filename="fox.png")
    assert sim.files.inputs() == ["example.png"]


@pytest.mark.parametrize("name", ["../../spoon.png", "/etc/fox.png", "..\\fox.png", "a/b/fox.png"])
async def test_an_upload_stays_inside_the_input_folder(workbench, comfy, sim, name):
    try:
        upload = await workbench.comfyui.upload(picture(), filename=name)
    except (ValidationFailed, BadRequest):
        assert sim.files.inputs() == ["example.png"]
    else:
        assert (
            (sim.files.root / "input" / upload.subfolder / upload.name)
            .resolve()
            .is_relative_to((sim.files.root / "input").resolve())
        )
        assert not {"..", "/", "\\"} & set(upload.name.replace("..", "/"))


async def test_a_picture_tells_how_it_was_made(workbench, finished):
    done = await finished(parameters={"seed": 2**64 - 1, "steps": 3}, negative_prompt="ugly")
    [output] = done.outputs
    media = await workbench.media.open(output.content)
    told = await workbench.comfyui.metadata(media.content)
    assert (told.prompt, told.negative_prompt, told.seed) == ("a red fox", "ugly", 2**64 - 1)
    assert (told.steps, told.cfg_scale, told.sampler_name, told.scheduler) == (3, 7, "euler", "normal")
    assert (told.width, told.height) == (64, 64)
    assert told.checkpoint_name == "tiny_sd15.safetensors"
    assert told.workflow_json["6"]["inputs"]["text"] == "a red fox"
    assert told.spoon["generation_id"] == done.id


async def test_a_picture_without_a_record_tells_its_size_alone(workbench):
    told = await workbench.comfyui.metadata(picture())
    assert (told.source, told.prompt, told.seed, told.workflow_json) == (None, None, None, None)
    assert (told.width, told.height) == (40, 24)


async def test_what_is_no_picture_has_no_metadata(workbench):
    with pytest.raises((ValidationFailed, BadRequest)):
        await workbench.comfyui.metadata(b"no picture at all")

"""Files between ComfyUI, the media folder and people: the image proxy, uploads, metadata, and what is deleted."""

import io
import json

import httpx
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sqlalchemy import select

import comfy_graphs
from engine_rig import until
from spoonkernel.errors import NotFound, PayloadTooLarge, ProviderConnectionError, ValidationFailed
from spoonkernel.services import comfyui
from spoonkernel.store.engine import Database
from spoonkernel.store.tables import comfyui_files

pytestmark = pytest.mark.asyncio(loop_scope="module")

TRAVERSAL = [
    *("../spoon.db", "..", ".", "", "/etc/passwd", "..\\..\\spoon.db", "\\\\host\\share\\a.png", "....//spoon.db"),
    *("%2e%2e%2fspoon.db", "..%2fspoon.db", "%252e%252e%252fspoon.db", "a\0.png", "a.png\0", "a\r\nX: y", "\ud800.png"),
    *(
        "C:\\Windows\\win.ini",
        "CON",
        "nul.png",
        "COM1",
        "a.png:stream",
        "a.png.",
        "~/.ssh/id_rsa",
        "file:///etc/passwd",
    ),
    *("image_0123456789ab.png", "%", "_", "x" * 5_000),
]


def picture(colour: str = "red", kind: str = "PNG", **texts: str) -> bytes:
    file, info = io.BytesIO(), PngInfo()
    for name, text in texts.items():
        info.add_text(name, text)
    Image.new("RGB", (40, 24), colour).save(file, kind, **({"pnginfo": info} if texts else {}))
    return file.getvalue()


def views(bench) -> int:
    return bench.sim.requests["GET /view"]


def stored(bench) -> set[str]:
    return {path.name for path in bench.workbench.config.media_dir.iterdir()}


async def rows(bench):
    async with Database(bench.workbench.config.store_url) as database:
        return await database.read(lambda connection: connection.execute(select(comfyui_files)).all())


async def test_only_recorded_files_are_served_and_comfyui_is_not_asked_for_others(bench):
    row = await bench.run(None, "a")
    [output] = row.outputs
    for kind in ("output", "input", "temp"):
        (bench.sim.files.root / kind / "private.png").write_bytes(picture())
    asked = views(bench)
    found = await bench.workbench.comfyui.image(output.filename, subfolder=output.subfolder)
    assert (found.content_type, found.filename) == ("image/png", output.filename)
    for kind in ("output", "input", "temp"):
        with pytest.raises(NotFound, match="no generation recorded such a file"):
            await bench.workbench.comfyui.image("private.png", type=kind)
        if kind != "output":
            with pytest.raises(NotFound):
                await bench.workbench.comfyui.image(output.filename, subfolder=output.subfolder, type=kind)
    with pytest.raises(NotFound):
        await bench.workbench.comfyui.image(output.filename)  # it lies in a subfolder
    assert views(bench) == asked


@pytest.mark.parametrize("name", TRAVERSAL)
async def test_no_name_leads_anywhere_else(bench, name):
    row = await bench.run(None, "a", seed=1)
    [output] = row.outputs
    asked = views(bench)
    for filename, subfolder in (
        (name, ""),
        (name, output.subfolder),
        (output.filename, name),
        (f"{name}/{output.filename}", ""),
        (output.filename, f"{output.subfolder}/{name}"),
    ):
        with pytest.raises(NotFound):
            await bench.workbench.comfyui.image(filename, subfolder=subfolder)
    assert views(bench) == asked


@pytest.mark.parametrize("kind", ["", "models", "OUTPUT", "../output", "output\0"])
async def test_a_type_that_is_none_is_refused(bench, kind):
    with pytest.raises(ValidationFailed, match=r"type: .* is none of output, input, temp"):
        await bench.workbench.comfyui.image("a.png", type=kind)


async def test_a_file_of_ours_that_became_a_link_is_not_followed(bench):
    row = await bench.run(None, "a", seed=2)
    [output] = row.outputs
    path = bench.workbench.config.media_dir / output.content.rpartition("/")[2]
    path.unlink()
    path.symlink_to(bench.workbench.config.store_file)
    with pytest.raises(NotFound):
        await bench.workbench.comfyui.image(output.filename, subfolder=output.subfolder)
    assert bench.workbench.config.store_file.exists()


async def test_a_type_is_read_from_bytes_and_never_from_a_name(bench):
    """ComfyUI says `.png` of an HTML file: nothing is stored, and what is served is only bytes."""
    row = await bench.run(None, "a", seed=3)
    [output] = row.outputs
    again = await bench.submit(row.workflow_id, "a", seed=3)
    there = bench.sim.files.root / "output" / output.subfolder / output.filename
    there.write_bytes(b"<html><script>alert(1)</script></html>")
    again = await bench.ended(again)
    if again.outputs[0].content is None:  # it was read after it had been replaced
        assert (again.outputs[0].kind, len(again.warnings)) == ("file", 1)
        found = await bench.workbench.comfyui.image(output.filename, subfolder=output.subfolder)
        assert found.content_type == "application/octet-stream"


async def test_a_file_that_was_not_copied_is_fetched_with_the_type_of_its_bytes(own):
    own.sim.break_node("SaveImage")
    failed = await own.ended(await own.submit(None, "a"))
    session = failed.session_id
    now = failed.created_at
    async with Database(own.workbench.config.store_url) as database:
        profile = (await own.workbench.sessions.get(session)).profile_id
        for number, (name, content) in enumerate(
            {"a.png": b"<html></html>", "b.txt": picture(), "gone.png": b""}.items()
        ):
            if content:
                (own.sim.files.root / "output" / name).write_bytes(content)
            values = {
                "id": f"00000000-0000-4000-8000-00000000000{number}",
                "generation_id": failed.id,
                "created_at": now,
            }
            values |= {"profile_id": profile, "filename": name, "subfolder": "", "folder": "output"}
            await database.write(lambda tx, values=values: tx.insert(comfyui_files, **values))
    assert (await own.workbench.comfyui.image("a.png")).content_type == "application/octet-stream"
    assert (await own.workbench.comfyui.image("b.txt")).content_type == "image/png"
    with pytest.raises(NotFound, match=r"no longer has gone\.png"):
        await own.workbench.comfyui.image("gone.png")
    await own.sim.die()
    with pytest.raises(ProviderConnectionError):
        await own.workbench.comfyui.image("b.txt")


async def test_what_was_made_and_uploaded_is_there_while_comfyui_is_not(own):
    [output] = (await own.run(None, "a")).outputs
    upload = await own.workbench.comfyui.upload(picture(), filename="in.png")
    await own.sim.die()
    assert (await own.workbench.comfyui.image(output.filename, subfolder=output.subfolder)).content[:4] == b"\x89PNG"
    assert (await own.workbench.comfyui.image(upload.name, type="input")).content == picture()


async def test_an_upload_is_used_under_the_name_that_comfyui_gave_it(own):
    first = await own.workbench.comfyui.upload(picture("red"), filename="fox.png")
    second = await own.workbench.comfyui.upload(picture("blue"), filename="fox.png")
    assert (first.name, second.name) == ("fox.png", "fox (1).png")
    assert (second.type, second.width, second.height) == ("input", 40, 24)
    graph = comfy_graphs.graph(latent_image=["11", 0])
    graph["10"] = {"class_type": "LoadImage", "inputs": {"image": "example.png"}}
    graph["11"] = {"class_type": "VAEEncode", "inputs": {"pixels": ["10", 0], "vae": ["4", 2]}}
    row = await own.run(graph, "a", image=second.name)
    assert (await own.graph_of(row))["10"]["inputs"]["image"] == "fox (1).png"
    kept = (await own.workbench.generations.workflow(row.id)).ingredients
    assert [one["name"] for one in kept["inputs"]] == ["fox (1).png"]


async def test_the_same_upload_again_is_kept_once(own):
    for _ in range(3):
        upload = await own.workbench.comfyui.upload(picture("red"), filename="fox.png")
    assert [row.filename for row in await rows(own)] == [upload.name] == ["fox.png"]
    assert len([name for name in stored(own) if "thumb" not in name]) == 1
    assert (await own.workbench.comfyui.image("fox.png", type="input")).content == picture("red")


@pytest.mark.parametrize("name", ["evil.html", "a.svg.exe", "noending", "", "x.png/../../y"])
async def test_an_upload_is_stored_as_the_picture_that_it_is(own, name):
    upload = await own.workbench.comfyui.upload(picture(kind="WEBP"), filename=name)
    assert upload.name.endswith(".webp")
    assert upload.name in own.sim.files.inputs()


@pytest.mark.parametrize("content", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7", picture()[:-30]])
async def test_what_is_no_whole_picture_is_neither_uploaded_nor_stored(own, content):
    with pytest.raises(ValidationFailed):
        await own.workbench.comfyui.upload(content, filename="fox.png")
    assert own.sim.files.inputs() == ["example.png"]
    assert not own.workbench.config.media_dir.exists() or stored(own) == set()


async def test_an_upload_that_comfyui_does_not_take_leaves_nothing(own, monkeypatch):
    await own.workbench.workflows.list()
    await own.sim.die()
    with pytest.raises(ProviderConnectionError):
        await own.workbench.comfyui.upload(picture(), filename="fox.png")
    assert stored(own) == set()
    assert await rows(own) == []
    monkeypatch.setattr(comfyui, "MAX_UPLOAD", 10)
    with pytest.raises(PayloadTooLarge, match=r"fox\.png is larger"):
        await own.workbench.comfyui.upload(picture(), filename="fox.png")


A1111 = """a red fox, <lora:watercolor:0.8>
Negative prompt: blurry
Steps: 25, Sampler: DPM++ 2M Karras, CFG scale: 7.5, Seed: 4294967295, Size: 512x768, Model hash: abc, Model: dreams"""


async def test_metadata_is_read_whoever_wrote_it(bench):
    row = await bench.run(None, "a red fox", seed=2**64 - 1, steps=3)
    [output] = row.outputs
    ours = (await bench.workbench.media.open(output.content)).content
    async with httpx.AsyncClient() as client:
        query = {"filename": output.filename, "subfolder": output.subfolder}
        theirs = (await client.get(f"{bench.sim.url}/view", params=query)).content
    for content in (ours, theirs):
        told = await bench.workbench.comfyui.metadata(content)
        assert (told.prompt, told.negative_prompt, told.seed, told.steps) == ("a red fox", "blurry", 2**64 - 1, 3)
        assert (told.sampler_name, told.scheduler, told.cfg_scale) == ("euler", "normal", 7)
        assert told.spoon["generation_id"] == row.id
        assert told.workflow_json == (await bench.workbench.generations.workflow(row.id)).workflow_json


async def test_metadata_of_other_programs_is_read(bench):
    told = await bench.workbench.comfyui.metadata(picture(parameters=A1111))
    assert (told.source, told.seed, told.steps, told.cfg_scale) == ("a1111", 4294967295, 25, 7.5)
    assert (told.sampler_name, told.scheduler, told.checkpoint_name) == ("dpmpp_2m", "karras", "dreams")
    assert told.loras == ["watercolor"]
    foreign = picture(prompt=json.dumps(comfy_graphs.graph(seed=5, steps=8)))
    told = await bench.workbench.comfyui.metadata(foreign)
    assert (told.source, told.seed, told.steps, told.spoon) == ("comfyui", 5, 8, None)
    assert (told.prompt, told.negative_prompt) == (comfy_graphs.PROMPT, comfy_graphs.NEGATIVE)
    broken = await bench.workbench.comfyui.metadata(picture(prompt='{"3": 7}'))
    assert (broken.seed, broken.width, broken.height) == (None, 40, 24)


async def test_a_thumbnail_is_made_although_nobody_asks_for_it(own):
    [output] = (await own.run(None, "a")).outputs
    name = output.thumbnail.rpartition("/")[2]

    async def is_made():
        return name in stored(own)

    await until(is_made)


async def test_deleting_a_generation_deletes_its_files_and_nothing_else(own):
    kept = await own.run(None, "kept", batch_size=2)
    upload = await own.workbench.comfyui.upload(picture(), filename="in.png")
    for name in stored(own):
        await own.workbench.media.open(f"{name.partition('.')[0]}.thumb.webp")
    before = stored(own)
    row = await own.run(None, "gone", batch_size=2)
    for output in row.outputs:
        await own.workbench.media.open(output.thumbnail)
    assert len(stored(own)) == len(before) + 4  # two pictures with their thumbnails
    await own.workbench.generations.delete(row.id)
    assert stored(own) == before
    with pytest.raises(NotFound):
        await own.workbench.comfyui.image(row.outputs[0].filename, subfolder=row.outputs[0].subfolder)
    for output in kept.outputs:
        await own.workbench.comfyui.image(output.filename, subfolder=output.subfolder)
    await own.workbench.comfyui.image(upload.name, type="input")
    made = own.sim.files.root / "output" / row.outputs[0].subfolder
    assert len(list(made.iterdir())) == 4  # ComfyUI's own folder is its owner's

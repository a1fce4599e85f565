"""Answers of the recorded 0.3.64 beside the queue: files, uploads, odd requests."""

import json
from typing import Any

import aiohttp
import pytest

from comfy_client import Client
from comfy_recordings import RECORDINGS, transcript, txt2img
from comfy_replay import until
from spoonkernel.testing.comfy_sim import SimulatedComfyUI, routes

TOLD = ("Content-Type", "Content-Disposition", "Accept-Ranges")
FORMATS = {b"\x89PNG": "PNG", b"RIFF": "WEBP", b"\xff\xd8\xff\xe0": "JPEG"}


@pytest.fixture
def http(client: Client) -> aiohttp.ClientSession:
    return client.http


def requests(number: str) -> list[dict[str, Any]]:
    return [event for event in transcript(number)["events"] if event["kind"] == "http"]


async def test_files_are_served_as_recorded(sim: SimulatedComfyUI, http: aiohttp.ClientSession) -> None:
    output = sim.files.root / "output"
    (output / "evil.html").write_text("<b>hi</b>")
    (output / "evil.svg").write_text("<svg/>")
    graph = txt2img(_9__filename_prefix="rec/view")
    await http.post("/prompt", json={"prompt": graph})
    await until(lambda: sim.queue.history)
    views = [event for event in requests("31") if event["req"]["path"] == "/view" and "body" in event["req"]]
    gone = next(n for n, e in enumerate(views) if e["status"] == 404 and n and views[n - 1]["status"] == 304)
    for place, event in enumerate(views):
        if place == gone:
            (output / "rec" / "view_00001_.png").unlink()
        asked = event["req"]
        async with http.get("/view", params=asked["body"], headers=asked.get("headers") or {}) as answer:
            content = await answer.read()
            assert answer.status == event["status"], asked
            recorded = event["resp"]
            if answer.status in {200, 206}:
                ours = {name: answer.headers.get(name) for name in TOLD}
                assert ours == {name: recorded["headers"].get(name) for name in TOLD}, asked
                assert ("Etag" in answer.headers) == ("Etag" in recorded["headers"]), asked
                if answer.status == 200:
                    assert FORMATS.get(content[:4]) == recorded.get("format"), asked
            if answer.status == 206:
                assert answer.headers["Content-Range"].startswith("bytes 0-9/")
                assert len(content) == 10


async def test_another_sites_page_is_refused(sim: SimulatedComfyUI, http: aiohttp.ClientSession) -> None:
    (recorded,) = [e for e in requests("31") if (e["req"].get("headers") or {}).get("Origin")]
    async with http.get("/view", headers=recorded["req"]["headers"]) as answer:
        assert answer.status == recorded["status"] == 403
    async with http.get("/queue", headers={"Origin": sim.url}) as answer:
        assert answer.status == 200


async def test_uploads_are_named_as_recorded(http: aiohttp.ClientSession) -> None:
    contents = [b"one", b"one", b"two", b"three", *[b"four"] * 20]
    recorded = requests("32")
    posts = [event for event in recorded if event["req"]["method"] == "POST" and event["status"] != 413]
    for event, content in zip(posts, contents, strict=False):
        asked = event["req"]["body"]
        form = aiohttp.FormData()
        misnamed = event["status"] == 400 and "subfolder" not in asked
        form.add_field("file" if misnamed else "image", content, filename=asked["filename"])
        for name in ("overwrite", "subfolder", "type"):
            if name in asked:
                form.add_field(name, asked[name])
        async with http.post("/upload/image", data=form) as answer:
            assert answer.status == event["status"], asked
            if answer.status == 200:
                assert await answer.json() == event["resp"]
    async with http.get("/object_info/LoadImage") as answer:
        info = (await answer.json())["LoadImage"]["input"]["required"]["image"]
    told = recorded[-1]["resp"]["LoadImage"]["input"]["required"]["image"]
    assert set(told[0]) - {"noise_1024.png"} <= set(info[0])
    assert info[1:] == told[1:]


async def test_too_large_an_upload_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "MOST_UPLOAD", 1000)
    form = aiohttp.FormData()
    form.add_field("image", b"x" * 2000, filename="big.bin")
    async with (
        SimulatedComfyUI() as sim,
        aiohttp.ClientSession(sim.url) as http,
        http.post("/upload/image", data=form) as answer,
    ):
        assert answer.status == 413
        assert "Maximum request body size" in await answer.text()


@pytest.mark.parametrize("event", requests("33"), ids=lambda e: f"{e['req']['method']} {e['req']['path']}")
async def test_odd_requests_are_answered_as_recorded(event: dict[str, Any], http: aiohttp.ClientSession) -> None:
    asked = event["req"]
    options = {"json": asked["body"]} if asked.get("body") is not None else {}
    async with http.request(asked["method"], asked["path"], **options) as answer:
        assert answer.status == event["status"]
        if event["content_type"]:
            assert answer.content_type == event["content_type"].split(";")[0]  # aiohttp names one where there is none


@pytest.mark.parametrize("name", ["features", "prompt", "queue", "embeddings", "models"])
async def test_small_answers_are_the_recorded_ones(name: str, http: aiohttp.ClientSession) -> None:
    recorded = json.loads((RECORDINGS / "http" / f"{name}.json").read_text())
    for prefix in ("", "/api"):
        async with http.get(f"{prefix}/{name}") as answer:
            assert await answer.json() == recorded


async def test_answers_about_the_machine_have_the_recorded_fields(http: aiohttp.ClientSession) -> None:
    recorded = json.loads((RECORDINGS / "http" / "system_stats.json").read_text())
    async with http.get("/system_stats") as answer:
        ours = await answer.json()
    left_out = {"required_frontend_version", "installed_templates_version", "required_templates_version"}
    assert set(recorded["system"]) - left_out == set(ours["system"])
    assert set(recorded["devices"][0]) == set(ours["devices"][0])
    details = json.loads((RECORDINGS / "http" / "experiment_models_checkpoints.json").read_text())
    async with http.get("/experiment/models/checkpoints") as answer:
        assert set((await answer.json())[0]) == set(details[0])


async def test_class_descriptions_have_the_recorded_form(http: aiohttp.ClientSession) -> None:
    recorded = json.loads((RECORDINGS / "object_info.json").read_text(encoding="utf-8"))
    async with http.get("/object_info") as answer:
        ours = await answer.json()
    assert {"KSampler", "SaveImage", "UNETLoader", "SamplerCustomAdvanced", "SaveVideo"} <= set(ours)
    for class_type in set(ours) & set(recorded):
        for section in ("required", "optional"):
            assert list(ours[class_type]["input"].get(section, {})) == list(
                recorded[class_type]["input"].get(section, {})
            )
        assert ours[class_type]["output"] == recorded[class_type]["output"]
    async with http.get("/object_info/NoSuchNode") as answer:
        assert await answer.json() == {}

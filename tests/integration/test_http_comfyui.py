"""What HTTP adds to the ComfyUI rooms: files as bodies, names as they are, seeds to the last digit, waits that end."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from spoonkernel.types.base import Media, utc_now
from spoonkernel.types.comfyui import ImageMetadata, Upload
from spoonkernel.types.generations import Generation

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
MAX_UPLOAD = 104_857_600
ID = "00000000-0000-4000-8000-000000000000"
LARGEST_SEED = 2**64 - 1
LARGEST_SAFE = 2**53 - 1


class Room:
    """A room that notes what it was asked and answers what it was given."""

    def __init__(self, **answers: Any) -> None:
        self._answers, self.asked = answers, []

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **kwargs: Any) -> Any:
            self.asked.append((args, kwargs))
            return self._answers[name]

        return call


def generation(**fields: Any) -> Generation:
    values = {"id": ID, "session_id": ID, "prompt_id": ID, "prompt_text": "a fox", "status": "running"}
    return Generation(**values | {"created_at": utc_now()} | fields)


@pytest.fixture
def comfyui(workbench) -> Room:
    workbench.comfyui = Room(
        image=Media(content=PNG, content_type="image/png", filename="a fox.png"),
        upload=Upload(name="fox.png"),
        metadata=ImageMetadata(seed=LARGEST_SEED),
    )
    return workbench.comfyui


@pytest.mark.parametrize(
    ("sent", "arrived"),
    [
        ("ComfyUI_00042_.png", "ComfyUI_00042_.png"),
        ("a%20b%2Fc.png", "a b/c.png"),
        ("%2e%2e%2f%2e%2e%2fetc%2fpasswd", "../../etc/passwd"),
        ("..%5C..%5Cspoon.db", "..\\..\\spoon.db"),
        ("%2Fetc%2Fpasswd", "/etc/passwd"),
        ("%252e%252e%252fspoon.db", "%2e%2e%2fspoon.db"),
        ("a.png%00.txt", "a.png\0.txt"),
        ("nul.png", "nul.png"),
        ("C%3A%5CWindows%5Cwin.ini", "C:\\Windows\\win.ini"),
    ],
)
async def test_a_file_name_is_decoded_once_and_judged_by_the_service(api, comfyui, sent, arrived):
    reply = await api.get(f"/api/comfyui/image/{sent}", params={"subfolder": "../x\\y", "type": "temp"})
    assert reply.status_code == 200
    assert comfyui.asked == [((arrived,), {"subfolder": "../x\\y", "type": "temp"})]


async def test_the_example_of_the_reference_asks_for_the_output_folder_itself(api, comfyui):
    reply = await api.get("/api/comfyui/image/ComfyUI_00042_.png?subfolder=&type=output")
    assert (reply.content, reply.headers["content-type"]) == (PNG, "image/png")
    assert comfyui.asked == [(("ComfyUI_00042_.png",), {"type": "output"})]


async def test_a_type_that_is_no_folder_is_refused_by_name(api, comfyui):
    reply = await api.get("/api/comfyui/image/a.png?type=models")
    assert (reply.status_code, reply.json()["code"]) == (400, "VALIDATION_ERROR")
    assert "type" in reply.json()["error"]
    assert comfyui.asked == []


async def test_a_picture_is_shown_in_a_sandbox_and_sent_again_only_when_it_changed(api, comfyui):
    first = await api.get("/api/comfyui/image/a.png")
    assert first.headers["content-disposition"].startswith('inline; filename="a fox.png"')
    assert first.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert first.headers["x-content-type-options"] == "nosniff"
    assert first.headers["cache-control"] == "private, no-cache"
    known = {"If-None-Match": f'"other", W/{first.headers["etag"]}'}
    again = await api.get("/api/comfyui/image/a.png", headers=known)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    comfyui._answers["image"] = Media(content=PNG + b"\0", content_type="image/png", filename="a.png")
    changed = await api.get("/api/comfyui/image/a.png", headers=known)
    assert (changed.status_code, changed.content) == (200, PNG + b"\0")


async def test_what_could_run_is_saved_and_never_shown(api, comfyui):
    comfyui._answers["image"] = Media(content=b"<script>", content_type="image/svg+xml", filename="a.svg")
    reply = await api.get("/api/comfyui/image/a.svg")
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["content-disposition"].startswith("attachment;")


@pytest.mark.parametrize(
    "kind", ["image/png", "application/octet-stream", "application/json", "application/x-www-form-urlencoded", None]
)
async def test_a_file_is_the_body_whatever_its_content_type(api, comfyui, kind):
    headers = {"Content-Type": kind} if kind else {}
    content = bytes(range(256)) + b'{"not": json'
    uploaded = await api.post("/api/comfyui/upload?filename=fox.png&profileId=x", content=content, headers=headers)
    assert (uploaded.status_code, uploaded.json()["data"]["name"]) == (201, "fox.png")
    read = await api.post("/api/comfyui/metadata", content=content, headers=headers)
    assert (read.status_code, read.json()["data"]["seed"]) == (200, str(LARGEST_SEED))
    assert comfyui.asked == [((content,), {"filename": "fox.png", "profile_id": "x"}), ((content,), {})]


@pytest.mark.parametrize("query", ["", "?filename=", "?filename=" + "x" * 300])
async def test_an_upload_needs_a_name(api, comfyui, query):
    reply = await api.post(f"/api/comfyui/upload{query}", content=PNG)
    assert (reply.status_code, reply.json()["code"]) == (400, "VALIDATION_ERROR")
    assert "filename" in reply.json()["error"]
    assert comfyui.asked == []


@pytest.mark.parametrize("path", ["/api/comfyui/upload?filename=fox.png", "/api/comfyui/metadata"])
async def test_a_file_may_have_100_megabytes_and_not_a_byte_more(api, comfyui, path):
    assert (await api.post(path, content=bytes(MAX_UPLOAD))).status_code in {200, 201}
    assert [len(args[0]) for args, _ in comfyui.asked] == [MAX_UPLOAD]
    announced = await api.post(path, content=bytes(MAX_UPLOAD + 1))
    chunked = await api.post(path, content=pieces(MAX_UPLOAD + 1))
    for reply in (announced, chunked):
        assert (reply.status_code, reply.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert len(comfyui.asked) == 1


@pytest.mark.parametrize("path", ["/api/comfyui/prompt", "/api/comfyui/workflows"])
async def test_other_bodies_keep_their_limit(api, path):
    reply = await api.post(path, content=pieces(16_000_001), headers={"Content-Type": "application/json"})
    assert (reply.status_code, reply.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("seed", [0, LARGEST_SAFE, LARGEST_SAFE + 1, LARGEST_SEED])
async def test_a_seed_keeps_every_digit_both_ways(api, workbench, seed):
    answer = generation(seed=seed, parameters={"seed": seed, "many": [{"seed": seed}]})
    workbench.sessions = Room(generate=answer)
    for written in (str(seed), f'"{seed}"'):
        body = f'{{"prompt_text": "a fox", "parameters": {{"seed": {written}}}}}'
        path, headers = f"/api/comfyui/sessions/{ID}/generate", {"Content-Type": "application/json"}
        reply = await api.post(path, content=body, headers=headers | {"Idempotency-Key": "once"})
        assert reply.status_code == 201
    parameters = {"seed": seed}, {"seed": str(seed)}
    asked = [{"prompt_text": "a fox", "parameters": one, "idempotency_key": "once"} for one in parameters]
    assert workbench.sessions.asked == [((ID,), one) for one in asked]
    printed = seed if seed <= LARGEST_SAFE else str(seed)
    data = json.loads(reply.text)["data"]
    assert data["seed"] == printed
    assert data["parameters"] == {"seed": printed, "many": [{"seed": printed}]}


async def test_a_wait_ends_when_its_client_hangs_up(api, server_url, workbench):
    waiting, ended = asyncio.Event(), asyncio.Event()

    class Patient:
        async def get(self, _generation_id: str, *, wait_s: float = 0) -> Generation:
            waiting.set()
            try:
                await asyncio.sleep(wait_s)
            finally:
                ended.set()
            return generation()

    workbench.generations = Patient()
    async with asyncio.timeout(20), httpx.AsyncClient(timeout=60) as client:
        asking = asyncio.create_task(client.get(f"{server_url}/api/comfyui/generations/{ID}?waitS=60"))
        await waiting.wait()
        asking.cancel()
        await ended.wait()
    reply = await api.get(f"/api/comfyui/generations/{ID}?wait_s=0.01")
    assert (reply.status_code, reply.json()["data"]["status"]) == (200, "running")


@pytest.mark.parametrize("sent", ["-1", "61", "inf", "nan", "soon"])
async def test_a_wait_that_is_no_time_is_refused_by_name(api, workbench, sent):
    workbench.generations = Room(get=generation())
    reply = await api.get(f"/api/comfyui/generations/{ID}?waitS={sent}")
    assert (reply.status_code, "waitS" in reply.json()["error"]) == (400, True)
    assert workbench.generations.asked == []


async def pieces(size: int) -> AsyncIterator[bytes]:
    while size > 0:
        yield bytes(min(size, 1_000_000))
        size -= 1_000_000

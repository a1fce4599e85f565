"""The 33 endpoints of the reference's first part, over a real server: names, nesting, status codes, both spellings.

`REFERENCE` is written from the printed reference, not from the code, and so are the fields of its whole objects.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from openai_replies import CHAT, MODEL, MODELS, STREAM, ended, listed, said
from serving import served
from spoonkernel.api import ROOMS, endpoints
from spoonkernel.config import Config
from spoonkernel.testing.upstream import Upstream
from spoonkernel.workbench import Workbench
from spoonserver.app import create_app

pytestmark = pytest.mark.asyncio(loop_scope="module")

REFERENCE = """
GET /health
GET /models
GET /models/:
POST /models/:/load
POST /models/:/unload
GET /models/:/status
GET /settings
GET /settings/:
PUT /settings/:
POST /settings/:/test
DELETE /settings/:
GET /profiles
POST /profiles
GET /profiles/:
PUT /profiles/:
DELETE /profiles/:
GET /profiles/:/models
POST /profiles/:/models
DELETE /profiles/:/models/:
POST /profiles/:/models/sync
POST /profiles/test-connection
POST /chat
GET /tasks
POST /tasks
GET /tasks/:
DELETE /tasks/:
POST /tasks/:/retry
GET /tasks/history
GET /tasks/history/export
GET /results
GET /results/:
GET /results/:/download
DELETE /results/:
"""
OURS = {"POST /chat/stream", "POST /models/:/pull"}
PROFILE = {
    *("id", "name", "description", "type", "provider", "api_key", "url", "options", "prompt_template"),
    *("input_modalities", "output_modalities", "created_at", "updated_at"),
}
SETTINGS = {
    *("id", "provider", "apiKey", "endpointUrl", "defaultModel", "lastTested", "status", "errorMessage"),
    *("createdAt", "updatedAt"),
}
TASK = {"id", "name", "type", "provider", "prompt", "options", "status", "error", "created_at", "completed_at"}
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
KEY = "sk-test-1234567890"
LLAMA = {"name": "llama3:latest", "model": "llama3:latest", "size": 4_700_000_000}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as opened:
        opened.reply(MODELS, json=listed("gpt-4o", "gpt-4o-mini"))
        opened.reply("/api/tags", json={"models": [LLAMA]})
        opened.reply("/api/ps", json={"models": []})
        opened.reply("/api/show", json={"template": "{{ .Prompt }}", "parameters": "temperature 0.7"})
        opened.reply("/api/generate", json={"done": True})
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    config = Config(data_dir=tmp_path_factory.mktemp("data"), ollama_url=upstream.url, stop_deadline_s=0)
    async with (
        served(create_app(Workbench(config))) as url,
        httpx.AsyncClient(base_url=f"{url}/api", timeout=20) as client,
    ):
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def profile(api: httpx.AsyncClient, upstream: Upstream) -> dict[str, Any]:
    body = {"name": "Scripted", "type": "text", "provider": "openai", "apiKey": KEY, "url": f"{upstream.url}/v1"}
    return data(await api.post("/profiles", json=body), 201)


def data(reply: httpx.Response, status: int = 200) -> Any:
    body = reply.json()
    assert (reply.status_code, body["success"]) == (status, True), body
    assert set(body) == {"success", "data"}
    return body["data"]


def message(reply: httpx.Response) -> str:
    body = reply.json()
    assert (reply.status_code, body["success"]) == (200, True), body
    assert set(body) == {"success", "message"}
    return body["message"]


def refused(reply: httpx.Response, status: int, code: str) -> str:
    body = reply.json()
    assert (reply.status_code, body["success"], body["code"], body["statusCode"]) == (status, False, code, status)
    assert set(body) == {"success", "error", "code", "statusCode"}
    return body["error"]


def plain(method: str, path: str) -> str:
    """An endpoint without its parameters' names: `GET /tasks/:`."""
    parts = [":" if part.startswith("{") else part for part in path.split("/")]
    return f"{method.upper()} {'/'.join(parts)}"


async def test_the_marks_and_the_application_have_exactly_the_endpoints_of_the_reference(api):
    printed = set(REFERENCE.split("\n")) - {""}
    assert len(printed) == 33
    marked = [endpoint for room in ROOMS.values() for endpoint in endpoints(room).values()]
    assert {plain(one.method, one.path) for one in marked if not one.ours} == printed
    assert {plain(one.method, one.path) for one in marked if one.ours} == OURS
    document = (await api.get(str(api.base_url).removesuffix("/api/") + "/openapi.json")).json()
    served_paths = {
        plain(method, path.removeprefix("/api"))
        for path, methods in document["paths"].items()
        if path.startswith("/api")
        for method in methods
    }
    assert served_paths == printed | OURS


async def test_health(api):
    health = data(await api.get("/health"))
    assert set(health) == {"status", "timestamp", "services"}
    assert set(health["services"]) == {"database", "redis", "ollama", "comfyui"}
    assert_time(health["timestamp"])


async def test_models(api):
    [model] = [one for one in data(await api.get("/models")) if one["name"] == "llama3:latest"]
    assert set(model) == {
        "name",
        "size",
        "loaded",
        "capabilities",
        "description",
        "parameters",
        "provider",
        "profile_id",
    }
    assert (model["size"], model["loaded"]) == ("4.7 GB", False)
    found = data(await api.get("/models/llama3:latest"))
    assert set(found) == {*model, "template"}
    assert message(await api.post("/models/llama3:latest/load")) == "Model llama3:latest loaded successfully"
    assert message(await api.post("/models/llama3:latest/unload")) == "Model llama3:latest unloaded successfully"
    status = data(await api.get("/models/llama3%3Alatest/status"))
    assert set(status) == {"name", "loaded", "lastUsed"}
    for reply in (await api.get("/models/a%2Fb:c"), await api.post("/models/a%2Fb:c/load")):
        assert refused(reply, 404, "NOT_FOUND") == "Model a/b:c not found"


@pytest.mark.parametrize(
    "spelled", [("apiKey", "endpointUrl", "defaultModel"), ("api_key", "endpoint_url", "default_model")]
)
async def test_settings(api, upstream, spelled):
    body = dict(zip(spelled, (KEY, f"{upstream.url}/v1", "gpt-4o"), strict=True))
    assert message(await api.put("/settings/openai", json=body)) == "Settings for openai updated"
    found = data(await api.get("/settings/openai"))
    assert set(found) == SETTINGS
    assert (found["apiKey"], found["defaultModel"], found["status"]) == ("sk-...7890", "gpt-4o", "untested")
    assert_time(found["createdAt"])
    tested = data(await api.post("/settings/openai/test"))
    assert (set(tested) - {"models"}, tested["connected"]) == ({"connected", "latency", "model"}, True)
    assert [one["provider"] for one in data(await api.get("/settings"))] == ["openai"]
    assert message(await api.delete("/settings/openai")) == "Settings for openai deleted"
    assert refused(await api.get("/settings/openai"), 404, "NOT_FOUND") == "Settings for openai not found"
    assert "apiKey is required" in refused(await api.put("/settings/openai", json={}), 400, "VALIDATION_ERROR")
    refused(await api.get("/settings/ollama"), 400, "BAD_REQUEST")


async def test_a_failed_connection_test_is_printed_with_its_error_alone(api):
    body = {"provider": "openai", "apiKey": KEY, "url": "http://127.0.0.1:9/v1"}
    tested = data(await api.post("/profiles/test-connection", json=body))
    assert set(tested) == {"connected", "error"}
    assert tested["connected"] is False


async def test_profiles(api, profile):
    assert set(profile) == PROFILE
    assert profile["api_key"] == "sk-...7890"
    assert_time(profile["created_at"])
    path = f"/profiles/{profile['id']}"
    assert data(await api.get(path)) == profile
    assert data(await api.get("/profiles", params={"provider": "openai"}))[0] == profile
    assert data(await api.get("/profiles", params={"provider": "comfyui"})) == []
    changed = data(await api.put(path, json={"name": "v2", "options": {"temperature": 0.8}}))
    assert (changed["name"], changed["options"], changed["url"]) == ("v2", {"temperature": 0.8}, profile["url"])
    assert message(await api.delete(path)) == "Profile deleted"
    assert refused(await api.get(path), 404, "NOT_FOUND") == f"Profile {profile['id']} not found"


async def test_profile_models(api, profile):
    path = f"/profiles/{profile['id']}/models"
    added = data(await api.post(path, json={"modelId": "org/gpt:4", "name": "GPT 4"}), 201)
    assert (added["profile_id"], added["model_id"], added["name"]) == (profile["id"], "org/gpt:4", "GPT 4")
    assert set(added) == {"id", "profile_id", "model_id", "name", "created_at"}
    assert data(await api.get(path)) == [added]
    assert message(await api.delete(f"{path}/org%2Fgpt:4")) == "Model removed from profile"
    synced = data(await api.post(f"{path}/sync"))
    assert synced == {"added": 2, "removed": 0, "models": ["gpt-4o", "gpt-4o-mini"]}
    tested = data(
        await api.post("/profiles/test-connection", json={"provider": "openai", "apiKey": KEY, "url": profile["url"]})
    )
    assert set(tested) == {"connected", "latency", "models"}


async def test_chat(api, upstream, profile):
    upstream.reply(CHAT, headers=STREAM, chunks=[said("Paris."), ended()])
    body = {
        "provider": "openai",
        "model": MODEL,
        "messages": [{"role": "user", "content": "Where?"}],
        "temperature": 0.5,
    }
    answer = data(await api.post("/chat", json=body | {"profileId": profile["id"]}))
    assert {"response", "provider", "model", "usage"} <= set(answer)
    assert (answer["response"], answer["provider"], answer["model"]) == ("Paris.", "openai", MODEL)
    assert answer["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    assert upstream.requests[-1].json["temperature"] == 0.5
    assert "messages" in refused(await api.post("/chat", json=body | {"messages": []}), 400, "VALIDATION_ERROR")
    unknown = body | {"profile_id": "abc123"}
    assert refused(await api.post("/chat", json=unknown), 404, "NOT_FOUND") == "Profile abc123 not found"
    refused(await api.post("/chat", json=body | {"provider": "comfyui"}), 400, "VALIDATION_ERROR")


async def test_tasks_and_results(api, upstream, profile):
    upstream.reply(CHAT, headers=STREAM, chunks=[said("Paris."), ended()])
    options = {"model": MODEL, "profileId": profile["id"], "max_tokens": 500}
    body = {"name": "Ask", "type": "text", "provider": "openai", "prompt": "Where?", "options": options}
    created = data(await api.post("/tasks", json=body, headers={"Idempotency-Key": "once"}), 201)
    assert set(created) >= TASK
    assert (created["status"], created["options"]) == ("pending", options)
    assert data(await api.post("/tasks", json=body, headers={"Idempotency-Key": "once"}), 201)["id"] == created["id"]
    refused(await api.post("/tasks", json=body | {"name": "x"}, headers={"Idempotency-Key": "once"}), 409, "CONFLICT")

    path = f"/tasks/{created['id']}"
    done = await ended_row(api, path)
    assert (done["status"], done["retryCount"]) == ("complete", 0)
    assert_time(done["completed_at"])
    assert data(await api.get("/tasks", params={"status": "complete"}))[0] == done
    refused(await api.post(f"{path}/retry"), 409, "CONFLICT")

    history = (await api.get("/tasks/history", params={"search": "ask", "dateTo": done["created_at"][:10]})).json()
    assert set(history) == {"success", "data", "pagination"}
    assert history["data"] == [done]
    assert history["pagination"] == {"page": 1, "limit": 20, "total": 1, "totalPages": 1}
    export = data(await api.get("/tasks/history/export", params={"format": "json"}))
    assert set(export) == {"filename", "content"}
    table = await api.get("/tasks/history/export", params={"format": "csv"})
    assert table.headers["content-type"].startswith("text/csv")
    assert table.headers["content-disposition"].startswith("attachment")
    refused(await api.get("/tasks/history/export", params={"format": "pdf"}), 400, "VALIDATION_ERROR")

    [result] = data(await api.get("/results", params={"task_id": created["id"]}))
    assert set(result) == {"id", "task_id", "type", "content", "metadata", "created_at"}
    assert data(await api.get(f"/results/{result['id']}")) == result
    download = await api.get(f"/results/{result['id']}/download")
    assert (download.content, download.headers["content-type"]) == (b"Paris.", "text/plain; charset=utf-8")
    assert message(await api.delete(f"/results/{result['id']}")) == "Result deleted"
    assert refused(await api.get(f"/results/{result['id']}"), 404, "NOT_FOUND") == f"Result {result['id']} not found"
    assert message(await api.delete(path)) == "Task deleted"
    assert refused(await api.get(path), 404, "NOT_FOUND") == f"Task {created['id']} not found"


async def test_a_failed_task_is_retried(api, profile):
    await api.put(f"/profiles/{profile['id']}", json={"url": profile["url"] + "/wrong", "apiKey": KEY})
    options = {"model": MODEL, "profileId": profile["id"]}
    body = {"name": "Ask", "type": "text", "provider": "openai", "prompt": "Where?", "options": options}
    path = f"/tasks/{data(await api.post('/tasks', json=body), 201)['id']}"
    failed = await ended_row(api, path)
    assert failed["status"] == "failed"
    assert failed["error"]
    again = data(await api.post(f"{path}/retry"))
    assert again == {"id": failed["id"], "status": "pending", "retryCount": 1}


async def ended_row(api: httpx.AsyncClient, path: str) -> dict[str, Any]:
    """A task's row once it has ended: over plain HTTP there is nothing to wait for but the row."""
    async with asyncio.timeout(15):
        while (row := data(await api.get(path)))["status"] in {"pending", "running"}:
            await asyncio.sleep(0.02)
    return row


def assert_time(text: str) -> None:
    assert re.fullmatch(TIME, text), text

"""The endpoints of the reference, over a real server: names, nesting, status codes, both spellings.

`REFERENCE` is written from the printed reference, not from the code, and so are the fields of its whole objects.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from comfy_graphs import graph
from openai_replies import CHAT, MODEL, MODELS, STREAM, ended, listed, said
from serving import served
from spoonkernel.api import ROOMS, endpoints
from spoonkernel.config import Config
from spoonkernel.testing.comfy_sim import SimulatedComfyUI
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
GET /comfyui/options
GET /comfyui/sessions
POST /comfyui/sessions
GET /comfyui/sessions/:
PUT /comfyui/sessions/:
DELETE /comfyui/sessions/:
POST /comfyui/sessions/:/generate
GET /comfyui/workflows
POST /comfyui/workflows
GET /comfyui/workflows/:
PUT /comfyui/workflows/:
PATCH /comfyui/workflows/:/parameters
DELETE /comfyui/workflows/:
POST /comfyui/workflows/:/execute
GET /comfyui/workflows/:/generations
GET /comfyui/generations/:
GET /comfyui/generations/:/workflow
DELETE /comfyui/generations/:
GET /comfyui/image/:
POST /comfyui/prompt
POST /database/query
GET /database/tables
GET /database/tables/:/schema
"""
OURS = {
    *("POST /database/arrow", "POST /database/export"),
    *("POST /chat/stream", "POST /models/:/pull", "POST /comfyui/upload", "POST /comfyui/metadata"),
    *("GET /comfyui/generations", "POST /comfyui/generations/:/cancel", "POST /comfyui/generations/:/reproduce"),
    *("GET /comfyui/generations/:/diff/:", "POST /comfyui/generations/:/remake"),
    *("GET /comfyui/generations/index", "PATCH /comfyui/generations/:"),
    *("GET /conversations", "POST /conversations", "GET /conversations/:", "PUT /conversations/:"),
    *("DELETE /conversations/:", "POST /conversations/:/attachments", "POST /conversations/:/turns"),
    *("POST /conversations/:/turns/:/reply", "DELETE /conversations/:/turns/:"),
}
PROFILE = {
    *("id", "name", "description", "type", "provider", "api_key", "url", "options", "prompt_template"),
    *("input_modalities", "output_modalities", "created_at", "updated_at"),
}
SETTINGS = {
    *("id", "provider", "apiKey", "endpointUrl", "defaultModel", "lastTested", "status", "errorMessage"),
    *("createdAt", "updatedAt"),
}
TASK = {"id", "name", "type", "provider", "prompt", "options", "status", "error", "created_at", "completed_at"}
SESSION = {
    *("id", "profile_id", "profile_name", "profile_url", "title", "current_workflow_id", "last_parameters"),
    *("generation_count", "completed_count", "failed_count", "created_at", "updated_at"),
}
SUMMARY = {
    *("id", "name", "description", "profile_id", "profile_name", "is_default", "generation_count"),
    *("default_parameters", "created_at"),
}
GENERATION = {
    *("id", "session_id", "workflow_id", "prompt_id", "prompt_text", "negative_prompt", "parameters", "width"),
    *("height", "steps", "cfg_scale", "seed", "sampler_name", "scheduler", "batch_size", "checkpoint_name"),
    *("loras_used", "status", "generation_time_seconds", "outputs", "created_at"),
}
CONVERSATION = {
    *("id", "title", "provider", "model", "profile_id", "system", "options", "active_turn_id", "turn_count"),
    *("created_at", "updated_at"),
}
TURN = {
    *("id", "conversation_id", "parent_id", "role", "text", "attachments", "state", "provider", "model", "profile_id"),
    *("error", "warnings", "finish_reason", "usage", "first_token_ms", "duration_ms", "cost_usd", "created_at"),
}
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
async def sim() -> AsyncIterator[SimulatedComfyUI]:
    async with SimulatedComfyUI() as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(
    upstream: Upstream, sim: SimulatedComfyUI, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    folder = tmp_path_factory.mktemp("data")
    config = Config(data_dir=folder, ollama_url=upstream.url, comfyui_url=sim.url, stop_deadline_s=0)
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
    assert len(printed) == 56
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


async def test_comfyui_options(api):
    options = data(await api.get("/comfyui/options"))
    assert set(options) >= {"samplers", "schedulers", "dimensions", "checkpoints", "loras"}
    assert options["dimensions"] == [512, 768, 832, 896, 1024, 1152, 1216, 1344, 1536]
    # COMFYUI_URL makes a profile at first use
    [local] = data(await api.get("/profiles", params={"provider": "comfyui"}))
    assert local["name"] == "Local ComfyUI"
    refused(await api.get("/comfyui/options", params={"profileId": "abc123"}), 404, "NOT_FOUND")


@pytest.mark.parametrize("spelled", ["profileId", "profile_id"])
async def test_sessions(api, sim, spelled):
    data(await api.get("/comfyui/options"))
    [local] = data(await api.get("/profiles", params={"provider": "comfyui"}))
    session = data(await api.post("/comfyui/sessions", json={spelled: local["id"], "title": "Character Designs"}), 201)
    assert set(session) == SESSION
    assert (session["profile_name"], session["profile_url"]) == ("Local ComfyUI", sim.url)
    assert (session["generation_count"], session["last_parameters"]) == (0, {})
    assert_time(session["created_at"])
    path = f"/comfyui/sessions/{session['id']}"
    assert data(await api.get(path)) == session | {"generations": []}
    assert data(await api.get("/comfyui/sessions"))[0] == session
    changed = data(await api.put(path, json={"title": "Mountain Landscapes"}))
    assert (set(changed), changed["title"]) == (SESSION, "Mountain Landscapes")
    assert "title" in refused(await api.put(path, json={"title": ""}), 400, "VALIDATION_ERROR")
    assert "title" in refused(await api.post("/comfyui/sessions", json={"title": 7}), 400, "VALIDATION_ERROR")
    assert message(await api.delete(path)) == "Session deleted"
    assert refused(await api.get(path), 404, "NOT_FOUND") == f"Session {session['id']} not found"


@pytest.mark.parametrize("spelled", [("workflowJson", "defaultParameters"), ("workflow_json", "default_parameters")])
async def test_workflows(api, spelled):
    body = {"name": "Fox", "description": "Small", **dict(zip(spelled, (graph(), {"steps": 3}), strict=True))}
    workflow = data(await api.post("/comfyui/workflows", json=body), 201)
    assert set(workflow) >= SUMMARY | {"workflow_json", "extracted_parameters"}
    assert (workflow["workflow_json"], workflow["default_parameters"]) == (graph(), {"steps": 3})
    seed, steps = workflow["extracted_parameters"][:2]
    printed = {"nodeId": "3", "field": "seed", "type": "seed", "value": 2012915689}
    assert seed.items() >= printed.items()
    assert steps.items() >= {"nodeId": "3", "field": "steps", "type": "number", "value": 4}.items()
    path = f"/comfyui/workflows/{workflow['id']}"
    assert data(await api.get(path)) == workflow
    listed = data(await api.get("/comfyui/workflows"))[0]
    assert set(listed) >= SUMMARY
    assert not {"workflow_json", "extracted_parameters"} & set(listed)
    assert {name: workflow[name] for name in listed} == listed
    changed = data(await api.put(path, json={"name": "v2", "description": "Updated workflow"}))
    assert (changed["name"], changed["description"], changed["workflow_json"]) == ("v2", "Updated workflow", graph())
    turned = {spelled[1]: {"steps": 30, "cfg_scale": 8}, "is_default": True}
    turned = data(await api.patch(f"{path}/parameters", json=turned))
    assert (turned["default_parameters"], turned["is_default"]) == ({"steps": 30, "cfg_scale": 8}, True)
    assert "name" in refused(await api.post("/comfyui/workflows", json={"workflowJson": {}}), 400, "VALIDATION_ERROR")
    assert message(await api.delete(path)) == "Workflow deleted"
    assert refused(await api.get(path), 404, "NOT_FOUND") == f"Workflow {workflow['id']} not found"


async def test_generations_and_images(api, sim):
    workflow = data(await api.post("/comfyui/workflows", json={"name": "Fox", "workflowJson": graph()}), 201)
    session = data(await api.post("/comfyui/sessions", json={}), 201)
    body = {"prompt_text": "a fox", "workflow_id": workflow["id"], "parameters": {"steps": 2, "seed": 2**64 - 1}}
    path = f"/comfyui/sessions/{session['id']}/generate"
    created = data(await api.post(path, json=body, headers={"Idempotency-Key": "fox"}), 201)
    assert set(created) >= GENERATION
    assert (created["seed"], created["parameters"]["seed"]) == (str(2**64 - 1), str(2**64 - 1))
    assert (created["session_id"], created["workflow_id"]) == (session["id"], workflow["id"])
    assert data(await api.post(path, json=body, headers={"Idempotency-Key": "fox"}), 201)["id"] == created["id"]
    refused(await api.post(path, json=body | {"promptText": "x"}, headers={"Idempotency-Key": "fox"}), 409, "CONFLICT")
    assert "promptText is required" in refused(await api.post(path, json={}), 400, "VALIDATION_ERROR")

    one = f"/comfyui/generations/{created['id']}"
    done = data(await api.get(one, params={"waitS": 20}))
    assert (done["status"], set(done)) == ("complete", set(created))
    assert_time(done["created_at"])
    for listing in ("/comfyui/generations", f"/comfyui/workflows/{workflow['id']}/generations"):
        assert data(await api.get(listing))[0] == done
    assert data(await api.get(f"/comfyui/sessions/{session['id']}"))["generations"] == [done]
    snapshot = data(await api.get(f"{one}/workflow"))
    assert set(snapshot) >= {"generation_id", "workflow_json", "parameters", "prompt_text", "negative_prompt"}
    assert snapshot["workflow_json"]["3"]["inputs"]["seed"] == str(2**64 - 1)

    [output] = done["outputs"]
    picture = await api.get(f"/comfyui/image/{output['filename']}?subfolder={output['subfolder']}&type=output")
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/png")
    assert picture.content.startswith(b"\x89PNG")
    assert refused(await api.get("/comfyui/image/..%2F..%2Fspoon.db"), 404, "NOT_FOUND")
    told = data(await api.post("/comfyui/metadata", content=picture.content))
    assert (told["seed"], told["prompt"]) == (str(2**64 - 1), "a fox")
    upload = data(await api.post("/comfyui/upload?filename=fox.png", content=picture.content), 201)
    assert (upload["name"], upload["type"]) == ("fox.png", "input")

    rated = data(await api.patch(one, json={"rating": 5, "index": 0}))
    assert (rated["rating"], rated["outputs"][0]["rating"]) == (5, 5)
    [tile] = data(await api.get("/comfyui/generations/index", params={"minRating": 5}))
    assert (tile["id"], tile["seed"], tile["outputs"][0]["rating"]) == (created["id"], str(2**64 - 1), 5)
    assert data(await api.patch(one, json={"rating": None})) == done
    assert "rating is required" in refused(await api.patch(one, json={}), 400, "VALIDATION_ERROR")

    again = data(await api.post(f"{one}/reproduce"), 201)
    assert (again["verdict"], again["generation"]["reproduces"]) == ("IDENTICAL", created["id"])
    diff = data(await api.get(f"{one}/diff/{again['generation']['id']}"))
    assert (diff["verdict"], diff["other_id"]) == ("IDENTICAL", again["generation"]["id"])
    assert set(data(await api.post(f"{one}/remake", json={"index": 0}), 201)) == set(created)
    refused(await api.post(f"{one}/remake", json={}), 400, "VALIDATION_ERROR")
    refused(await api.post(f"{one}/cancel"), 409, "CONFLICT")
    assert message(await api.delete(one)) == "Generation deleted"
    assert refused(await api.get(one), 404, "NOT_FOUND") == f"Generation {created['id']} not found"


@pytest.mark.parametrize("spelled", [("profileId", "activeTurnId"), ("profile_id", "active_turn_id")])
async def test_conversations(api, upstream, profile, spelled):
    upstream.reply(CHAT, headers=STREAM, chunks=[said("Because"), ended()])
    body = {"provider": "openai", "model": MODEL, spelled[0]: profile["id"]}
    made = data(await api.post("/conversations", json=body), 201)
    assert set(made) == CONVERSATION
    assert (made["profile_id"], made["title"], made["turn_count"]) == (profile["id"], "", 0)
    path = f"/conversations/{made['id']}"
    question = data(await api.post(f"{path}/turns", json={"text": "Why?"}), 201)
    assert set(question) == TURN
    assert_time(question["created_at"])
    streamed = await api.post(f"{path}/turns/{question['id']}/reply")
    answer = json.loads(streamed.text.rpartition("event: done\ndata: ")[2])["response"]
    whole = data(await api.get(path))
    assert set(whole) == CONVERSATION | {"turns"}
    assert [(turn["role"], turn["text"], turn["state"]) for turn in whole["turns"]] == [
        ("user", "Why?", "complete"),
        ("assistant", answer, "complete"),
    ]
    assert {name: whole[name] for name in made} in data(await api.get("/conversations?search=WHY"))
    assert data(await api.put(path, json={spelled[1]: question["id"]}))["active_turn_id"] == question["id"]
    assert data(await api.delete(f"{path}/turns/{question['id']}"))["turns"] == []
    assert "text is required" in refused(await api.post(f"{path}/turns", json={}), 400, "VALIDATION_ERROR")
    assert refused(await api.post(f"{path}/attachments?filename=x", content=b"x"), 400, "VALIDATION_ERROR")
    assert message(await api.delete(path)) == "Conversation deleted"
    assert refused(await api.get(path), 404, "NOT_FOUND") == f"Conversation {made['id']} not found"


async def test_prompts_without_a_session(api):
    workflow = data(await api.post("/comfyui/workflows", json={"name": "Fox", "workflowJson": graph()}), 201)
    run = f"/comfyui/workflows/{workflow['id']}/execute"
    row = data(await api.post(run, json={"parameters": {"prompt": "A beautiful sunset", "seed": 12345}}), 201)
    assert (row["prompt_text"], row["seed"], row["workflow_id"]) == ("A beautiful sunset", 12345, workflow["id"])
    assert data(await api.post(run), 201)["session_id"] == row["session_id"]
    body = {"sessionId": row["session_id"], "prompt": "A beautiful sunset", "negativePrompt": "blurry"}
    row = data(await api.post("/comfyui/prompt", json=body), 201)
    assert (row["session_id"], row["prompt_text"], row["negative_prompt"]) == tuple(body.values())
    assert "prompt" in refused(await api.post("/comfyui/prompt", json={}), 400, "VALIDATION_ERROR")


async def test_a_comfyui_that_is_away_is_a_503_with_its_sentence_and_a_failed_row(api):
    away = {"name": "Away", "type": "image", "provider": "comfyui", "url": "http://127.0.0.1:9"}
    profile = data(await api.post("/profiles", json=away), 201)
    session = data(await api.post("/comfyui/sessions", json={"profileId": profile["id"]}), 201)
    path = f"/comfyui/sessions/{session['id']}/generate"
    said = refused(await api.post(path, json={"prompt_text": "a fox"}), 503, "PROVIDER_CONNECTION_ERROR")
    assert said.startswith("Cannot connect to ComfyUI. Is it running?")
    [row] = data(await api.get("/comfyui/generations", params={"sessionId": session["id"]}))
    assert (row["status"], row["error"]) == ("failed", said)


async def ended_row(api: httpx.AsyncClient, path: str) -> dict[str, Any]:
    """A task's row once it has ended: over plain HTTP there is nothing to wait for but the row."""
    async with asyncio.timeout(15):
        while (row := data(await api.get(path)))["status"] in {"pending", "running"}:
            await asyncio.sleep(0.02)
    return row


def assert_time(text: str) -> None:
    assert re.fullmatch(TIME, text), text

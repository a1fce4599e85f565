"""The documentation: every schema, and nothing from outside."""

import re

import pytest

from spoonserver.docs import STYLE_HASH

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_openapi_names_every_room_and_never_a_422(shared_api):
    document = (await shared_api.get("/openapi.json")).json()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert {tag for one in operations for tag in one["tags"]} == {
        *("Health", "Models", "Settings", "Profiles", "Chat", "Tasks", "Results"),
        *("ComfyUI", "Sessions", "Workflows", "Generations", "Conversations", "Database"),
    }
    assert not [one["operationId"] for one in operations if "422" in one["responses"]]
    assert len({one["operationId"] for one in operations}) == len(operations)


async def test_every_reference_in_openapi_leads_somewhere(shared_api):
    reply = await shared_api.get("/openapi.json")
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', reply.text))
    assert named <= reply.json()["components"]["schemas"].keys()
    assert {"Profile", "ProfileCreate", "ChatRequest", "ErrorBody", "StreamErrorBody", "PullProgress"} <= named


async def test_openapi_spells_requests_and_answers_as_printed(shared_api):
    schemas = (await shared_api.get("/openapi.json")).json()["components"]["schemas"]
    assert {"apiKey", "promptTemplate"} <= schemas["ProfileCreate"]["properties"].keys()
    assert {"api_key", "prompt_template"} <= schemas["Profile"]["properties"].keys()
    assert {"apiKey", "lastTested"} <= schemas["ProviderSettings"]["properties"].keys()
    assert "retryCount" in schemas["Task"]["properties"]


async def test_a_stream_is_documented_by_its_events(shared_api):
    stream = (await shared_api.get("/openapi.json")).json()["paths"]["/api/chat/stream"]["post"]["responses"]
    kinds = stream["200"]["content"]["text/event-stream"]["schema"]["anyOf"]
    assert [kind["$ref"].rsplit("/", 1)[1] for kind in kinds] == ["TextDelta", "ChatReply", "StreamErrorBody"]
    assert [*stream["4XX"]["content"]] == ["application/json"]


async def test_the_docs_page_lists_every_endpoint_and_asks_nothing_from_outside(shared_api):
    document = (await shared_api.get("/openapi.json")).json()
    reply = await shared_api.get("/docs")
    assert reply.headers["content-type"].startswith("text/html")
    for path, methods in document["paths"].items():
        for method in methods:
            assert f'<span class="method">{method.upper()}</span> <code>{path}</code>' in reply.text
    assert not re.findall(r"<script|<img|<link|@import|url\(|https?://", reply.text)
    assert f"style-src 'sha256-{STYLE_HASH}'" in reply.headers["content-security-policy"]

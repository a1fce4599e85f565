"""Whatever a request gets wrong, the answer is the reference's envelope and says what to do."""

import httpx
import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROFILE = {"name": "Cloud", "type": "text", "provider": "openai"}
JSON = {"Content-Type": "application/json"}


def error(reply: httpx.Response, status: int, code: str) -> str:
    """The sentence of an error answer, after its frame was checked."""
    assert reply.headers["content-type"] == "application/json"
    body = reply.json()
    assert (reply.status_code, body["success"], body["code"], body["statusCode"]) == (status, False, code, status)
    assert set(body) == {"success", "error", "code", "statusCode"}
    return body["error"]


@pytest.mark.parametrize("path", ["/nothing", "/api", "/api/nothing", "/api/profiles/a/b/c", "/storage/media"])
async def test_unknown_routes_are_404(shared_api, path):
    assert path in error(await shared_api.get(path), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/api/profiles", "GET, POST, HEAD"),
        ("POST", "/api/health", "GET, HEAD"),
        ("GET", "/api/chat", "POST"),
        ("PUT", "/api/tasks/history", "GET, DELETE, HEAD"),
        ("POST", f"/api/settings/{'00000000-0000-4000-8000-000000000000'}", "GET, PUT, DELETE, HEAD"),
    ],
)
async def test_wrong_methods_are_405_and_name_the_right_ones(shared_api, method, path, allowed):
    reply = await shared_api.request(method, path)
    error(reply, 405, "METHOD_NOT_ALLOWED")
    assert reply.headers["allow"] == allowed


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"name": ', id="cut off"),
        pytest.param(b"name=x", id="a form"),
        pytest.param(b'{"name": NaN}', id="NaN"),
        pytest.param(b'{"name": -Infinity}', id="infinity"),
        pytest.param(b'{"options": {"seed": 1e999}}', id="a number beyond a double"),
        pytest.param(b'{"name": "\\ud800"}', id="a lone surrogate"),
        pytest.param(b'{"name": "\xff"}', id="no UTF-8"),
        pytest.param(b'{"name": "a\\u0000b"}', id="a NUL character"),
        pytest.param(b'{"options": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", id="very deep"),
        pytest.param(b'{"seed": ' + b"9" * 10_000 + b"}", id="a very long number"),
    ],
)
async def test_malformed_json_is_400_and_never_a_500(shared_api, body):
    assert "not valid" in error(await shared_api.post("/api/profiles", content=body, headers=JSON), 400, "BAD_REQUEST")


@pytest.mark.parametrize("body", [b"", b"[]", b'"text"', b"null", b"7"])
async def test_a_body_that_is_no_object_is_a_validation_error(shared_api, body):
    error(await shared_api.post("/api/profiles", content=body, headers=JSON), 400, "VALIDATION_ERROR")


async def test_a_body_of_another_content_type_is_told_which_one_is_right(shared_api):
    reply = await shared_api.post("/api/profiles", content=b'{"name": "x"}', headers={"Content-Type": "text/plain"})
    assert "application/json" in error(reply, 400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": ...}, "name is required"),
        ({"type": "smell"}, "type: "),
        ({"provider": "hal"}, "provider: "),
        ({"apiKey": 5}, "apiKey: "),
        ({"api_key": 5}, "api_key: "),
        ({"inputModalities": ["text", "smell"]}, "inputModalities[1]: "),
        ({"name": "x" * 300}, "name: "),
    ],
)
async def test_a_wrong_field_is_named(shared_api, change, said):
    body = {name: value for name, value in (PROFILE | change).items() if value is not ...}
    assert said in error(await shared_api.post("/api/profiles", json=body), 400, "VALIDATION_ERROR")


async def test_the_sentence_stays_short_whatever_was_sent(shared_api):
    parts = [{"type": "x" * 100_000} for _ in range(50)]
    body = {"provider": "openai", "messages": [{"role": "user", "content": parts}]}
    assert len(error(await shared_api.post("/api/chat", json=body), 400, "VALIDATION_ERROR")) < 2_000


async def test_requests_are_accepted_in_both_spellings_and_answered_as_printed(shared_api):
    camel = await shared_api.post(
        "/api/profiles", json=PROFILE | {"promptTemplate": "Be brief", "outputModalities": ["text"]}
    )
    snake = await shared_api.post(
        "/api/profiles", json=PROFILE | {"prompt_template": "Be brief", "output_modalities": ["text"]}
    )
    assert camel.status_code == snake.status_code == 201
    assert camel.json()["data"]["prompt_template"] == snake.json()["data"]["prompt_template"] == "Be brief"
    assert camel.json()["data"].keys() == snake.json()["data"].keys() >= {"api_key", "created_at", "input_modalities"}


@pytest.mark.parametrize("id_", ["abc123", "1", "..", "%00", "%F0%9F%A5%84", "' OR 1=1", "x" * 2_000])
@pytest.mark.parametrize(
    "room",
    ["profiles", "tasks", "results", "comfyui/sessions", "comfyui/workflows", "comfyui/generations", "comfyui/image"],
)
async def test_an_id_that_is_no_uuid_is_simply_not_found(shared_api, room, id_):
    reply = await shared_api.get(f"/api/{room}/{id_}")
    if id_ == "..":  # clients fold such a path themselves
        assert reply.status_code == 404
    else:
        assert "not found" in error(reply, 404, "NOT_FOUND")


async def test_a_missing_profile_is_named(shared_api):
    assert error(await shared_api.get("/api/profiles/abc123"), 404, "NOT_FOUND") == "Profile abc123 not found"


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=ten", "limit=1.5", "offset=-1", "offset=9" + "9" * 30])
async def test_a_limit_or_offset_that_is_no_count_is_a_400_naming_it(shared_api, query):
    assert query.split("=")[0] in error(await shared_api.get(f"/api/tasks?{query}"), 400, "VALIDATION_ERROR")


async def test_an_empty_filter_is_one_that_was_not_given(shared_api):
    assert (await shared_api.get("/api/tasks?status=&provider=&limit=")).json() == {"success": True, "data": []}


@pytest.mark.parametrize(
    "path", ["tasks?status=%00", "tasks/history?search=a%00b", "comfyui/image/a.png?subfolder=%00"]
)
async def test_a_nul_character_in_a_query_is_a_400_naming_its_field(shared_api, path):
    name = path.partition("?")[2].partition("=")[0]
    assert f"{name} has a NUL" in error(await shared_api.get(f"/api/{path}"), 400, "BAD_REQUEST")


async def test_a_slash_at_the_end_means_nothing(shared_api):
    assert (await shared_api.get("/api/profiles/")).json() == (await shared_api.get("/api/profiles")).json()


async def test_head_answers_like_get_without_a_body(shared_api):
    head, get = await shared_api.head("/api/profiles"), await shared_api.get("/api/profiles")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]


async def test_options_tells_the_methods(shared_api):
    reply = await shared_api.options("/api/profiles")
    assert (reply.status_code, reply.headers["allow"]) == (204, "GET, POST, HEAD")
    error(await shared_api.options("/api/nothing"), 404, "NOT_FOUND")


async def test_every_answer_has_a_request_id_of_its_own(shared_api):
    first, second = await shared_api.get("/api/settings"), await shared_api.get("/api/nothing")
    odd = await shared_api.get("/api/settings", headers={"X-Request-Id": "no spaces allowed"})
    ids = {reply.headers["x-request-id"] for reply in (first, second, odd)}
    assert len(ids) == 3
    assert "no spaces allowed" not in ids

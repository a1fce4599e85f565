"""The HTTP half of ComfyUI on a real socket that plays recorded answers, and worse ones."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import parse_qs

import pytest

from comfy_transcripts import answers, http
from spoonkernel.comfy.client import ComfyClient
from spoonkernel.comfy.http import Pacing, new_session
from spoonkernel.comfy.jobs import JobState, Output, QueueState
from spoonkernel.errors import (
    BadRequest,
    NotFound,
    PayloadTooLarge,
    ProviderConnectionError,
    ProviderRefused,
    SubmitUncertain,
)
from spoonkernel.providers.address import new_connector
from spoonkernel.testing.upstream import ABORT, CLOSE, STALL, Upstream

ID = "11111111-2222-4333-8444-555555555555"
GRAPH = {"3": {"class_type": "KSampler", "inputs": {"seed": 2**64 - 1, "cfg": 7.0}}}
TAKEN = {"prompt_id": ID, "number": 4, "node_errors": {}}
EMPTY = {"queue_running": [], "queue_pending": []}


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as server:
        yield server


@pytest.fixture
async def client(upstream: Upstream) -> AsyncIterator[ComfyClient]:
    session = new_session(new_connector())
    yield ComfyClient(session, upstream.url, label="My ComfyUI", pacing=Pacing(first_s=0.001))
    await session.close()


def queue(running: Sequence[str] = (), pending: Sequence[str] = ()) -> dict[str, Any]:
    entries = [[n, one, GRAPH, {}, ["9"]] for n, one in enumerate([*running, *pending])]
    return {"queue_running": entries[: len(running)], "queue_pending": entries[len(running) :]}


def ended(prompt_id: str) -> dict[str, Any]:
    return {prompt_id: {"outputs": {}, "status": {"status_str": "success", "completed": True, "messages": []}}}


async def test_a_submission_is_exact_and_holds_only_our_keys(upstream: Upstream, client: ComfyClient) -> None:
    upstream.reply("/prompt", json=TAKEN)
    taken = await client.submit(
        GRAPH, prompt_id=ID, client_id="me", extra_pnginfo={"spoon": {"a": 1}}, preview_method="latent2rgb", front=True
    )
    assert (taken.prompt_id, taken.number, taken.node_errors) == (ID, 4, ())
    (request,) = upstream.requests
    assert request.json == {
        "prompt": GRAPH,
        "prompt_id": ID,
        "client_id": "me",
        "front": True,
        "extra_data": {"extra_pnginfo": {"spoon": {"a": 1}}, "preview_method": "latent2rgb"},
    }
    assert b'"seed":18446744073709551615' in request.body
    assert b'"cfg":7.0' in request.body
    assert "origin" not in request.headers
    assert "authorization" not in request.headers


async def test_the_prompt_id_in_the_answer_counts(upstream: Upstream, client: ComfyClient) -> None:
    upstream.reply("/prompt", json=TAKEN | {"prompt_id": "theirs"})
    assert (await client.submit(GRAPH, prompt_id=ID, client_id="me")).prompt_id == "theirs"


async def test_recorded_refusals_are_400_with_node_field_and_reason(upstream: Upstream, client: ComfyClient) -> None:
    for status, body in answers("08", "/prompt"):
        if status == 400:
            upstream.reply("/prompt", status=400, json=body)
            with pytest.raises(ProviderRefused, match="My ComfyUI: the workflow was refused: ") as refusal:
                await client.submit(GRAPH, prompt_id=ID, client_id="me")
            assert refusal.value.status == 400
            assert "traceback" not in refusal.value.message.lower()


async def test_a_half_taken_graph_is_taken_with_its_errors_in_words(upstream: Upstream, client: ComfyClient) -> None:
    (body,) = (body for status, body in answers("08", "/prompt") if status == 200 and body["node_errors"])
    upstream.reply("/prompt", json=body)
    taken = await client.submit(GRAPH, prompt_id=ID, client_id="me")
    assert taken.node_errors == ("SaveImage (node 10): images: is required and missing",)


@pytest.mark.parametrize("chunks", [[ABORT], [b'{"prompt', CLOSE], [b'{"prompt', ABORT]], ids=["reset", "half", "cut"])
async def test_a_lost_answer_is_uncertain_and_not_sent_again(
    upstream: Upstream, client: ComfyClient, chunks: list[Any]
) -> None:
    upstream.reply("/prompt", chunks=chunks)
    with pytest.raises(SubmitUncertain):
        await client.submit(GRAPH, prompt_id=ID, client_id="me")
    assert len(upstream.requests) == 1


async def test_a_server_that_hangs_up_without_a_word_is_uncertain(client: ComfyClient) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    session = new_session(new_connector())
    other = ComfyClient(session, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    with pytest.raises(SubmitUncertain):
        await other.submit(GRAPH, prompt_id=ID, client_id="me")
    await session.close()
    server.close()
    await server.wait_closed()


async def test_a_late_answer_is_uncertain_and_a_late_get_is_not_asked_again(upstream: Upstream) -> None:
    session = new_session(new_connector())
    client = ComfyClient(session, upstream.url, pacing=Pacing(answer_s=0.05))
    upstream.reply("/prompt", chunks=[STALL])
    with pytest.raises(SubmitUncertain, match=r"had not finished after 0\.05 s"):
        await client.submit(GRAPH, prompt_id=ID, client_id="me")
    upstream.reply("/queue", chunks=[STALL])
    with pytest.raises(ProviderConnectionError, match=r"had not finished after 0\.05 s"):
        await client.queue()
    assert len(upstream.requests) == 2
    await session.close()


async def test_a_gateway_that_lost_the_server_is_uncertain(upstream: Upstream, client: ComfyClient) -> None:
    upstream.reply("/prompt", status=502, body=b"<html>")
    with pytest.raises(SubmitUncertain):
        await client.submit(GRAPH, prompt_id=ID, client_id="me")


async def test_a_failure_inside_the_server_is_no_refusal(upstream: Upstream, client: ComfyClient) -> None:
    upstream.reply("/prompt", status=500, body=b"500 Internal Server Error")
    with pytest.raises(ProviderConnectionError, match="failed on its own side") as failure:
        await client.submit(GRAPH, prompt_id=ID, client_id="me")
    assert not isinstance(failure.value, SubmitUncertain)


async def test_nothing_listening_says_so_and_is_certain() -> None:
    session = new_session(new_connector())
    client = ComfyClient(session, "http://127.0.0.1:9", label="My ComfyUI", pacing=Pacing(first_s=0.001))
    says = re.escape("Cannot connect to My ComfyUI. Is it running? (127.0.0.1:9)")
    with pytest.raises(ProviderConnectionError, match=says) as failure:
        await client.submit(GRAPH, prompt_id=ID, client_id="me")
    assert not isinstance(failure.value, SubmitUncertain)
    with pytest.raises(ProviderConnectionError, match=says):
        await client.queue()
    assert not await client.answers()
    await session.close()


async def test_what_is_no_json_is_not_sent(upstream: Upstream, client: ComfyClient) -> None:
    with pytest.raises(BadRequest, match="cannot be sent as JSON"):
        await client.submit({"1": {"class_type": "\ud800", "inputs": {}}}, prompt_id=ID, client_id="me")
    assert upstream.requests == []


async def test_a_cut_get_is_asked_again_twice_at_most(upstream: Upstream, client: ComfyClient) -> None:
    upstream.reply("/queue", chunks=[b"{", CLOSE])
    upstream.reply("/queue", json=queue(["a"]))
    assert await client.queue() == QueueState(("a",))
    upstream.reply("/system_stats", chunks=[b"{", CLOSE])
    with pytest.raises(ProviderConnectionError, match="broke off in the middle"):
        await client.system_stats()
    assert len([one for one in upstream.requests if one.path == "/system_stats"]) == 3


async def test_trap_02_queue_before_history_loses_no_job(upstream: Upstream, client: ComfyClient) -> None:
    upstream.reply("/queue", json=queue(["a"], ["b", "c"]))
    upstream.reply("/history/x", json=ended("x"))
    upstream.reply("/history/gone", json={})
    found = await client.states(["c", "a", "x", "gone", "c"])
    assert found["a"] == JobState("running")
    assert found["c"] == JobState("pending", 1)
    assert found["x"].status == "ended"
    assert found["x"].ran is not None
    assert found["gone"] == JobState("unknown")
    assert upstream.requests[0].path == "/queue"
    assert sorted(one.path for one in upstream.requests) == ["/history/gone", "/history/x", "/queue"]


async def test_one_failing_history_fails_the_look_as_itself(upstream: Upstream, client: ComfyClient) -> None:
    upstream.reply("/queue", json=EMPTY)
    upstream.reply("/history/a", json=ended("a"))
    upstream.reply("/history/b", status=500)
    with pytest.raises(ProviderConnectionError):
        await client.states(["a", "b"])
    assert await client.states([]) == {}


async def test_trap_01_no_history_yet_is_none(upstream: Upstream, client: ComfyClient) -> None:
    upstream.reply(f"/history/{ID}", json={})
    assert await client.history(ID) is None


async def test_a_recorded_history(upstream: Upstream, client: ComfyClient) -> None:
    (prompt_id, entry), *_ = http("history_samples")["success"].items()
    upstream.reply(f"/history/{prompt_id}", json={prompt_id: entry})
    ran = await client.history(prompt_id)
    assert ran is not None
    assert ran.outputs == (Output("9", "images", 0, "t2i_00001_.png", "rec", "output"),)


async def test_five_hundred_waiting_do_not_hold_up_the_loop(upstream: Upstream, client: ComfyClient) -> None:
    graph = {str(n): {"class_type": "KSampler", "inputs": {"text": "a red fox " * 20}} for n in range(12)}
    pending = [[n, f"p{n}", graph, {}, ["9"]] for n in reversed(range(500))]
    body = json.dumps({"queue_running": [], "queue_pending": pending}).encode()
    assert len(body) > 1_500_000
    upstream.reply("/queue", body=body)
    longest, is_over = 0.0, False

    async def watch() -> None:
        nonlocal longest
        while not is_over:
            began = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - began)

    watching = asyncio.create_task(watch())
    state = await client.queue()
    is_over = True
    await watching
    assert state.pending == tuple(f"p{n}" for n in range(500))
    assert longest < 0.2  # measured: 5 ms, the interpreter's own switch; a busy machine takes its share


async def test_a_newer_server_cancels_by_itself(upstream: Upstream, client: ComfyClient) -> None:
    upstream.reply(f"/api/jobs/{ID}/cancel", json={"cancelled": True})
    upstream.reply(f"/api/jobs/{ID}/cancel", json={"cancelled": False})
    assert await client.cancel(ID)
    assert not await client.cancel(ID)
    assert {one.path for one in upstream.requests} == {f"/api/jobs/{ID}/cancel"}


async def asked(upstream: Upstream) -> list[tuple[str, Any]]:
    return [(one.path, one.json if one.body else None) for one in upstream.requests]


async def test_an_older_server_deletes_what_waits_and_is_asked_for_the_new_way_once(
    upstream: Upstream, client: ComfyClient
) -> None:
    upstream.reply(f"/api/jobs/{ID}/cancel", status=405)
    upstream.reply("/queue", json=queue(["theirs"], [ID]))
    upstream.reply("/queue", body=b"")
    upstream.reply("/queue", json=queue(["theirs"]))
    assert await client.cancel(ID)
    assert not await client.cancel(ID)
    assert await asked(upstream) == [
        (f"/api/jobs/{ID}/cancel", {}),
        ("/queue", None),
        ("/queue", {"delete": [ID]}),
        ("/queue", None),
        ("/queue", None),
    ]


async def test_one_that_starts_while_it_is_cancelled_is_interrupted(upstream: Upstream, client: ComfyClient) -> None:
    upstream.reply(f"/api/jobs/{ID}/cancel", status=404)
    upstream.reply("/queue", json=queue(["theirs"], [ID]))
    upstream.reply("/queue", body=b"")
    upstream.reply("/queue", json=queue([ID]))
    upstream.reply("/interrupt", body=b"")
    assert await client.cancel(ID)
    assert (await asked(upstream))[-1] == ("/interrupt", {"prompt_id": ID})


async def test_nobody_elses_run_is_interrupted(upstream: Upstream, client: ComfyClient) -> None:
    upstream.reply("/queue", json=queue(["theirs"], ["also theirs"]))
    assert not await client.cancel(ID)
    assert "/interrupt" not in {one.path for one in upstream.requests}


async def test_what_the_server_tells_of_itself(upstream: Upstream, client: ComfyClient) -> None:
    upstream.reply("/system_stats", json=http("system_stats"))
    upstream.reply("/prompt", json=http("prompt"))
    upstream.reply("/object_info", body=b'{"A": {"input": {"required": {"x": ["FLOAT", {"max": Infinity}]}}}}')
    assert (await client.system_stats())["system"]["comfyui_version"] == "0.3.64"
    assert (await client.object_info())["A"]["input"]["required"]["x"][1]["max"] == float("inf")
    assert await client.answers()


async def test_models_with_their_sizes(upstream: Upstream, client: ComfyClient) -> None:
    upstream.reply("/models/checkpoints", json=http("models_checkpoints"))
    upstream.reply("/experiment/models/checkpoints", json=http("experiment_models_checkpoints"))
    assert await client.models("checkpoints") == ["tiny_sd15.safetensors", "tiny_sd15_b.safetensors"]
    files = await client.model_files("checkpoints")
    assert files["tiny_sd15.safetensors"] == (340858556, 1795379487.4021778)
    assert await client.models("nosuch") == []
    assert await client.model_files("nosuch") == {}


async def test_a_models_hash_where_the_server_has_one(upstream: Upstream, client: ComfyClient) -> None:
    assert await client.model_hash("loras", "style/a.safetensors") is None  # 404: an older server
    asset = {
        "name": "a.safetensors",
        "loader_path": "style/a.safetensors",
        "hash": "blake3:1",
        "tags": ["models", "loras"],
    }
    others = [asset | {"tags": ["vae"], "hash": "blake3:2"}, asset | {"loader_path": "a.safetensors", "name": "x"}]
    upstream.reply("/api/assets", json={"assets": [*others, asset], "total": 3, "has_more": False})
    assert await client.model_hash("loras", "style/a.safetensors") == "blake3:1"
    assert await client.model_hash("loras", "b.safetensors") is None
    assert "name_contains=a.safetensors" in upstream.requests[-2].query


async def test_an_upload_goes_under_a_plain_name_and_is_called_what_the_server_says(
    upstream: Upstream, client: ComfyClient
) -> None:
    upstream.reply("/upload/image", json={"name": "cat (1).png", "subfolder": "spoon", "type": "input"})
    put = await client.upload_image(b"\x89PNG bytes", "../m\u00fc cat.png", subfolder="../spoon/", overwrite=True)
    assert put == ("cat (1).png", "spoon", "input")
    assert put.path == "spoon/cat (1).png"
    (request,) = upstream.requests
    assert b'name="image"; filename="m_cat.png"' in request.body
    assert b"\x89PNG bytes" in request.body
    assert b'name="overwrite"\r\n\r\ntrue' in request.body
    assert b'name="subfolder"\r\n\r\nspoon' in request.body


async def test_an_upload_that_is_too_large(upstream: Upstream, client: ComfyClient) -> None:
    upstream.reply("/upload/image", status=413, body=b"Maximum request body size 104857600 exceeded.")
    with pytest.raises(PayloadTooLarge):
        await client.upload_image(b"x", "a.png")


async def test_a_file_comes_in_pieces(upstream: Upstream, client: ComfyClient) -> None:
    upstream.reply("/view", chunks=[b"one", b"two"])
    async with client.view("a b+&.png", "sub/dir", "temp") as pieces:
        assert b"".join([piece async for piece in pieces]) == b"onetwo"
    asked_for = {"filename": ["a b+&.png"], "subfolder": ["sub/dir"], "type": ["temp"]}
    assert parse_qs(upstream.requests[0].query) == asked_for


async def test_a_file_that_is_larger_than_allowed_is_not_taken(upstream: Upstream, client: ComfyClient) -> None:
    upstream.reply("/view", body=b"x" * 1001)
    upstream.reply("/view", chunks=[b"x" * 900, b"x" * 101, STALL])
    for _ in range(2):
        with pytest.raises(PayloadTooLarge):
            async with client.view("a.png", "", "output", max_bytes=1000) as pieces:
                assert len(b"".join([piece async for piece in pieces])) > 1000
    await upstream.closed()


async def test_a_file_that_is_gone_or_elsewhere(upstream: Upstream, client: ComfyClient) -> None:
    upstream.reply("/view", status=404)
    with pytest.raises(NotFound, match=r"My ComfyUI no longer has a\.png"):
        async with client.view("a.png", "", "temp"):
            pass
    upstream.reply("/view", status=302, headers={"location": f"{upstream.url}/prompt"})
    upstream.requests.clear()
    for _ in range(2):  # the last reply stays
        with pytest.raises((ProviderRefused, NotFound)):
            async with client.view("a.png", "", "temp"):
                pass
    assert {one.path for one in upstream.requests} == {"/view"}


async def test_a_file_that_breaks_off(upstream: Upstream, client: ComfyClient) -> None:
    upstream.reply("/view", chunks=[b"half", CLOSE])
    with pytest.raises(ProviderConnectionError, match="broke off"):
        async with client.view("a.png", "", "output") as pieces:
            async for _ in pieces:
                pass


async def test_leaving_a_file_early_hangs_up(upstream: Upstream, client: ComfyClient) -> None:
    upstream.reply("/view", chunks=[b"half", STALL])
    async with client.view("a.png", "", "output") as pieces:
        assert await anext(aiter(pieces)) == b"half"
    await upstream.closed()


async def test_a_key_is_sent_as_a_bearer_token_and_never_told(upstream: Upstream) -> None:
    session = new_session(new_connector())
    client = ComfyClient(session, upstream.url, key="secret-key-1234")
    upstream.reply("/queue", status=401, body=b"no")
    with pytest.raises(ProviderRefused, match="refused the key") as refusal:
        await client.queue()
    assert refusal.value.invalid_key
    assert upstream.requests[0].headers["authorization"] == "Bearer secret-key-1234"
    upstream.reply("/prompt", status=400, json={"error": "bad token secret-key-1234"})
    with pytest.raises(ProviderRefused, match=r"bad token \[key\]"):
        await client.submit(GRAPH, prompt_id=ID, client_id=None)
    await session.close()


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'{"exec_info": 5}'])
async def test_something_that_is_no_comfyui_is_named_as_such(
    upstream: Upstream, client: ComfyClient, body: bytes
) -> None:
    upstream.reply("/prompt", body=body)
    upstream.reply("/queue", body=body)
    with pytest.raises(ProviderConnectionError, match="not ComfyUI's format"):
        await client.queue()
    assert not await client.answers()
    with pytest.raises(SubmitUncertain):
        await client.submit(GRAPH, prompt_id=ID, client_id="me")

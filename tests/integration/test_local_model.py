"""The local engine with its demo model: real weights through `pull`, real processes, real answers."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from contextlib import aclosing
from pathlib import Path

import httpx
import psutil
import pytest

from spoonkernel.errors import NotFound, ProviderConnectionError, ProviderRefused
from spoonkernel.providers.base import ChatCall, ModelHost
from spoonkernel.providers.http import new_pool
from spoonkernel.providers.local import Local, LocalModels
from spoonkernel.providers.weights import SMOLLM2, pull
from spoonkernel.types.chat import Message

NAME = SMOLLM2.name


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> Path:
    """A models folder with the demo model."""
    folder = tmp_path_factory.mktemp("models")

    async def fetch() -> None:
        async for _ in pull(NAME, folder):
            pass

    asyncio.run(fetch())
    return folder


@pytest.fixture
async def client():
    async with new_pool() as opened:
        yield opened


@pytest.fixture
async def models(weights):
    async with LocalModels(weights) as opened:
        yield opened


@pytest.fixture
def local(models, client):
    return Local(models, client)


def call(text: str = "What is the capital of France?", model: str = NAME, **options) -> ChatCall:
    return ChatCall(model, [Message(role="user", content=text)], options)


async def answer(local: Local, request: ChatCall) -> tuple[str, list]:
    deltas = [delta async for delta in local.stream(request)]
    return "".join(delta.text for delta in deltas), deltas


def engines() -> list[psutil.Process]:
    """The processes of the local engine below this one."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # it ends while we look
            if "spoonkernel.providers.local_child" in child.cmdline():
                found.append(child)
    return found


async def until(true, deadline_s: float = 10.0) -> None:
    async with asyncio.timeout(deadline_s):
        while not true():
            await asyncio.sleep(0.01)


async def test_it_answers_in_pieces_with_usage_at_the_end(local):
    text, deltas = await answer(local, call(temperature=0, seed=1))
    assert "Paris" in text
    assert len(deltas) > 3
    assert deltas[-1].finish_reason == "stop"
    assert deltas[-1].usage.prompt_tokens > 10
    assert deltas[-1].usage.completion_tokens > 3


async def test_one_seed_gives_one_answer_and_another_seed_another(local):
    story = "Tell me a story."
    first, again, other = [
        (await answer(local, call(story, temperature=1.5, seed=seed, max_tokens=40)))[0] for seed in (7, 7, 8)
    ]
    assert first == again
    assert first != other


async def test_answers_end_at_the_cap_and_at_max_tokens(local, monkeypatch):
    monkeypatch.setattr("spoonkernel.providers.local.TOKEN_CAP", 12)
    _, capped = await answer(local, call("Tell me a long story.", seed=1))
    assert (capped[-1].finish_reason, capped[-1].usage.completion_tokens) == ("length", 12)
    _, asked = await answer(local, call("Tell me a long story.", seed=1, max_tokens=20))
    assert (asked[-1].finish_reason, asked[-1].usage.completion_tokens) == ("length", 20)


async def test_two_answers_run_at_once_in_one_process(local):
    both = await asyncio.gather(*(answer(local, call(temperature=0, max_tokens=60)) for _ in range(2)))
    assert all("Paris" in text for text, _ in both)
    assert len(engines()) == 1


async def test_closing_a_stream_stops_the_model(local):
    await local.load(NAME)
    async with aclosing(local.stream(call("Write a very long story.", seed=1))) as stream:
        await anext(stream)
        started = time.perf_counter()
    process = engines()[0]
    await until(lambda: process.cpu_percent(0.1) < 20, 2.0)
    assert time.perf_counter() - started < 2.0


async def test_the_process_starts_with_the_first_use_and_ends_with_unload(local):
    assert await local.loaded() == set()
    assert [(model.id, model.loaded) for model in await local.models()] == [(NAME, False)]
    await local.load(NAME)
    assert await local.loaded() == {NAME}
    info = await local.info(NAME)
    assert (info.loaded, info.size_bytes, info.parameters) == (True, SMOLLM2.size_bytes, "135M")
    process = engines()[0]
    await local.unload(NAME)
    assert not process.is_running()
    assert await local.loaded() == set()
    await local.unload(NAME)


async def test_the_port_is_closed_without_the_key(local, models):
    async with models.using(NAME) as child, httpx.AsyncClient() as client:
        assert child.url.startswith("http://127.0.0.1:")
        assert (await client.get(f"{child.url}/v1/models")).status_code in {200, 401}
        refused = await client.post(f"{child.url}/v1/chat/completions", json={"messages": []})
        assert refused.status_code == 401
        process = engines()[0]
        assert child.key not in " ".join(process.cmdline()) + " ".join(process.environ().values())


async def test_a_crash_in_an_answer_is_told_and_the_next_request_starts_it_again(local):
    said = ""
    with pytest.raises(ProviderConnectionError, match=r"stopped while smollm2:135m was answering .*SIGKILL") as caught:
        async for delta in local.stream(call("Write a very long story.", seed=1)):
            said += delta.text
            if said:
                engines()[0].kill()
    assert caught.value.partial.startswith(said[:1])
    assert "Paris" in (await answer(local, call(temperature=0)))[0]


async def test_the_model_used_longest_ago_makes_room_and_one_that_answers_stays(weights, client, tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.gguf").symlink_to(weights / SMOLLM2.filename)
    async with LocalModels(tmp_path, most=2) as models:
        local = Local(models, client)
        for name in "ab":
            await local.load(name)
        async with models.using("a"):
            await local.load("c")
            assert models.loaded() == {"a", "c"}
            async with models.using("c"):
                waiting = asyncio.create_task(local.load("b"))
                await asyncio.wait({waiting}, timeout=0.1)
                assert not waiting.done()
            async with asyncio.timeout(10):
                await waiting
            assert models.loaded() == {"a", "b"}


async def test_an_idle_model_leaves_memory_and_a_used_one_stays(weights, client):
    async with LocalModels(weights, idle_s=0.3) as models:
        async with models.using(NAME):
            with pytest.raises(TimeoutError):
                await until(lambda: not models.loaded(), 0.8)
        await until(lambda: not models.loaded(), 5.0)
        await until(lambda: not engines(), 5.0)


async def test_a_file_that_cannot_be_loaded_is_told_in_the_engines_words(tmp_path, client):
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + b"\xff" * 1000)
    async with LocalModels(tmp_path) as models:
        with pytest.raises(ProviderConnectionError, match=r"could not load broken \(broken\.gguf\): .*failed to load"):
            await Local(models, client).load("broken")
        assert models.loaded() == set()
        assert engines() == []


async def test_a_start_that_takes_too_long_is_ended(weights, client):
    async with LocalModels(weights, start_s=0.01) as models:
        with pytest.raises(ProviderConnectionError, match="smollm2:135m was not loaded within 0 s"):
            await Local(models, client).load(NAME)
        assert engines() == []


async def test_missing_weights_say_how_to_get_them(tmp_path, client):
    async with LocalModels(tmp_path) as models:
        with pytest.raises(ProviderRefused, match="spoon models pull smollm2:135m"):
            await answer(Local(models, client), call())
        with pytest.raises(NotFound, match="spoon models pull smollm2:135m"):
            await Local(models, client).load(NAME)


async def test_without_the_engine_the_error_names_the_pip_line(local, monkeypatch):
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    for attempt in (local.models(), local.load(NAME), answer(local, call())):
        with pytest.raises(ProviderRefused, match=r"not installed: pip install 'spoon-workbench\[local\]'"):
            await attempt


async def test_a_prompt_longer_than_the_context_is_refused_in_the_engines_words(local):
    with pytest.raises(ProviderRefused, match="exceeds the available context size"):
        await answer(local, call("word " * 6000))


def test_a_local_provider_is_a_model_host(weights):
    assert issubclass(Local, ModelHost)


OWNER = """
import asyncio, sys
from pathlib import Path
from spoonkernel.providers.http import new_pool
from spoonkernel.providers.local import Local, LocalModels
from spoonkernel.providers.base import ChatCall
from spoonkernel.types.chat import Message

async def main():
    async with LocalModels(Path(sys.argv[1])) as models, new_pool() as pool:
        call = ChatCall("smollm2:135m", [Message(role="user", content="A story")])
        async for _ in Local(models, pool).stream(call):
            print("answering", flush=True)
            await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_the_process_does_not_outlive_its_owner(weights, number):
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, str(weights), stdout=subprocess.PIPE, env=dict(os.environ)
    )
    async with asyncio.timeout(30):
        assert await owner.stdout.readline() == b"answering\n"
    children = psutil.Process(owner.pid).children(recursive=True)
    assert len(children) == 1
    os.kill(owner.pid, number)
    await owner.wait()
    await until(lambda: not children[0].is_running() or children[0].status() == psutil.STATUS_ZOMBIE, 5.0)

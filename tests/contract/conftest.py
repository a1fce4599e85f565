"""One body, four workbenches: embedded and remote, on SQLite and on Postgres."""

from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from openai_replies import MODELS, listed
from serving import served
from spoonkernel.api import WorkbenchAPI
from spoonkernel.config import Config
from spoonkernel.remote import RemoteWorkbench
from spoonkernel.testing.upstream import Upstream
from spoonkernel.types.profiles import Profile
from spoonkernel.workbench import Workbench
from spoonserver.app import create_app


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    """The one provider server of a test: openai-compatible below `/v1`, and Ollama beside it."""
    async with Upstream() as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgres"])
def config(request: pytest.FixtureRequest, tmp_path: Path, upstream: Upstream) -> Config:
    database_url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    return Config(
        data_dir=tmp_path / "data",
        database_url=database_url,
        ollama_url=upstream.url,
        ollama_named=True,
        stop_deadline_s=0,  # tests that leave a task running do not wait for it
    )


@pytest.fixture(params=["embedded", "remote"])
async def workbench(request: pytest.FixtureRequest, config: Config) -> AsyncIterator[WorkbenchAPI]:
    async with Workbench(config) as embedded:
        if request.param == "embedded":
            yield embedded
            return
        async with served(create_app(nullcontext(embedded))) as url, RemoteWorkbench(url) as remote:
            yield remote


@pytest.fixture
async def profile(workbench: WorkbenchAPI, upstream: Upstream) -> Profile:
    """An openai profile whose provider is `upstream`."""
    upstream.reply(MODELS, json=listed("scripted-1", "scripted-2"))
    return await workbench.profiles.create(
        name="Scripted", type="text", provider="openai", api_key="sk-test-1234567890", url=f"{upstream.url}/v1"
    )

"""One body, two workbenches: embedded on SQLite, and remote on Postgres.

The remote workbench is the embedded one behind a server, so the two other pairs go through nothing that these do not.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

import comfy_graphs
from openai_replies import MODELS, listed
from serving import served
from spoonkernel.api import WorkbenchAPI
from spoonkernel.config import Config
from spoonkernel.remote import RemoteWorkbench
from spoonkernel.testing.comfy_sim import SimulatedComfyUI
from spoonkernel.testing.upstream import Upstream
from spoonkernel.types.generations import Generation
from spoonkernel.types.profiles import Profile
from spoonkernel.types.sessions import Session
from spoonkernel.types.workflows import Workflow
from spoonkernel.workbench import Workbench
from spoonserver.app import create_app

Run = Callable[..., Awaitable[Generation]]
CORNERS = [("embedded", "sqlite"), ("remote", "postgres")]


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    """The one provider server of a test: openai-compatible below `/v1`, and Ollama beside it."""
    async with Upstream() as opened:
        yield opened


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "place" in metafunc.fixturenames:
        metafunc.parametrize("place", CORNERS, ids="-".join, indirect=True)


@pytest.fixture
def place(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Which workbench, on which store."""
    chosen: tuple[str, str] = request.param
    return chosen


@pytest.fixture
def config(request: pytest.FixtureRequest, place: tuple[str, str], tmp_path: Path, upstream: Upstream) -> Config:
    database_url = request.getfixturevalue("postgres_store_url") if place[1] == "postgres" else None
    return Config(
        data_dir=tmp_path / "data",
        database_url=database_url,
        ollama_url=upstream.url,
        ollama_named=True,
        stop_deadline_s=0,  # tests that leave a task running do not wait for it
    )


@pytest.fixture
async def workbench(place: tuple[str, str], config: Config) -> AsyncIterator[WorkbenchAPI]:
    async with Workbench(config) as embedded:
        if place[0] == "embedded":
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


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedComfyUI]:
    """The one ComfyUI of a test."""
    async with SimulatedComfyUI() as opened:
        yield opened


@pytest.fixture
async def comfy(workbench: WorkbenchAPI, sim: SimulatedComfyUI) -> Profile:
    """A comfyui profile whose server is `sim`."""
    return await workbench.profiles.create(name="Local ComfyUI", type="image", provider="comfyui", url=sim.url)


@pytest.fixture
async def session(workbench: WorkbenchAPI, comfy: Profile) -> Session:
    return await workbench.sessions.create(profile_id=comfy.id, title="Foxes")


@pytest.fixture
async def workflow(workbench: WorkbenchAPI, comfy: Profile) -> Workflow:
    """Text to image with 64 px and four steps."""
    return await workbench.workflows.create(name="Fox", profile_id=comfy.id, workflow_json=comfy_graphs.graph())


@pytest.fixture
def generate(workbench: WorkbenchAPI, session: Session, workflow: Workflow) -> Run:
    """Submits a run of `workflow`, and returns its row."""

    async def submit(**fields: object) -> Generation:
        given = {"prompt_text": "a red fox", "workflow_id": workflow.id} | fields
        return await workbench.sessions.generate(session.id, **given)

    return submit


@pytest.fixture
def finished(workbench: WorkbenchAPI, generate: Run) -> Run:
    """The same, once it has ended."""

    async def run(**fields: object) -> Generation:
        return await workbench.generations.get((await generate(**fields)).id, wait_s=20)

    return run

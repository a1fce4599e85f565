"""A real workbench on an embedded store, and a real server around it."""

from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from serving import served
from spoonkernel.config import Config
from spoonkernel.workbench import Workbench
from spoonserver.app import create_app


@pytest.fixture
async def workbench(tmp_path: Path) -> AsyncIterator[Workbench]:
    async with Workbench(Config(data_dir=tmp_path / "data", stop_deadline_s=0)) as opened:
        yield opened


@pytest.fixture
async def server_url(workbench: Workbench) -> AsyncIterator[str]:
    async with served(create_app(nullcontext(workbench))) as url:
        yield url


@pytest.fixture
async def api(server_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server_url, timeout=20, verify=False) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """One server for the tests of a module that leave nothing behind; they need `asyncio(loop_scope="module")`."""
    async with served(create_app(Workbench(Config(data_dir=tmp_path_factory.mktemp("shared"))))) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_api(shared_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=shared_url, timeout=20, verify=False) as client:
        yield client

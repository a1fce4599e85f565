"""Stores of both engines with a child process that answers questions about them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from spoonkernel.query.child import Limits, QueryChild
from spoonkernel.services.catalog import catalog
from spoonkernel.store.engine import Database


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return request.getfixturevalue("postgres_store_url")
    return f"sqlite:///{tmp_path}/a store #1.db"


@pytest.fixture
async def database(store_url: str) -> AsyncIterator[Database]:
    async with Database(store_url) as opened:
        yield opened


@pytest.fixture
async def child(store_url: str, database: Database) -> AsyncIterator[QueryChild]:
    async with QueryChild(store_url, catalog(), Limits(timeout_s=20)) as opened:
        yield opened

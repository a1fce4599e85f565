"""What every test may use: real servers, started once when the first test asks, and failing loudly when they cannot."""

import asyncio
import gc
import subprocess
import sys

import psycopg
import pytest

from servers import Postgres, Valkey, running
from spoonkernel.store.engine import Database

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"

GC_ROUND = 10_000  # as `spoon serve`; with Python's own 700 a sixth of the suite's work was looking for garbage


def pytest_sessionstart():
    gc.disable()  # imports and collected tests stay: nothing of what they make is worth looking through
    sys.modules["rfc3987_syntax"] = None  # as `spoon lab` does: 1.5 s of each process that imports `nbformat`


def pytest_collection_modifyitems(items):
    """For `--dist loadgroup`: a process has whole files, and one of them all browser tests.

    Those use the processor most and have one JupyterLab and one browser between them. The other files wait a lot. So
    one process is in the browser while two share the rest.
    """
    for item in items:
        file = item.location[0]
        item.add_marker(pytest.mark.xdist_group("browser" if file.startswith("tests/browser/") else file))


def pytest_collection_finish():
    """Spare the garbage collector what stays: the modules and some thousand tests."""
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_ROUND, 20, 20)


@pytest.fixture(scope="session")
def postgres_server():
    with running(Postgres()) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server):
    """A fresh, empty database of a real Postgres, dropped afterwards."""
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def postgres_store(postgres_server):
    """The address of a database that has Spoon's tables already."""
    url = postgres_server.url(postgres_server.create_database())

    async def make_tables():
        async with Database(url):
            pass

    asyncio.run(make_tables())
    return url


@pytest.fixture
def postgres_store_url(postgres_store):
    """A store on a real Postgres whose tables are empty: emptied afterwards, which is faster than making new ones."""
    yield postgres_store
    with psycopg.connect(postgres_store, autocommit=True) as connection:
        names = [name for (name,) in connection.execute(TABLES)]
        connection.execute(f"TRUNCATE {', '.join(names)}".encode())
        connection.execute("INSERT INTO revision (id, value) VALUES (1, 0)")


@pytest.fixture(scope="session")
def valkey_server():
    with running(Valkey()) as server:
        yield server


@pytest.fixture
def valkey_url(valkey_server):
    """A real, empty Valkey."""
    valkey_server.flush()
    return valkey_server.url


@pytest.fixture
def own_valkey():
    """A Valkey of the test's own, to stop and start again."""
    with running(Valkey()) as server:
        yield server


@pytest.fixture(scope="session")
def demo_data(tmp_path_factory):
    """A data folder that has the demo model already, fetched as a user would."""
    folder = tmp_path_factory.mktemp("demo-data")
    command = [sys.executable, "-m", "spoonkernel.cli", "models", "pull", "smollm2:135m", "--data", str(folder)]
    subprocess.run(command, check=True, timeout=110)
    return folder

"""What every test may use: real servers, started once when the first test asks, and failing loudly when they cannot."""

import subprocess
import sys

import pytest

from servers import Postgres, Valkey, running


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

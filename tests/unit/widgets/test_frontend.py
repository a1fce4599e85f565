"""The front end: its own tests, its types, its size, and that its bundle is what its sources say."""

import json
import os
import pathlib
import re
import subprocess

import pytest

from browser.node import FRONTEND, node_and_npm

STATIC = FRONTEND.parent / "spoonwidgets/static"
BUDGET = {"chat.js": 150_000, "tasks.js": 60_000}


def npm(*arguments):
    node, command = node_and_npm()
    environment = os.environ | {"PATH": f"{pathlib.Path(node).parent}{os.pathsep}{os.environ['PATH']}", "CI": "1"}
    done = subprocess.run(
        [*command, *arguments], check=False, cwd=FRONTEND, env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-2_000:]


@pytest.fixture(scope="session")
def packages():
    if not FRONTEND.joinpath("node_modules/vitest").exists():
        npm("ci", "--ignore-scripts")


@pytest.mark.usefixtures("packages")
def test_types_are_right_and_unit_tests_pass():
    npm("test")


@pytest.mark.parametrize("name", BUDGET)
def test_bundle_stays_small(name):
    """Every instance of a pane carries its bundle into the page."""
    assert STATIC.joinpath(name).stat().st_size <= BUDGET[name]


@pytest.mark.parametrize("name", BUDGET)
def test_bundle_fetches_nothing(name):
    source = STATIC.joinpath(name).read_text()
    assert not re.search(r"\b(fetch|importScripts)\(|XMLHttpRequest|new WebSocket|\bimport\(", source)
    assert "eval(" not in source


def test_lock_file_names_no_registry():
    packages = json.loads(FRONTEND.joinpath("package-lock.json").read_text())["packages"]
    assert not [name for name, entry in packages.items() if "resolved" in entry]

"""The front end: its own tests, its types, and that its bundles are there and ask nobody for anything."""

import json
import os
import pathlib
import re
import subprocess

import pytest

from browser.node import FRONTEND, node_and_npm

STATIC = FRONTEND.parent / "spoonwidgets/static"
PANES = sorted(path.with_suffix(".js").name for path in FRONTEND.glob("src/*.tsx"))
BUNDLES = [*PANES, *sorted(f"assets/{path.with_suffix('.js').name}" for path in FRONTEND.glob("src/assets/*.ts*"))]


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


def test_every_pane_and_heavy_part_is_built():
    """Their sizes are checked by the build itself, which fails when one is over its budget."""
    assert {name for name in BUNDLES if STATIC.joinpath(name).exists()} == set(BUNDLES)


@pytest.mark.parametrize("name", BUNDLES)
def test_bundle_fetches_nothing(name):
    """Nothing comes from anywhere but the kernel; a heavy part that it sent is imported from memory."""
    source = STATIC.joinpath(name).read_text()
    asking = r"(?<![.\w$])(fetch|importScripts|eval)\((?!\)\{)"  # a method of that name is somebody's parser
    assert not re.search(asking + "|XMLHttpRequest|new WebSocket", source)
    imports = [found.start() for found in re.finditer(r"\bimport\(", source)]
    assert len(imports) <= 1
    assert all("createObjectURL(new Blob(" in source[at - 200 : at] for at in imports)


def test_lock_file_names_no_registry():
    packages = json.loads(FRONTEND.joinpath("package-lock.json").read_text())["packages"]
    assert not [name for name, entry in packages.items() if "resolved" in entry]

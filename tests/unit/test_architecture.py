"""The shape of the code: imports only go down, there is no cycle, files read in one sitting."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"spoonkernel": ROOT, "spoonserver": ROOT / "server", "spoonwidgets": ROOT / "widgets"}

FLOORS = [
    {"types", "api", "errors", "config", "__init__"},
    {"providers", "comfy", "store", "bus", "query", "vault", "media"},
    {"connections"},
    {"services"},
    {"engine"},
    {"workbench", "handles"},
    {"remote", "portal", "cli", "testing"},
    {"ipython"},
    {"spoonserver", "spoonwidgets"},
]
DOORS = {"cli", "testing", "__init__"}
"""These start things by name: they may name any floor, but only inside a function."""

HOMES = {
    "httpx": {"spoonkernel/providers", "spoonkernel/comfy", "spoonkernel/connections.py", "spoonkernel/remote"},
    "sqlalchemy": {"spoonkernel/store", "spoonkernel/services", "spoonkernel/engine"},
    "docket": {"spoonkernel/engine"},
    "redis": {"spoonkernel/bus", "spoonkernel/engine", "spoonkernel/cli"},
    "fastapi": {"server/spoonserver"},
    "socketio": {"server/spoonserver", "spoonkernel/remote"},
    "anywidget": {"widgets/spoonwidgets"},
    "PIL": {"spoonkernel/media", "spoonkernel/testing"},
    "xllamacpp": {"spoonkernel/providers"},
    "duckdb": {"spoonkernel/query"},
    "nanoarrow": {"spoonkernel/query"},
}
LONGEST_FILE, LONGEST_FUNCTION = 320, 60


def sources() -> list[Path]:
    return [path for name, base in PACKAGES.items() for path in sorted((base / name).rglob("*.py"))]


def room(module: str) -> str:
    parts = module.split(".")
    return parts[0] if parts[0] != "spoonkernel" else parts[1] if len(parts) > 1 else "__init__"


def floor(name: str) -> int:
    return next(number for number, names in enumerate(FLOORS) if name in names)


def module_of(path: Path) -> str:
    base = next(base for name, base in PACKAGES.items() if path.is_relative_to(base / name))
    return ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")


@cache
def imports(path: Path) -> list[tuple[str, bool]]:
    """Every module that a file imports, and whether it does so when it is itself imported."""
    return list(_imports(path))


def _imports(path: Path) -> Iterator[tuple[str, bool]]:
    tree = ast.parse(path.read_text())
    inner = {id(node) for function in ast.walk(tree) if _waits(function) for node in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, id(node) not in inner
            yield from ((f"{node.module}.{alias.name}", id(node) not in inner) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, id(node) not in inner) for alias in node.names)


def _waits(node: ast.AST) -> bool:
    guarded = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
    return guarded or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def ours(module: str) -> bool:
    return module.split(".", maxsplit=1)[0] in PACKAGES


def test_imports_only_go_down() -> None:
    wrong = []
    for path in sources():
        here = room(module_of(path))
        for module, at_import in imports(path):
            if not ours(module) or room(module) == here or module == "spoonkernel.__version__":
                continue
            if here in DOORS and not at_import:
                continue
            below = floor(room(module)) < floor(here) or (floor(here) == 0 and floor(room(module)) == 0)
            if module != "spoonkernel" and not below:
                wrong.append(f"{path.relative_to(ROOT)} -> {module}")
    assert wrong == []


def test_there_is_no_cycle() -> None:
    modules = {module_of(path): path for path in sources()}
    arrows = {
        name: {module for module, at_import in imports(path) if at_import and module in modules and module != name}
        for name, path in modules.items()
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join([*trail, name])
        if name not in done:
            for target in arrows[name]:
                if not name.startswith(f"{target}."):  # a package is always there before its parts
                    visit(target, (*trail, name))
            done.add(name)

    for name in modules:
        visit(name, ())


@pytest.mark.parametrize("library", HOMES)
def test_each_library_has_its_home(library: str) -> None:
    guests = [
        str(path.relative_to(ROOT))
        for path in sources()
        if any(module.split(".")[0] == library for module, _ in imports(path))
    ]
    assert guests, f"nobody imports {library} any more: take it off this list"
    assert [guest for guest in guests if not any(guest.startswith(home) for home in HOMES[library])] == []


def test_files_read_in_one_sitting() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources()}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE and "migrations" not in name} == {}


def test_no_function_must_be_scrolled() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in sources()
        if "migrations" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.body[0].lineno > LONGEST_FUNCTION
    ]
    assert long == []


def test_no_room_is_called_utils() -> None:
    vague = {"utils", "util", "helpers", "common", "misc", "manager"}
    assert [str(path) for path in sources() if path.stem in vague] == []


def test_nothing_waits_with_wait_for() -> None:
    """On Python 3.11 it swallows a cancellation that comes as the awaited thing ends: a loop goes on, a close hangs."""
    users = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "wait_for" and getattr(node.value, "id", "") == "asyncio"
    ]
    assert users == [], "use `async with asyncio.timeout(...)`"

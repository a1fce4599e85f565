"""What must be in the wheel, and what must not: `python tests/check_wheel.py dist/spoon_workbench-*.whl`."""

import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
TOP_LEVEL = {"spoonkernel", "spoonserver", "spoonwidgets"}
MAX_BYTES = 2_000_000  # bundles and notebooks make most of it


def expected() -> set[str]:
    """Every source file, data file and notebook of the checkout under its name in the wheel, and the built bundles."""
    names = {
        path.relative_to(base).as_posix()
        for base in (ROOT, ROOT / "server", ROOT / "widgets")
        for package in TOP_LEVEL
        for path in (base / package).rglob("*.py")
    }
    notebooks = {f"spoonkernel/notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    source = ROOT / "widgets/frontend/src"
    bundles = {f"spoonwidgets/static/{path.stem}.js" for path in source.glob("*.tsx")}
    bundles |= {f"spoonwidgets/static/assets/{path.stem}.js" for path in source.glob("assets/*.ts")}
    marks = {f"{package}/py.typed" for package in TOP_LEVEL}
    data = {path.relative_to(ROOT).as_posix() for path in (ROOT / "spoonkernel").rglob("*.json")}
    return names | data | notebooks | bundles | marks | {"spoonkernel/store/migrations/script.py.mako"}


def main(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
    packed = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    missing = expected() - names
    problems = [f"missing: {name}" for name in sorted(missing)]
    problems += [f"does not belong there: {name}" for name in sorted(packed - TOP_LEVEL)]
    if wheel.stat().st_size > MAX_BYTES:
        problems.append(f"{wheel.stat().st_size} bytes, more than {MAX_BYTES}")
    if problems:
        sys.exit("\n".join([f"{wheel.name}:", *problems]))
    print(f"{wheel.name}: {len(names)} files, {wheel.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

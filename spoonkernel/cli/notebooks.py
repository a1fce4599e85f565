"""The notebooks that come with Spoon, and the user's copies of them."""

import hashlib
import json
from pathlib import Path

import spoonkernel

RECORD = ".spoon-notebooks.json"
"""What was copied: file name -> SHA-256. A copy that still has it was not changed by the user."""


def shipped_notebooks() -> Path | None:
    """The folder of the shipped notebooks: in an installed package inside it, in a checkout beside it."""
    package = Path(spoonkernel.__file__).parent
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if any(folder.glob("*.ipynb")):
            return folder
    return None


def copy_notebooks(source: Path, target: Path) -> list[str]:
    """Bring the user's folder up to date and return the files that were kept though a newer version has come.

    A file that the user changed is never touched; one that is as it was copied is replaced by a newer version.
    """
    target.mkdir(parents=True, exist_ok=True)
    record_file = target / RECORD
    record: dict[str, str] = _read(record_file)
    kept = []
    for file in sorted(path for path in source.rglob("*") if _is_shipped(path, source)):
        name = file.relative_to(source).as_posix()
        content, copy = file.read_bytes(), target / name
        new = _digest(content)
        present = _digest(copy.read_bytes()) if copy.exists() else None
        if present is None or present == record.get(name, new):
            if present != new:
                _replace(copy, content)
            record[name] = new
        elif record.get(name) != new:
            kept.append(name)
    _replace(record_file, json.dumps(record, indent=1).encode())
    return kept


def _is_shipped(path: Path, source: Path) -> bool:
    parts = path.relative_to(source).parts
    return path.is_file() and not any(part.startswith((".", "__pycache__")) for part in parts)


def _read(record_file: Path) -> dict[str, str]:
    try:
        return dict(json.loads(record_file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # the first time; or damaged: then nothing counts as unchanged
        return {}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.write_bytes(content)
    draft.replace(path)

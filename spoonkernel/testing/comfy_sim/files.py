"""The folders of the server and the names of its files: `folder_paths.py` of ComfyUI."""

import os
import time
from pathlib import Path

KINDS = ("output", "input", "temp")
MEDIA_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".svg": "image/svg+xml",
    ".avif": "image/avif",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".opus": "audio/ogg",
    ".json": "application/json",
    ".txt": "text/plain",
}
"""By extension, and not by what this machine's `mimetypes` knows. Everything else comes as bytes."""


class Files:
    """`root` holds `output`, `input` and `temp`, which is emptied at each start."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._counted: dict[tuple[Path, str], tuple[int, int]] = {}

    def prepare(self) -> None:
        """Make the folders, with nothing in `temp`."""
        for kind in KINDS:
            (self.root / kind).mkdir(parents=True, exist_ok=True)
        for path in sorted((self.root / "temp").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        self._counted.clear()

    def folder(self, kind: str) -> Path | None:
        """The folder of a kind, or None for a kind that is none."""
        return self.root / kind if kind in KINDS else None

    def inputs(self) -> list[str]:
        """The names in the input folder, without those of folders in it."""
        folder = self.root / "input"
        return sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.exists() else []

    def annotated(self, name: str) -> tuple[str, Path | None]:
        """`x.png [output]` is `x.png` and the output folder; without the note there is no folder."""
        for kind in KINDS:
            if name.endswith(f" [{kind}]"):
                return name.removesuffix(f" [{kind}]"), self.root / kind
        return name, None

    def inside(self, folder: Path, *parts: str) -> Path | None:
        """A path below a folder, or None when it leads out of it."""
        base = folder.absolute()
        path = Path(os.path.normpath(base.joinpath(*parts)))
        return path if path == base or base in path.parents else None

    def input_path(self, name: str) -> Path | None:
        """The file that an input of a node names, or None where there is none."""
        plain, folder = self.annotated(name)
        path = self.inside(folder or self.root / "input", plain)
        return path if path and path.is_file() else None

    def read(self, name: str) -> bytes:
        """The content of a file that an input of a node names. Raises `FileNotFoundError`."""
        path = self.input_path(name)
        if path is None:
            raise FileNotFoundError(f"[Errno 2] No such file or directory: '{name}'")
        return path.read_bytes()

    def next_name(self, kind: str, prefix: str, width: int = 0, height: int = 0) -> "Numbered":
        """Where the next files of a prefix go: the largest number that is there, plus one.

        Raises:
            ValueError: the prefix leads out of the folder.
        """
        base = self.root / kind
        filled = _filled(prefix, width, height)
        target = self.inside(base, filled)
        if target is None or target == base.absolute():
            raise ValueError("**** ERROR: Saving image outside the output folder is not allowed.")
        folder, name = target.parent, target.name
        folder.mkdir(parents=True, exist_ok=True)
        known = self._counted.get((folder, name))
        changed = folder.stat().st_mtime_ns
        number = known[1] if known and known[0] == changed else _largest(folder, name)
        subfolder = folder.relative_to(base.absolute()).as_posix()
        return Numbered(folder, name, number + 1, "" if subfolder == "." else subfolder, kind)

    def wrote(self, place: "Numbered", last: int) -> None:
        """Remember the largest number, so that the folder need not be listed while nobody else writes to it."""
        self._counted[place.folder, place.name] = place.folder.stat().st_mtime_ns, last


class Numbered:
    """A row of files of one prefix."""

    def __init__(self, folder: Path, name: str, number: int, subfolder: str, kind: str) -> None:
        self.folder, self.name, self.number, self.subfolder, self.kind = folder, name, number, subfolder, kind

    def file(self, offset: int, extension: str) -> str:
        """The name of the file so many places after the first."""
        return f"{self.name.replace('%batch_num%', str(offset))}_{self.number + offset:05}_{extension}"


def media_type(name: str) -> str:
    """The type that `/view` tells for a name; what a browser would run comes as bytes."""
    return MEDIA_TYPES.get(Path(name).suffix.lower(), "application/octet-stream")


def _largest(folder: Path, name: str) -> int:
    largest = 0
    for entry in os.scandir(folder):
        rest = entry.name.removeprefix(f"{name}_")
        digits = rest.split("_")[0]
        if rest != entry.name and digits.isdigit():
            largest = max(largest, int(digits))
    return largest


def _filled(prefix: str, width: int, height: int) -> str:
    if "%" not in prefix:
        return prefix
    now = time.localtime()
    values = {
        "width": str(width),
        "height": str(height),
        "year": str(now.tm_year),
        "month": f"{now.tm_mon:02}",
        "day": f"{now.tm_mday:02}",
        "hour": f"{now.tm_hour:02}",
        "minute": f"{now.tm_min:02}",
        "second": f"{now.tm_sec:02}",
    }
    for name, value in values.items():
        prefix = prefix.replace(f"%{name}%", value)
    return prefix

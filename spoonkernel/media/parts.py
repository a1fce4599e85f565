"""A file that is being written: under a name that nobody serves until it is whole."""

import os
import time
from pathlib import Path

ENDING = ".part"


class Part:
    """One temporary file of a folder. `keep` gives it its name, `discard` removes it; both may be called once done.

    It blocks: call it in a thread.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._target = folder / name
        self._path = folder / f".{name}{ENDING}"
        self._is_kept = False
        try:
            self.file = self._path.open("x+b")
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.file = self._path.open("x+b")

    def keep(self, name: str | None = None, *, lasts: bool = True) -> None:
        """Give the file its name, once all of it is on the disk; without waiting for the disk unless it `lasts`."""
        self.file.flush()
        if lasts:
            os.fsync(self.file.fileno())
        self.file.close()
        self._path.replace(self._target if name is None else self._target.with_name(name))
        self._is_kept = True

    def discard(self) -> None:
        """Remove what was written. Nothing happens to a file that was kept."""
        self.file.close()
        if not self._is_kept:
            self._path.unlink(missing_ok=True)


def write_whole(folder: Path, name: str, content: bytes, *, lasts: bool = True) -> None:
    """Write a file of which nobody ever sees a part; one that need not last can be made again."""
    part = Part(folder, name)
    try:
        part.file.write(content)
        part.keep(lasts=lasts)
    finally:
        part.discard()


def read_file(path: Path) -> bytes:
    """A file's bytes. Raises `OSError` for one that is missing, and for a symbolic link, which we never make."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as file:  # noqa: PTH123  # a descriptor, not a path
        return file.read()


def leftovers(folder: Path, older_than_s: float) -> list[Path]:
    """Temporary files that nobody has written to for so many seconds: their process is gone."""
    return [path for path in folder.glob(f".*{ENDING}") if is_older(path, older_than_s)]


def is_older(path: Path, seconds: float) -> bool:
    """Whether a file was last written so long ago; a link or a file that is gone is not."""
    try:
        state = path.lstat()
    except OSError:
        return False
    return not path.is_symlink() and time.time() - state.st_mtime >= seconds

"""The lock that makes one process the owner of a data folder's engine. The system frees it however its holder ends."""

import os
import sys
from pathlib import Path


class FolderLock:
    """A lock on `engine.lock`. Child processes do not inherit it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "engine.lock"
        self._file: int | None = None

    def try_acquire(self) -> bool:
        """Whether the lock is ours now; never waits."""
        if self._file is not None:
            return True
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(file)
        except OSError:
            os.close(file)
            return False
        self._file = file
        return True

    def release(self) -> None:
        """Fine when it is not ours."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: int) -> None:
        # flock, not lockf: a second engine in this very process must be refused too.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

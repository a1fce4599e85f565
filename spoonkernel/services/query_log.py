"""Who asked the database what: a line of JSON for each statement, in `audit/queries.jsonl` of the data folder.

A file and not a table: a question must not write to the store (each write makes every reader look for changes), it must
be on record when the store is away, and nobody should find the others' questions by asking for them. Processes that
share the folder share the file: each line is written whole, under a lock, and the file is put aside at 10 MB. The same
line goes to the logger `spoonkernel.audit`.
"""

import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spoonkernel.types.base import format_time, utc_now

MAX_FILE_BYTES = 10_000_000
KEPT_FILES = 5
MAX_SQL_CHARS = 2_000
HIDDEN = "[hidden]"

_KEY_LIKE = re.compile(
    r"(?<![\w-])(?:(?:sk|pk|hf|ghp|gho|xox[abp]|AIza|eyJ)[\w.-]{8,}"  # as providers begin theirs
    r"|(?![0-9a-fA-F-]{36}(?![\w-]))(?=[\w/+-]*\d)(?=[\w/+-]*[A-Za-z])[\w/+-]{24,}={0,2})"  # long and mixed, no UUID
)

log = logging.getLogger("spoonkernel.audit")


class QueryLog:
    """The file `path`, made with the first line, and its predecessors `path.1` to `path.4`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def record(self, *, who: str, sql: str, parameters: Mapping[str, Any], **outcome: Any) -> None:
        """Write a line: the names of parameters only, and the statement without whatever looks like a key."""
        line = {
            "at": format_time(utc_now()),
            "who": who,
            "query": without_keys(" ".join(sql.split()))[:MAX_SQL_CHARS],
            "parameters": sorted(parameters),
            **outcome,
        }
        text = json.dumps(line, ensure_ascii=False)
        log.info("%s", text)
        try:
            self._append(text.encode(errors="replace") + b"\n")
        except OSError:
            log.exception("A question could not be recorded in %s", self._path)

    def _append(self, line: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        while True:
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                _lock(file)
                is_current = self._path.exists() and self._path.stat().st_ino == os.fstat(file).st_ino
                if is_current and os.fstat(file).st_size < MAX_FILE_BYTES:
                    os.write(file, line)
                    return
                if is_current:
                    self._put_aside()
            finally:
                os.close(file)  # and with it the lock

    def _put_aside(self) -> None:
        for number in range(KEPT_FILES - 1, 0, -1):
            older = self._path if number == 1 else self._numbered(number - 1)
            if older.exists():
                older.replace(self._numbered(number))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def without_keys(text: str) -> str:
    """The text with everything that looks like a key left out."""
    return _KEY_LIKE.sub(HIDDEN, text)


if sys.platform == "win32":

    def _lock(file: int) -> None:
        """Lines are whole there as well; two processes that put the file aside at once lose a predecessor."""

else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)

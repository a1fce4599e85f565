"""What shuts the child in. Each was tried alone and found to leak; together, with the parent's SIGKILL, they hold."""

import contextlib
import ctypes
import os
import sys
from typing import Any

import duckdb

NICE = 10
"""Questions yield the processor to the server."""
GIB = 1024**3
PR_SET_PDEATHSIG, SIGKILL = 1, 9  # linux/prctl.h
M_ARENA_MAX, ARENAS = -8, 2  # malloc.h; its default is 8 a core, each of which takes 64 MB of address space

ALLOWED = frozenset({"SELECT", "EXPLAIN", "MULTI"})
"""DuckDB's kinds of statement that only read; PIVOT is parsed as MULTI. The read-only transaction refuses what writes
all the same (`with x as (insert ...)`, `explain analyze insert ...`)."""


class Refused(Exception):
    """The statement may not run; the message says why."""


def lock(database: duckdb.DuckDBPyConnection, *, memory_mb: int, threads: int) -> None:
    """No files, no network, no extensions, no Python variables, bounded memory; and none of it can be changed back."""
    settings: dict[str, Any] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "allow_persistent_secrets": "false",
        "python_enable_replacements": "false",
        "python_scan_all_frames": "false",
        "memory_limit": f"'{memory_mb:d}MB'",
        "max_expression_depth": "500",
        "threads": f"{threads:d}",
        "temp_directory": "''",
        "secret_directory": "''",
        "TimeZone": "'UTC'",
        "disabled_filesystems": "'LocalFileSystem'",
        "enable_external_access": "false",
        "lock_configuration": "true",  # the last one
    }
    for name, value in settings.items():
        database.execute(f"set global {name} = {value}")


def confine(*, memory_mb: int) -> None:
    """Limits of the process itself, where DuckDB's own did not hold (4 GB went past its `memory_limit`)."""
    os.environ.clear()
    if sys.platform == "win32":  # it has none of these; the deadline and DuckDB's own limits remain
        return
    import resource

    if sys.platform == "linux":
        # macOS has a limit of address space by name only. It counts what is mapped, not what is used: the copy of a
        # million rows has 370 MB in memory and 620 MB mapped
        space = memory_mb * 1024**2 + 2 * GIB
        resource.setrlimit(resource.RLIMIT_AS, (space, space))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(NICE)


def address_space() -> int:
    """Bytes that this process has mapped, of what `confine` allows; 0 where nobody counts them."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123  # pathlib would be loaded for this alone
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _without_libraries() -> None:
    """The drivers load these where they find them, and need none: 200 MB, and several seconds on a busy machine."""
    sys.modules.update(dict.fromkeys(("numpy", "pandas", "polars", "pyarrow")))  # type: ignore[arg-type]  # None: not there


def settle() -> None:
    """Before anything else: Linux kills this process with the one that started it (elsewhere the end of its input does
    the same), and memory is taken in few places."""
    if sys.platform == "linux":
        system = ctypes.CDLL(None)
        system.prctl(PR_SET_PDEATHSIG, SIGKILL)
        with contextlib.suppress(AttributeError):  # musl has no arenas
            system.mallopt(M_ARENA_MAX, ARENAS)
    _without_libraries()


def one_reading_statement(database: duckdb.DuckDBPyConnection, sql: str) -> Any:
    """The statement, parsed. Raises `Refused` when it is none, several, or one that does more than read."""
    statements = database.extract_statements(sql)
    if not statements:
        raise Refused("There is no statement")
    if len(statements) > 1:
        raise Refused(f"One statement at a time: these are {len(statements)}")
    kind = statements[0].type.name
    if kind not in ALLOWED:
        raise Refused(f"Only SELECT and EXPLAIN may run here, and this is {kind.replace('_', ' ')}")
    return statements[0]

"""The child process: `python -P -m spoonkernel.query.worker`. Frames on stdin and stdout, described in `frames`.

The first frame says what to copy and how much may be taken. Each further one is a question. A second thread reads the
frames, so that "stop" interrupts the statement that runs; should DuckDB not listen, the parent kills the process.
"""

import io
import os
import queue
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import adbc_driver_manager
import duckdb
import nanoarrow
from nanoarrow.c_array_stream import CArrayStream
from nanoarrow.ipc import StreamWriter

from spoonkernel.query.answers import distinct, objects
from spoonkernel.query.catalog import Catalog, literal, quoted
from spoonkernel.query.frames import Frame, read_frame, write_frame
from spoonkernel.query.guard import Refused, address_space, confine, lock, one_reading_statement, settle
from spoonkernel.query.sources import open_source
from spoonkernel.query.sync import Copy, Outdated

TYPE_CHARS = 200  # of a nested type's name
ROOM = 512 * 1024**2
"""Bytes of address space that statements may leave behind: `malloc` keeps what large ones took, and none is left for
the next ones."""
UNWRITTEN = re.compile(r"\b(INTERVAL|ENUM|BIT|UNION|UHUGEINT|BIGNUM|VARIANT|TIME WITH TIME ZONE)\b")
"""Types that Arrow files do not have, or that pandas or polars do not read; they become text."""


class Worker:
    """One DuckDB, filled from one store."""

    def __init__(self, setup: dict[str, Any]) -> None:
        self._limits = setup["limits"]
        catalog = Catalog.from_json(setup["catalog"])
        self._database = duckdb.connect()
        self._copy = Copy(self._database, open_source(setup["store"]), catalog)
        _describe(self._database, catalog)
        memory_mb = self._limits["memory_mb"]
        lock(self._database, memory_mb=memory_mb, threads=self._limits["threads"])
        confine(memory_mb=memory_mb)
        self._mutex = threading.Lock()
        self._running: tuple[int, duckdb.DuckDBPyConnection] | None = None
        self._left = 0

    def answer(self, asked: dict[str, Any]) -> Frame:
        """The frame for one question; whatever goes wrong is an answer too.

        `spent` in its head says that this process has become too large to go on with.
        """
        if asked["op"] == "sync":
            frame = self._sync()
        else:
            before = address_space()
            frame = self._statement(asked)
            self._left += address_space() - before
            if self._left > ROOM:
                frame.head["spent"] = True
        frame.head["n"] = asked["n"]
        return frame

    def stop(self, number: int) -> None:
        """Interrupt the statement of that number; nothing happens when it has ended."""
        with self._mutex:
            if self._running and self._running[0] == number:
                self._running[1].interrupt()

    def _sync(self) -> Frame:
        began = time.perf_counter()
        try:
            copied = self._copy.follow()
        except Outdated:
            return Frame({"error": "The store was changed", "kind": "outdated"})
        except (duckdb.OutOfMemoryException, MemoryError):
            told = f"The store does not fit into {self._limits['memory_mb']} MB of memory"
            return Frame({"error": f"{told}: raise SPOON_DATABASE_MEMORY_MB", "kind": "stopped"})
        except (adbc_driver_manager.Error, duckdb.Error) as error:
            return Frame({"error": f"The store could not be read: {_first_line(error)}", "kind": "store"})
        return Frame({"copied": copied, "sync_ms": _milliseconds(began)})

    def _statement(self, asked: dict[str, Any]) -> Frame:
        began = time.perf_counter()
        try:
            with self._cursor(asked["n"]) as cursor:
                statement = one_reading_statement(cursor, asked["sql"])
                cursor.execute("begin transaction read only")
                frame = _arrow(cursor, statement, asked) if asked["op"] == "arrow" else _json(cursor, statement, asked)
        except Refused as error:
            return Frame({"error": str(error), "kind": "refused"})
        except (duckdb.OutOfMemoryException, MemoryError):
            told = f"Stopped: it needs more than {self._limits['memory_mb']} MB of memory"
            return Frame({"error": told, "kind": "stopped"})
        except duckdb.InterruptException:
            return Frame({"error": "Stopped", "kind": "stopped"})
        except RecursionError:
            return Frame({"error": "It is nested too deeply", "kind": "refused"})
        except Exception as error:  # noqa: BLE001  # DuckDB's own words, or what one of its values did to Python
            return Frame({"error": str(error).strip() or type(error).__name__, "kind": "refused"})
        frame.head["duration_ms"] = _milliseconds(began)
        return frame

    @contextmanager
    def _cursor(self, number: int) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for one statement: what it left open or prepared goes with it."""
        cursor = self._database.cursor()
        with self._mutex:
            self._running = (number, cursor)
        try:
            yield cursor
        finally:
            with self._mutex:
                self._running = None
            cursor.close()


def _json(cursor: duckdb.DuckDBPyConnection, statement: Any, asked: dict[str, Any]) -> Frame:
    """The rows as a JSON array of objects, up to the limits."""
    result = cursor.execute(statement, asked["parameters"] or None)
    names = distinct([str(one[0]) for one in result.description or ()])
    types = [str(one[1])[:TYPE_CHARS] for one in result.description or ()]
    rows = result.fetchmany(asked["limit"] + 1)
    spelled, whole = objects(rows[: asked["limit"]], names, types, asked["max_bytes"])
    truncated = not whole or len(rows) > asked["limit"]
    head = {"fields": names, "types": types, "truncated": truncated, "rows": len(spelled)}
    return Frame(head, b"[" + b",".join(spelled) + b"]")


def _arrow(cursor: duckdb.DuckDBPyConnection, statement: Any, asked: dict[str, Any]) -> Frame:
    """The rows as an Arrow IPC stream: all of them, or none."""
    relation = cursor.sql(statement, params=asked["parameters"] or None)
    if relation is None:
        raise Refused("This gives no table to hand over")
    names, types = distinct(relation.columns), [str(kind)[:TYPE_CHARS] for kind in relation.types]
    batches = nanoarrow.c_array_stream(relation.project(_written(names, types)))
    out, rows = io.BytesIO(), 0
    with StreamWriter.from_writable(out) as writer:
        writer.write_stream(CArrayStream.from_c_arrays([], batches.get_schema()))
        for batch in batches:
            writer.write_array(batch)
            rows += len(batch)
            if rows > asked["limit"]:
                return _too_much(f"{asked['limit']:,} rows")
            if out.tell() > asked["max_bytes"]:
                return _too_much(f"{asked['max_bytes'] >> 20} MB")
    return Frame({"fields": names, "types": types, "rows": rows}, out.getvalue())


def _written(names: list[str], types: list[str]) -> str:
    """The columns by their place (names may be there twice), those that cannot be written as text."""
    columns = (
        f"#{place}{'::varchar' if UNWRITTEN.search(kind) else ''} as {quoted(name)}"
        for place, (name, kind) in enumerate(zip(names, types, strict=True), 1)
    )
    return ", ".join(columns)


def _too_much(most: str) -> Frame:
    told = f"Stopped: the answer has more than {most}; ask for fewer columns or rows (WHERE, LIMIT, GROUP BY)"
    return Frame({"error": told, "kind": "stopped"})


def _describe(database: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Views, and a comment on each relation and column."""
    for view in catalog.views:
        database.execute(f"create view {quoted(view.name)} as {view.sql}")
        _comment(database, "view", view.name, view.comment, view.comments)
    for table in catalog.tables:
        comments = {column.name: column.comment for column in table.columns}
        _comment(database, "table", table.name, table.comment, comments)


def _comment(database: duckdb.DuckDBPyConnection, kind: str, name: str, comment: str, comments: dict[str, str]) -> None:
    database.execute(f"comment on {kind} {quoted(name)} is {literal(comment)}")
    for column, words in comments.items():
        database.execute(f"comment on column {quoted(name)}.{quoted(column)} is {literal(words)}")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _milliseconds(began: float) -> float:
    return round((time.perf_counter() - began) * 1e3, 3)


def main(source: BinaryIO, target: BinaryIO) -> None:
    """Serve questions until the parent closes the pipe, or is gone."""
    settle()
    setup = read_frame(source)
    if setup is None:
        return
    worker = Worker(setup.head)
    questions: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(source, worker, questions), daemon=True).start()
    write_frame(target, Frame({"n": 0}))
    while True:
        write_frame(target, worker.answer(questions.get()))


def _listen(source: BinaryIO, worker: Worker, questions: "queue.SimpleQueue[dict[str, Any]]") -> None:
    while (frame := read_frame(source)) is not None:
        if frame.head["op"] == "stop":
            worker.stop(frame.head["n"])
        else:
            questions.put(frame.head)
    os._exit(0)  # nobody is there to hear the rest, however long a statement would go on


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)

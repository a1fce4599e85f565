"""One statement at a time: asking it, the newest first, stopping it, and how it went."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from spoonkernel.errors import QueryStopped, SpoonError
from spoonkernel.portal import OpenWorkbench
from spoonkernel.types.database import MAX_ROWS, QueryResult
from spoonwidgets._base import explain
from spoonwidgets._query_sql import View, place_of


class Asking:
    """The pane's statement: what runs, what was answered last, and what went wrong. `changed` is told of each step."""

    def __init__(self, inner: OpenWorkbench, changed: Callable[[], None]) -> None:
        self._inner, self._changed = inner, changed
        self._running: asyncio.Task[QueryResult] | None = None
        self._began = self._again_at = 0.0
        self.number = 0
        """Counts the answers; what a page asks about rows names the one that it means."""
        self.state = "idle"
        """`idle`, `running`, `done`, `failed` or `stopped`."""
        self.view = View("")
        self.result: QueryResult | None = None
        self.answered_at = 0.0
        self._error: dict[str, Any] | None = None

    async def ask(self, view: View) -> QueryResult:
        """Ask, and stop what was asked before. Raises what the kernel says; a `QueryStopped` when it was stopped."""
        self.stop()
        asked = self._inner.database.query(view.statement, parameters=view.parameters or None, limit=MAX_ROWS)
        task: asyncio.Task[QueryResult] = asyncio.ensure_future(asked)
        self._running, self._began = task, time.monotonic()
        self.state, self._error = "running", None
        self._changed()
        try:
            result = await task
        except asyncio.CancelledError:
            self._end(task, "stopped")
            current = asyncio.current_task()
            if current and current.cancelling():
                raise
            raise QueryStopped("Stopped") from None
        except SpoonError as error:
            self._fail(task, error, view)
            raise
        except BaseException:
            self._end(task, "failed")
            raise
        if self._running is task:
            self.number += 1
            self.view, self.result, self.answered_at = view, result, time.time()
            self._end(task, "done")
        return result

    def stop(self) -> None:
        if self._running:
            self._running.cancel()

    def _end(self, task: "asyncio.Task[QueryResult]", state: str) -> None:
        if self._running is task:  # else a newer one runs: what became of this one is nobody's news
            self._running, self.state = None, state
            self._changed()

    def _fail(self, task: "asyncio.Task[QueryResult]", error: SpoonError, view: View) -> None:
        if self._running is not task:
            return
        words, place = place_of(error.message, view.statement)
        self._error = explain(error) | {"message": words, "sql": view.sql, "where": view.where}
        inside = replace(view, sort=(), where="") == self._plain()
        if error.retry_after_s is not None:
            self._again_at = time.monotonic() + error.retry_after_s
        self._error["at"] = "filter" if inside and (view.sort or view.where) else "editor"
        if place and self._error["at"] == "editor" and not (view.sort or view.where):
            self._error |= {"line": place.line, "column": place.column, "length": place.length}
        self._end(task, "failed")

    def _plain(self) -> View:
        return replace(self.view, sort=(), where="")

    def describe(self) -> dict[str, Any]:
        """For the page. Times are milliseconds; `at` is since 1970 (UTC)."""
        told: dict[str, Any] = {"number": self.number, "state": self.state, "error": self._error}
        if self._error and self._error["retry_after_s"] is not None:
            told["error"] = self._error | {"retry_after_s": max(0.0, self._again_at - time.monotonic())}
        if self.state == "running":
            told["elapsed"] = round((time.monotonic() - self._began) * 1000)
        if self.result is None:
            return told
        result, view = self.result, self.view
        told |= {"sql": view.sql, "statement": view.statement, "sort": view.sort, "where": view.where}
        told |= {"fields": result.fields, "types": result.types, "count": result.row_count}
        told |= {"truncated": result.truncated, "ms": result.duration_ms, "sync_ms": result.sync_ms}
        return told | {"parameters": view.parameters, "at": round(self.answered_at * 1000)}

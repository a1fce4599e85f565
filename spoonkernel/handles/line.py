"""The live line that a handle shows in a notebook: one output, rewritten in place through its display id.

Plain HTML, so that it needs no widgets and works in nbclient as in a browser. Nothing is printed: text that a thread
prints lands in whichever cell runs.
"""

import asyncio
import contextvars
import functools
import html
import logging
import uuid
from collections.abc import Callable

BETWEEN_S = 0.1
"""Seconds between two updates of one line, at least."""

Bundle = dict[str, str]
"""MIME type -> data."""

log = logging.getLogger(__name__)


class Line:
    """One shown output. `now` gives what to show at this moment."""

    def __init__(self, now: Callable[[], Bundle]) -> None:
        self._now = now
        self._id = f"spoon-{uuid.uuid4().hex}"
        self._last = 0.0
        self._next: asyncio.TimerHandle | None = None
        self._final: Bundle | None = None
        self._final_cell: str | None = None

    def show(self, bundle: Bundle) -> None:
        """Put it into the output of the cell that runs now."""
        from IPython.display import display

        display(bundle, raw=True, display_id=self._id)  # type: ignore[no-untyped-call]  # IPython has no types

    def changed(self) -> None:
        """Show the present state soon. On the loop."""
        loop = asyncio.get_running_loop()
        if self._next is None and self._final is None:
            self._next = loop.call_at(max(loop.time(), self._last + BETWEEN_S), self._rewrite)

    def finish(self, bundle: Bundle) -> None:
        """Show this from now on. On the loop."""
        if self._next is not None:
            self._next.cancel()
        self._final, self._final_cell = bundle, _cell()
        self._put(bundle)

    def repeat(self) -> None:
        """Show the end once more if it was shown in another cell, or between two: nbclient hears only those messages
        that come from the cell it waits for."""
        if self._final is not None and self._final_cell not in (None, _cell()):
            self._final_cell = None
            self._put(self._final)

    def _rewrite(self) -> None:
        self._next = None
        self._last = asyncio.get_running_loop().time()
        self._put(self._now())

    def _put(self, bundle: Bundle) -> None:
        from IPython.core.getipython import get_ipython
        from IPython.display import update_display

        if not hasattr(get_ipython(), "kernel"):  # a terminal cannot rewrite what it printed
            return
        # In an empty context a message belongs to the cell that runs now, not to the one that started the work
        put = functools.partial(update_display, bundle, raw=True, display_id=self._id)
        try:
            contextvars.Context().run(put)
        except Exception:
            log.warning("A live output could not be updated", exc_info=True)  # the work matters more than its picture


def _cell() -> str:
    """The cell that runs now, or ran last, by the id of its request; "" where there is no kernel."""
    from IPython.core.getipython import get_ipython

    publisher = getattr(get_ipython(), "display_pub", None)
    header = contextvars.Context().run(getattr, publisher, "parent_header", None)
    return str(header.get("msg_id", "")) if isinstance(header, dict) else ""


def status_line(state: str, *, progress: float | None = None, note: str = "") -> str:
    """A line of HTML: a word, a progress bar (0 to 1) where there is progress, a note. Escapes both texts."""
    bar = ""
    if progress is not None:
        bar = f' <progress value="{progress:.3f}" max="1" style="vertical-align:middle"></progress> {progress:.0%}'
    return f'<div role="status"><strong>{html.escape(state)}</strong>{bar} {html.escape(note)}</div>'

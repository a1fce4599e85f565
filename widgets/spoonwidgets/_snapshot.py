"""The copy of a pane that a saved notebook keeps: plain HTML beside the live view, shown where no kernel runs.

GitHub, nbviewer and nbconvert strip scripts and most styles, so it must read as headings and paragraphs alone.
"""

import contextvars
import html
import itertools
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

QUIET = 'style="opacity:.75;font-size:.9em;margin:0 0 .6em"'
KEEP_LINES = 'style="white-space:pre-wrap;margin:.1em 0 .9em;max-width:68ch"'
NO_WIDGET = ".jp-OutputArea:has([id^=spoon-static]) .jupyter-widgets:not(:has(*)){display:none}"
"""JupyterLab prints "model not found" where a saved widget has no kernel; the snapshot stands there instead."""


class Snapshot:
    """One snapshot output, shown at most once per `show` and rewritten in place. `body` gives its HTML and its text."""

    def __init__(self, body: Callable[[], tuple[str, str]]) -> None:
        self.id = f"spoon-static-{uuid.uuid4().hex[:12]}"
        self._body = body
        self._shown = False
        self._unheard = False
        self.held = False
        """Whether the output is there but empty still: `release` fills it."""

    def show(self) -> None:
        """Emit the output, in the cell that runs now.

        In a page it is empty until `release`: the live view hides it anyway, and the first HTML that JupyterLab shows
        makes it load MathJax (a megabyte of scripts) in the moment in which the view is drawn.
        """
        from IPython.core.getipython import get_ipython
        from IPython.display import display

        shell = get_ipython()
        self.held = not self._shown and _runs_in_page(shell)
        bundle = {} if self.held else self._bundle()
        display(bundle, raw=True, display_id=self.id)  # type: ignore[no-untyped-call]  # IPython has no types
        if shell is not None and not self._shown:
            shell.events.register("post_execute", self._repeat)
        self._shown = True

    def release(self) -> None:
        """Fill the output that was held back. Any thread."""
        if self.held:
            self.held = False
            self.update()

    def update(self) -> None:
        """Rewrite it with what the pane holds now. Any thread."""
        if not self._shown or self.held:
            return
        self._unheard = True
        # in an empty context the message belongs to the cell that runs now, not to the one that started the work
        contextvars.Context().run(self._rewrite)

    def _repeat(self) -> None:
        """Once more at the end of a cell: who runs a notebook without a page hears only what the running cell says."""
        if self._unheard:
            self._unheard = False
            self._rewrite()

    def _rewrite(self) -> None:
        from IPython.display import update_display

        update_display(self._bundle(), raw=True, display_id=self.id)  # type: ignore[no-untyped-call]

    def _bundle(self) -> dict[str, str]:
        body, text = self._body()
        return {
            "text/html": f'<div id="{self.id}" class="spoon-static"><style>{NO_WIDGET}</style>{body}</div>',
            "text/plain": text,
        }


def _runs_in_page(shell: Any) -> bool:
    """Whether JupyterLab's notebook asked for the cell that runs now: nobody else says which cells were deleted."""
    parent: dict[str, Any] = getattr(shell, "get_parent", dict)()
    return "deletedCells" in (parent.get("metadata") or {})


def saved_note(what_next: str) -> str:
    """The line above a snapshot: when it was made, and how to bring the pane back to life."""
    moment = datetime.now().astimezone().strftime("%d %b %Y, %H:%M")
    return f"<p {QUIET}>Saved {moment}. {html.escape(what_next)}</p>"


def paragraphs(parts: list[tuple[str, str, str]]) -> str:
    """(heading, note, text) as plain HTML, everything escaped."""
    return "".join(
        f"<p style='margin:0'><strong>{html.escape(who)}</strong> {html.escape(note)}</p>"
        f"<p {KEEP_LINES}>{html.escape(text)}</p>"
        for who, note, text in parts
    )


def table(header: list[str], rows: list[list[Any]]) -> str:
    """A plain table, everything escaped."""
    lines = [f"<th>{html.escape(name)}</th>" for name in header]
    cells = [[f"<td>{html.escape(str(value))}</td>" for value in row] for row in rows]
    return "<table>" + "".join(f"<tr>{''.join(row)}</tr>" for row in itertools.chain([lines], cells)) + "</table>"

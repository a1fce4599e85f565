"""Magics: `%load_ext spoonkernel`, then `%%chat`, `%%sql` and `%spoon` in any cell.

%%chat local/smollm2:135m --conversation "Birds"
Which one sings at night?

%%sql --to slow
SELECT * FROM runs WHERE duration_ms > $limit
"""

import argparse
import html
import re
import shlex
from collections.abc import Callable
from typing import Any, NoReturn, get_args

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, cell_magic, line_cell_magic, line_magic, magics_class
from IPython.display import display

import spoonkernel
from spoonkernel.errors import SpoonError
from spoonkernel.handles.replies import Reply
from spoonkernel.handles.starting import KeptQuestion, Question
from spoonkernel.portal import PortalWorkbench
from spoonkernel.types.base import ChatProviderName

USUAL_NAME = "wb"
SHOWN_ROWS = 50
SHOWN_CHARACTERS = 200
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_PARAMETER = re.compile(r"\$([A-Za-z_]\w*)")


class _Arguments(argparse.ArgumentParser):
    """A magic's line. What is wrong with it is said in one line; nothing exits."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}. {' '.join(self.format_usage().split())}")

    def read(self, line: str) -> argparse.Namespace:
        try:
            words = shlex.split(line)
        except ValueError as error:
            self.error(str(error))
        return self.parse_args(words)


def _chat_arguments() -> _Arguments:
    arguments = _Arguments("%%chat", add_help=False, allow_abbrev=False)
    arguments.add_argument("who", nargs="?", metavar="provider/model")
    arguments.add_argument("--conversation", "-c", metavar="TITLE")
    arguments.add_argument("--system", "-s", metavar="TEXT")
    return arguments


def _sql_arguments() -> _Arguments:
    arguments = _Arguments("%%sql", add_help=False, allow_abbrev=False)
    arguments.add_argument("--to", metavar="NAME")
    return arguments


@magics_class
class SpoonMagics(Magics):
    """The magics of one shell. `%spoon open` says which workbench they use, else it is the one called `wb`, else the
    one that was opened last, else the default one, opened at first use."""

    shell: InteractiveShell

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self._own: PortalWorkbench | None = None

    @line_magic
    def spoon(self, line: str) -> None:
        """`%spoon open [url]` opens a workbench (as `wb`, where that name is free); `%spoon` says which one is used."""
        match line.split():
            case []:
                workbench = self._found()
                text = repr(workbench) if workbench else "No workbench is open: %spoon open [url]"
                display({"text/plain": text}, raw=True)  # type: ignore[no-untyped-call]  # IPython has no types
            case ["open", *address] if len(address) < 2:
                self._own = _told(lambda: spoonkernel.open(*address))
                self._name(self._own)
            case _:
                raise UsageError("%spoon takes `open [url]`, or nothing")

    @cell_magic
    def chat(self, line: str, cell: str) -> None:
        """`%%chat [provider/model] [--conversation TITLE] [--system TEXT]`: ask a model; the answer streams in as
        markdown, and `_` is the reply. With a title the question goes on with that conversation, made when needed."""
        given = _chat_arguments().read(line)
        if not cell.strip():
            raise UsageError("%%chat: write the question below the first line")
        provider, model = _who(given.who)
        if given.conversation:
            begin = KeptQuestion(cell.strip(), given.conversation, provider, model, given.system).begin
        else:
            begin = Question(cell.strip(), provider, model, given.system).begin
        reply = _told(lambda: Reply(self._workbench(), begin))
        reply._ipython_display_()
        try:
            _told(reply.result)
        except KeyboardInterrupt:
            raise UsageError("Stopped") from None
        finally:
            self.shell.displayhook.update_user_ns(reply)  # type: ignore[no-untyped-call]  # as above

    @line_cell_magic
    def sql(self, line: str, cell: str | None = None) -> None:
        """`%%sql [--to NAME]`, or `%sql SELECT ...`: one read-only statement over the workbench's store. `$name` in it
        is the value of that variable; `_`, and NAME, have the result."""
        given = _sql_arguments().read(line if cell is not None else "")
        if given.to and not given.to.isidentifier():
            raise UsageError(f"%%sql: {given.to!r} is no name for a variable")
        statement = (line if cell is None else cell).strip()
        if not statement:
            raise UsageError("%%sql: write one statement below the first line")
        database = getattr(self._workbench(), "database", None)
        if database is None:
            raise UsageError("This workbench cannot answer SQL: its Spoon is older than the database room; update it")
        names = dict.fromkeys(_PARAMETER.findall(_QUOTED.sub(" ", statement)))
        parameters = {name: self.shell.user_ns[name] for name in names if name in self.shell.user_ns}
        try:
            answer = _told(lambda: database.query(query=statement, parameters=parameters or None).result())
        except KeyboardInterrupt:
            raise UsageError("Stopped") from None
        display(_table(answer), raw=True)  # type: ignore[no-untyped-call]  # as above
        self.shell.displayhook.update_user_ns(answer)  # type: ignore[no-untyped-call]  # as above
        if given.to:
            self.shell.user_ns[given.to] = answer

    def _workbench(self) -> PortalWorkbench:
        if (found := self._found()) is None:
            found = self._own = _told(spoonkernel.open)
            self._name(found)
        return found

    def _found(self) -> PortalWorkbench | None:
        names = self.shell.user_ns
        there = [one for one in [*names.values()] if isinstance(one, PortalWorkbench) and one.is_open]
        if self._own is not None and self._own.is_open:
            return self._own
        if names.get(USUAL_NAME) in there:
            return there[there.index(names[USUAL_NAME])]
        return max(there, key=lambda one: one.opened_at, default=None)

    def _name(self, workbench: PortalWorkbench) -> None:
        """Call it `wb`, unless something else has that name."""
        if isinstance(self.shell.user_ns.get(USUAL_NAME), PortalWorkbench | None):
            self.shell.user_ns[USUAL_NAME] = workbench


def _told(work: Callable[[], Any]) -> Any:
    """Do it; what Spoon can explain becomes one line."""
    try:
        return work()
    except SpoonError as error:
        raise UsageError(error.message) from None


def _who(text: str | None) -> tuple[ChatProviderName | None, str | None]:
    """`provider/model`, a provider alone, or a model alone, whose name may have slashes too."""
    if text is None:
        return None, None
    first, _, rest = text.partition("/")
    for provider in get_args(ChatProviderName):
        if first == provider:
            return provider, rest or None
    return None, text


def _table(answer: Any) -> dict[str, str]:
    """An answer's first rows, everything escaped."""
    shown = [[_cell(row.get(name)) for name in answer.fields] for row in answer.rows[:SHOWN_ROWS]]
    more = "there are more" if answer.truncated else "all of them"
    note = f"{answer.row_count} rows, {more}" if answer.row_count != 1 else "1 row"
    note += f"; the first {SHOWN_ROWS} are shown" if len(answer.rows) > SHOWN_ROWS else ""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in answer.fields)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in shown)
    lines = ["\t".join(answer.fields), *("\t".join(row) for row in shown), note]
    return {
        "text/html": f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p>{html.escape(note)}</p>",
        "text/plain": "\n".join(lines),
    }


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"

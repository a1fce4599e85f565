"""The text of statements: what goes around one, which parameters it has, where DuckDB found an error in it."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

SORT_MOST = 8
_COMMENT = re.compile(r"--|/\*")
_UNREAD = re.compile(
    r"--[^\n]*|/\*.*?\*/|[eE]'(?:\\.|[^'\\]|'')*'|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\$(\w*)\$.*?\$\1\$", re.DOTALL
)
"""Comments, texts and quoted names: what stands in them is no SQL."""
_PARAMETER = re.compile(r"\$([A-Za-z_]\w*)")
_NUMBER = re.compile(r"[+-]?(\d+|\d*\.\d+|\d+\.)([eE][+-]?\d+)?")
_PLACE = re.compile(r"\n*LINE (\d+): ([^\n]*)\n( *)(\^+)\s*$")
_WORDS: dict[str, JsonValue] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a statement: line and column count from 1, in characters."""

    line: int
    column: int
    length: int


@dataclass(frozen=True, slots=True)
class View:
    """A statement as it was asked, and how its rows are sorted and filtered on top of that."""

    sql: str
    parameters: dict[str, JsonValue] = field(default_factory=dict)
    sort: tuple[tuple[int, bool], ...] = ()
    """(place of a column, counted from 0; whether the largest come first), the first one decides first."""
    where: str = ""

    @property
    def statement(self) -> str:
        """What the kernel is asked: the statement itself, unless there is something around it."""
        if not self.sort and not self.where:
            return self.sql
        wrapped = f"SELECT * FROM (\n{trimmed(self.sql)}\n) AS _result"  # noqa: S608 - the asker's own statement
        if self.where:
            wrapped += f"\nWHERE (\n{self.where}\n)"
        if self.sort:
            orders = (f"{place + 1} {'DESC' if largest else 'ASC'} NULLS LAST" for place, largest in self.sort)
            wrapped += f"\nORDER BY {', '.join(orders)}"
        return wrapped

    def named(self, count: int) -> str:
        """The rows as a relation whose columns are called c0, c1, ...: names may be there twice, and say anything."""
        names = ", ".join(f"c{place}" for place in range(count))
        return f"(\n{trimmed(self.statement)}\n) AS _rows({names})"


def blanked(sql: str) -> str:
    """The statement with comments as blanks and texts as x, character for character."""
    return _UNREAD.sub(lambda found: (" " if _COMMENT.match(found[0]) else "x") * len(found[0]), sql)


def trimmed(sql: str) -> str:
    """Without the semicolon at its end, and what follows it."""
    return sql[: len(blanked(sql).rstrip("; \t\r\n"))]


def parameter_names(sql: str) -> list[str]:
    """The names behind `$`, each once, in their order."""
    return list(dict.fromkeys(_PARAMETER.findall(blanked(sql))))


def value_of(text: str) -> JsonValue:
    """What somebody typed, as a value: numbers, true, false, null and [lists] are those, 'quoted' is text."""
    text = text.strip()
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _NUMBER.fullmatch(text):
        return int(text) if text.lstrip("+-").isdigit() else float(text)
    if text[:1] == text[-1:] == "'" and len(text) > 1:
        return text[1:-1].replace("''", "'")
    if text.startswith("["):
        try:
            value: JsonValue = json.loads(text)
        except ValueError:
            return text
        return value
    return text


def text_of(value: JsonValue) -> str:
    """A value as its box shows it; `value_of` makes the same of it again."""
    if isinstance(value, str):
        return value if value_of(value) == value else "'" + value.replace("'", "''") + "'"
    return json.dumps(value, ensure_ascii=False)


def place_of(message: str, sql: str) -> tuple[str, Place | None]:
    """DuckDB's words about an error, and the place that it points at with `LINE 2: ...` and a row of ^."""
    found = _PLACE.search(message)
    if found is None:
        return message, None
    number, excerpt = int(found[1]), found[2]
    column = len(found[3]) - len(f"LINE {number}: ")
    lines = sql.split("\n")
    line = lines[number - 1] if number <= len(lines) else ""
    if excerpt.startswith("...") and not line.startswith("..."):  # of a long line it shows the surroundings
        column += max(0, line.find(excerpt.strip("."))) - 3
    return message[: found.start()].strip(), Place(number, max(0, column) + 1, len(found[4]))


OF_GENERATIONS = "SELECT * FROM runs\nWHERE id IN (SELECT CAST(unnest($ids) AS UUID))\nORDER BY created_at DESC"


def ids_in(view: View, count: int, column: int) -> str:
    """A statement for the ids of the generations in a column, each once, in one text of 36 characters for each: a
    hundred thousand of them in one row."""
    return (
        "SELECT string_agg(DISTINCT CAST(id AS VARCHAR), '') AS ids FROM comfyui_generations "  # noqa: S608
        f"WHERE id IN (SELECT TRY_CAST(c{column} AS UUID) FROM {view.named(count)})"
    )


def ids_named(sql: str) -> str:
    """The same of a statement that has a column `id`."""
    return (
        "SELECT string_agg(DISTINCT CAST(g.id AS VARCHAR), '') AS ids FROM comfyui_generations AS g "  # noqa: S608
        f"WHERE g.id IN (SELECT TRY_CAST(_shown.id AS UUID) FROM (\n{trimmed(sql)}\n) AS _shown)"
    )


def split_ids(text: str | None) -> list[str]:
    return [text[at : at + 36] for at in range(0, len(text), 36)] if text else []


def checked_sort(sort: Iterable[Sequence[int | bool]], count: int) -> tuple[tuple[int, bool], ...]:
    """The page's wish for an order, without columns that are not there."""
    wanted = [(int(place), bool(largest)) for place, largest in sort]
    return tuple((place, largest) for place, largest in wanted if 0 <= place < count)[:SORT_MOST]

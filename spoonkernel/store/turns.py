"""The tree of a conversation's turns, as parents by id in the order in which they were made; and a turn's row."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from spoonkernel.types.conversations import Turn

STALE = timedelta(seconds=15)
"""An answer whose writer has said nothing for so long is not being written any more."""

Parents = Mapping[str, str | None]


def path_to(turn_id: str, parents: Parents) -> list[str]:
    """The turns from the beginning to this one."""
    path = [turn_id]
    while (parent := parents[path[-1]]) is not None:
        path.append(parent)
    return path[::-1]


def below(turn_id: str, parents: Parents) -> list[str]:
    """A turn with everything below it."""
    found = {turn_id: None}
    for one, parent in parents.items():  # a parent comes before its children
        if parent in found:
            found[one] = None
    return list(found)


def leaf(turn_id: str | None, parents: Parents) -> str | None:
    """The end of the newest branch that goes on from a turn (None: from the beginning)."""
    newest = {parent: one for one, parent in parents.items()}
    while (following := newest.get(turn_id)) is not None:
        turn_id = following
    return turn_id


def as_turn(row: Row[Any], now: datetime) -> Turn:
    """The wire object of a row, as it is to be read at this moment."""
    values = row._asdict()
    if row.state == "writing" and (row.heartbeat_at is None or now - row.heartbeat_at > STALE):
        values["state"] = "stopped"
    return Turn.model_validate(values)

"""The turns of a conversation as a tree: which branch is shown, and what else there is at each of its turns."""

from collections.abc import Collection, Iterable
from typing import Any

from spoonkernel.types.conversations import Turn


class Tree:
    """Every turn that is known, parents before their children, and the end of the branch that is shown."""

    def __init__(self) -> None:
        self.turns: dict[str, Turn] = {}
        self.active: str | None = None
        self._left_at: dict[str, str] = {}
        """Turn -> its child on the branch that was shown last: going back to a branch leads to where one was."""
        self._sent: dict[str, int] = {}
        """How many characters of a turn the views already have."""

    def clear(self) -> None:
        self.turns, self.active, self._left_at, self._sent = {}, None, {}, {}

    def add(self, turn: Turn, *, show: bool = True) -> None:
        self.turns[turn.id] = turn
        if show:
            self.show(turn.id)

    def show(self, turn_id: str | None) -> None:
        """Let the shown branch end with this turn."""
        self.active = turn_id
        for turn in self.path():
            if turn.parent_id:
                self._left_at[turn.parent_id] = turn.id

    def take(self, turns: Iterable[Turn], active: str | None, *, ours: Collection[str] = ()) -> set[str]:
        """What the store holds now. The answers that are written here (`ours`) stay as they are. Returns what changed.

        An answer that has ended here may still be `writing` there for a moment: its end is kept.
        """
        rows = {turn.id: turn for turn in turns}
        for turn_id, known in self.turns.items():
            ended = known.state != "writing" and turn_id in rows and rows[turn_id].state == "writing"
            if turn_id in ours or (ended and known.role == "assistant"):
                rows[turn_id] = known
        changed = {turn_id for turn_id, turn in rows.items() if self.turns.get(turn_id) != turn}
        changed |= self.turns.keys() - rows.keys()
        for turn_id in changed & self.turns.keys():
            self._sent.pop(turn_id, None)
        self.turns = {
            turn_id: rows[turn_id] for turn_id in self.turns if turn_id in rows
        } | rows  # nobody changes places
        if self.active not in ours or self.active not in rows:  # the branch of an answer being written stays in view
            self.show(active if active in rows else None)
        return changed

    def path(self) -> list[Turn]:
        """The branch that is shown, its beginning first."""
        found: list[Turn] = []
        turn = self.turns.get(self.active or "")
        while turn:
            found.append(turn)
            turn = self.turns.get(turn.parent_id or "")
        return found[::-1]

    def children(self, turn_id: str | None) -> list[Turn]:
        """The turns right below one, the oldest first; None: the beginnings."""
        return [turn for turn in self.turns.values() if turn.parent_id == turn_id]

    def alternatives(self, turn_id: str) -> list[Turn]:
        """A turn with those it could be switched for, the oldest first."""
        return self.children(self.turns[turn_id].parent_id)

    def end_of(self, turn_id: str) -> str:
        """The end of the branch through a turn: where the reader left it, else the newest at every fork."""
        while below := self.children(turn_id):
            left = self._left_at.get(turn_id)
            turn_id = left if left in self.turns else below[-1].id
        return turn_id

    def row(self, turn: Turn, *, whole: bool) -> dict[str, Any]:
        """A turn for a page: all of its text, or what came since the last event, with the offset where it belongs."""
        at = 0 if whole else min(self._sent.get(turn.id, 0), len(turn.text))
        return turn.model_dump(mode="json") | {"at": at, "text": turn.text[at:]}

    def mark_sent(self, turn: Turn) -> None:
        self._sent[turn.id] = len(turn.text)

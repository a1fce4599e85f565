"""Conversations: their rows, their trees of turns, the files attached to them.

Every change is one write transaction, in which the tree is checked too: a parent, the branch that is shown and an
attachment always are of the same conversation.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select

from spoonkernel.errors import Conflict, NotFound, ValidationFailed
from spoonkernel.store.columns import canonical_id
from spoonkernel.store.engine import Database, Transaction
from spoonkernel.store.tables import conversation_files, conversation_turns, conversations, revision, tombstones
from spoonkernel.store.turns import below, leaf, path_to
from spoonkernel.types.base import Rows, utc_now

T = TypeVar("T")
ConversationRow = Row[Any]
TurnRow = Row[Any]
Changed = tuple[str, str | None]
"""A conversation's id, and the turn's where it was one."""

OWN_REVISIONS = 1_000
A_MOMENT = timedelta(milliseconds=1)


class ConversationRepo:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._own: dict[int, None] = {}

    async def list(self, search: str | None, *, limit: int, offset: int) -> Sequence[ConversationRow]:
        """Conversations with `turn_count`, the last changed first."""
        query = _counted().order_by(conversations.c.updated_at.desc(), conversations.c.id.desc())
        if search:
            said = select(conversation_turns.c.id).where(
                conversation_turns.c.conversation_id == conversations.c.id,
                conversation_turns.c.text.icontains(search, autoescape=True),
            )
            query = query.where(or_(conversations.c.title.icontains(search, autoescape=True), said.exists()))
        query = query.limit(limit).offset(offset)
        return await self._database.read(lambda connection: connection.execute(query).all())

    async def get(self, conversation_id: str) -> ConversationRow:
        """One with `turn_count`. Raises `NotFound`."""
        return await self._database.read(lambda connection: _get(connection, conversation_id))

    async def whole(self, conversation_id: str) -> tuple[ConversationRow, Sequence[TurnRow]]:
        """One with all its turns, in the order in which they were made. Raises `NotFound`."""

        def read(connection: Connection) -> tuple[ConversationRow, Sequence[TurnRow]]:
            row = _get(connection, conversation_id)
            return row, connection.execute(_turns_of(row.id)).all()

        return await self._database.read(read)

    async def branch(self, conversation_id: str, turn_id: str) -> tuple[ConversationRow, Sequence[TurnRow]]:
        """A conversation, and its turns from the beginning to this one. Raises `NotFound`."""

        def read(connection: Connection) -> tuple[ConversationRow, Sequence[TurnRow]]:
            row = _get(connection, conversation_id)
            names = path_to(_found(connection, row.id, turn_id), _parents(connection, row.id))
            turns = {turn.id: turn for turn in connection.execute(_turns_of(row.id)) if turn.id in names}
            return row, [turns[name] for name in names]

        return await self._database.read(read)

    async def insert(self, values: Mapping[str, Any]) -> None:
        await self._write(lambda tx: tx.insert(conversations, **values))

    async def update(self, conversation_id: str, values: Mapping[str, Any]) -> None:
        """Raises `NotFound`, and `ValidationFailed` when `active_turn_id` is not of this conversation."""

        def write(tx: Transaction) -> None:
            row = _get(tx.connection, conversation_id)
            changed = dict(values)
            if (active := changed.get("active_turn_id")) is not None:
                changed["active_turn_id"] = _own_turn(tx.connection, row.id, "activeTurnId", active)
            _touch(tx, row, **changed)

        await self._write(write)

    async def delete(self, conversation_id: str) -> tuple[str, Rows[str], Rows[str]] | None:
        """Delete one with its turns; returns its id, theirs, and the paths of its files in the media folder."""

        def write(tx: Transaction) -> tuple[str, Rows[str], Rows[str]] | None:
            row_id = canonical_id(conversation_id)
            if row_id is None or not tx.connection.scalar(select(conversations.c.id).where(_is(row_id))):
                return None
            paths = _delete_files(tx, conversation_files.c.conversation_id == row_id)
            turns = tx.delete(conversation_turns, conversation_turns.c.conversation_id == row_id)
            tx.delete(conversations, _is(row_id))
            return row_id, turns, paths

        return await self._write(write)

    async def add_file(self, conversation_id: str, values: Mapping[str, Any]) -> None:
        """Record a file that may be attached to its turns. Raises `NotFound`."""

        def write(tx: Transaction) -> None:
            row = _get(tx.connection, conversation_id)
            tx.insert(conversation_files, conversation_id=row.id, **values)

        await self._write(write)

    async def say(
        self, conversation_id: str, values: Mapping[str, Any], attachments: Sequence[str], title: str
    ) -> TurnRow:
        """Add a question and show its branch; a conversation without a title gets this one.

        Raises:
            NotFound: no such conversation.
            ValidationFailed: its parent or an attachment is not of this conversation.
        """

        def write(tx: Transaction) -> TurnRow:
            row = _get(tx.connection, conversation_id)
            parent = values.get("parent_id")
            parent_id = _own_turn(tx.connection, row.id, "parentId", parent) if parent is not None else None
            files = _attached(tx.connection, row.id, attachments)
            made = {**values, "parent_id": parent_id, "conversation_id": row.id, "attachments": files}
            tx.insert(conversation_turns, **made, created_at=_next_moment(tx.connection, row.id))
            _touch(tx, row, active_turn_id=values["id"], title=row.title or title)
            return _turn(tx.connection, values["id"])

        return await self._write(write)

    async def begin(self, conversation_id: str, values: Mapping[str, Any], *, activate: bool) -> None:
        """Store an answer that is about to be written.

        Raises:
            NotFound: its conversation, or the question, is gone.
            Conflict: its id is taken.
        """

        def write(tx: Transaction) -> None:
            row = _get(tx.connection, conversation_id)
            _found(tx.connection, row.id, values["parent_id"])
            taken = select(conversation_turns.c.id).where(conversation_turns.c.id == values["id"])
            if tx.connection.scalar(taken) is not None:
                raise Conflict(f"id: there is a turn {values['id']} already; leave the id away, or take another")
            created_at = _next_moment(tx.connection, row.id)
            tx.insert(conversation_turns, **values, conversation_id=row.id, created_at=created_at)
            _touch(tx, row, **({"active_turn_id": values["id"]} if activate else {}))

        await self._write(write)

    async def write_on(self, turn_id: str, text: str, now: datetime) -> bool:
        """Keep what has arrived of an answer, and say that it is still being written. False when it is gone."""
        values = {"text": text, "heartbeat_at": now}
        return bool(await self._write(lambda tx: tx.update(conversation_turns, _is_written(turn_id), **values)))

    async def finish(self, conversation_id: str, turn_id: str, values: Mapping[str, Any]) -> bool:
        """Write how an answer ended. False when that was written before, or it is gone."""

        def write(tx: Transaction) -> bool:
            if not tx.update(conversation_turns, _is_written(turn_id), heartbeat_at=None, **values):
                return False
            _touch(tx, _get(tx.connection, conversation_id))
            return True

        return await self._write(write)

    async def delete_turn(self, conversation_id: str, turn_id: str) -> tuple[Rows[str], Rows[str]]:
        """Delete a turn and all below it; returns their ids, and the paths of files that no turn names any more.

        If the branch that is shown is among them, the newest alternative is shown instead, else what came before.
        """

        def write(tx: Transaction) -> tuple[Rows[str], Rows[str]]:
            row = _get(tx.connection, conversation_id)
            target, parents = _found(tx.connection, row.id, turn_id), _parents(tx.connection, row.id)
            gone = below(target, parents)
            named = {turn.id: turn.attachments for turn in tx.connection.execute(_turns_of(row.id))}
            lost = {one["content"] for name in gone for one in named[name]}
            lost -= {one["content"] for name, its_own in named.items() if name not in gone for one in its_own}
            mine = conversation_files.c.conversation_id == row.id
            paths = _delete_files(tx, and_(mine, conversation_files.c.content.in_(lost)))
            tx.delete(conversation_turns, conversation_turns.c.id.in_(gone))
            rest = {name: parent for name, parent in parents.items() if name not in gone}
            shown = {"active_turn_id": leaf(parents[target], rest)} if row.active_turn_id in gone else {}
            _touch(tx, row, **shown)
            return gone, paths

        return await self._write(write)

    async def last_rev(self) -> int:
        return await self._database.read(_last_rev)

    async def changed_since(self, rev: int) -> tuple[int, Rows[Changed]]:
        """What other processes changed after this revision, and the revision to go on from."""

        def read(connection: Connection) -> tuple[int, Rows[Changed]]:
            upto = _last_rev(connection)  # first: what is written meanwhile is told again, never missed
            turns = select(conversation_turns.c.rev, conversation_turns.c.conversation_id, conversation_turns.c.id)
            its_own = select(conversations.c.rev, conversations.c.id)
            gone = select(tombstones.c.rev, tombstones.c.row_id).where(tombstones.c.table_name == conversations.name)
            found = [
                *connection.execute(turns.where(conversation_turns.c.rev > rev)),
                *((*row, None) for row in connection.execute(its_own.where(conversations.c.rev > rev))),
                *((*row, None) for row in connection.execute(gone.where(tombstones.c.rev > rev))),
            ]
            others = [(at, owner, turn) for at, owner, turn in found if at not in self._own]
            told = {owner for _, owner, turn in others if turn is not None}
            return upto, [(owner, turn) for _, owner, turn in others if turn is not None or owner not in told]

        return await self._database.read(read)

    async def _write(self, function: Callable[[Transaction], T]) -> T:
        """Write, and remember that it was this process: nobody needs to tell it what it did itself."""
        result, rev = await self._database.write(lambda tx: (function(tx), tx.rev))
        self._own[rev] = None
        if len(self._own) > OWN_REVISIONS:
            del self._own[next(iter(self._own))]
        return result


def _get(connection: Connection, conversation_id: str) -> ConversationRow:
    row_id = canonical_id(conversation_id)
    row = connection.execute(_counted().where(_is(row_id))).first() if row_id else None
    if row is None:
        raise NotFound(f"Conversation {conversation_id} not found")
    return row


def _turn(connection: Connection, turn_id: str) -> TurnRow:
    return connection.execute(select(conversation_turns).where(conversation_turns.c.id == turn_id)).one()


def _turns_of(conversation_id: str) -> Select[Any]:
    mine = conversation_turns.c.conversation_id == conversation_id
    return select(conversation_turns).where(mine).order_by(conversation_turns.c.created_at, conversation_turns.c.id)


def _parents(connection: Connection, conversation_id: str) -> dict[str, str | None]:
    """The parent of every turn, by its id, in the order in which they were made."""
    query = select(conversation_turns.c.id, conversation_turns.c.parent_id)
    query = query.where(conversation_turns.c.conversation_id == conversation_id)
    ordered = query.order_by(conversation_turns.c.created_at, conversation_turns.c.id)
    return {row.id: row.parent_id for row in connection.execute(ordered)}


def _found(connection: Connection, conversation_id: str, turn_id: str) -> str:
    """The id of a turn as it is stored. Raises `NotFound` when the conversation has no such turn."""
    query = select(conversation_turns.c.id).where(
        conversation_turns.c.id == canonical_id(turn_id), conversation_turns.c.conversation_id == conversation_id
    )
    found: str | None = connection.scalar(query)
    if found is None:
        raise NotFound(f"Conversation {conversation_id} has no turn {turn_id}")
    return found


def _own_turn(connection: Connection, conversation_id: str, field: str, turn_id: str) -> str:
    """The same for a turn that a field names: then it is the field that is wrong."""
    try:
        return _found(connection, conversation_id, turn_id)
    except NotFound as error:
        raise ValidationFailed(f"{field}: {error.message}") from None


def _attached(connection: Connection, conversation_id: str, paths: Sequence[str]) -> list[dict[str, Any]]:
    mine = conversation_files.c.conversation_id == conversation_id
    names = ("content", "thumbnail", "filename", "content_type", "width", "height", "size_bytes")
    query = select(*(conversation_files.c[name] for name in names)).where(mine, conversation_files.c.content.in_(paths))
    known = {row.content: row._asdict() for row in connection.execute(query)}
    if missing := next((path for path in paths if path not in known), None):
        raise ValidationFailed(f"attachments: {missing!r} was not attached to this conversation; attach it first")
    return [known[path] for path in paths]


def _next_moment(connection: Connection, conversation_id: str) -> datetime:
    """Now, or a moment after the conversation's last turn: no two turns have the same time."""
    mine = conversation_turns.c.conversation_id == conversation_id
    last = connection.scalar(select(func.max(conversation_turns.c.created_at)).where(mine))
    return max(utc_now(), last + A_MOMENT) if last else utc_now()


def _touch(tx: Transaction, row: ConversationRow, **values: Any) -> None:
    """Change a conversation; its time is never equal to the one before, so that a reader can tell the two apart."""
    tx.update(conversations, _is(row.id), updated_at=max(utc_now(), row.updated_at + A_MOMENT), **values)


def _delete_files(tx: Transaction, where: ColumnElement[bool]) -> list[str]:
    paths = list(tx.connection.scalars(select(conversation_files.c.content).where(where)))
    tx.delete(conversation_files, where)
    return paths


def _is(conversation_id: str) -> ColumnElement[bool]:
    return conversations.c.id == conversation_id


def _is_written(turn_id: str) -> ColumnElement[bool]:
    return and_(conversation_turns.c.id == turn_id, conversation_turns.c.state == "writing")


def _counted() -> Select[Any]:
    mine = conversation_turns.c.conversation_id == conversations.c.id
    count = select(func.count()).select_from(conversation_turns).where(mine).correlate(conversations)
    return select(conversations, count.scalar_subquery().label("turn_count"))


def _last_rev(connection: Connection) -> int:
    return int(connection.scalar(select(revision.c.value)) or 0)

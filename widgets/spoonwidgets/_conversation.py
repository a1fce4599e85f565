"""The conversation that a chat pane shows: kept in the workbench's store, and read again when somebody changes it."""

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from pydantic import JsonValue

from spoonkernel.errors import NotFound, SpoonError
from spoonkernel.handles.opened import OpenWorkbench
from spoonkernel.types.base import ChatProviderName
from spoonkernel.types.conversations import Attachment, Conversation, ConversationDetail, Turn
from spoonwidgets._base import log
from spoonwidgets._choices import Choice
from spoonwidgets._options import shown
from spoonwidgets._turns import Tree

LOOK_S = 2.0
"""An answer that another kernel writes is read again this often, and a lost event stream asked for again."""
LISTED = 100
"""Conversations of one page of the store's list."""


@dataclass(slots=True)
class Beginning:
    """What a conversation is made with when there is none yet."""

    system: str | None = None
    options: dict[str, JsonValue] = field(default_factory=dict)


class KeptConversation:
    """Runs on the workbench's loop but for its constructor. `mark` tells the views which parts changed.

    It is made in the store by the first thing that has to be kept; until then `about` is None.
    """

    def __init__(
        self, inner: OpenWorkbench, mark: Callable[..., None], wanted: str | None, beginning: Beginning
    ) -> None:
        self._inner, self._mark, self._room = inner, mark, inner.conversations
        self.wanted, self.beginning = wanted or "", beginning
        self.tree = Tree()
        self.about: Conversation | None = None
        self.notice = ""
        self.ours: set[str] = set()
        """The answers that are being written from here: what is known of them here is newer than the store."""
        self._making = asyncio.Lock()
        self._changing = asyncio.Lock()
        self._stale = asyncio.Event()
        self._version = 0
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def id(self) -> str:
        """Raises `NotFound` while nothing is kept yet."""
        if self.about is None:
            raise NotFound("This chat keeps no conversation yet: ask something first")
        return self.about.id

    def row(self) -> dict[str, Any]:
        about = self.about
        return {
            "id": about.id if about else None,
            "title": about.title if about else self.wanted,
            "active": self.tree.active,
            "system": (about.system if about else self.beginning.system) or "",
            "options": shown(about.options if about else self.beginning.options),
            "notice": self.notice,
        }

    async def load(self) -> Conversation | None:
        """Find the conversation that the pane was made for, by id or title; None when there is none yet."""
        found = await self._find(self.wanted) if self.wanted else None
        if found:
            self._show(found)
            beginning, given = self.beginning, dict[str, Any]()
            if beginning.system is not None and beginning.system != found.system:
                given["system"] = beginning.system
            if beginning.options and beginning.options != found.options:
                given["options"] = beginning.options
            if given:
                await self.change(**given)
        return self.about

    async def made(self, choice: Choice | None) -> str:
        """Its id; the conversation is made if it has to be."""
        async with self._making:
            if self.about is None:
                self.about = await self._room.create(
                    title=self.wanted,
                    provider=cast(ChatProviderName, choice.provider) if choice else None,
                    model=choice.model if choice else None,
                    profile_id=choice.profile_id if choice else None,
                    system=self.beginning.system,
                    options=self.beginning.options or None,
                )
                self.notice = ""
                self._mark("about")
                self._follow()
        return self.about.id

    async def change(self, **changes: Any) -> None:
        """Change what the store keeps beside the turns; the conversation must have been made."""
        if self.about:
            async with self._own_change():
                self.about = await self._room.update(self.about.id, **changes)
            self._mark("about")

    async def say(self, text: str, attachments: Sequence[str], parent_id: str | None) -> Turn:
        """A new question below `parent_id`, which is shown at once."""
        async with self._own_change():
            question = await self._room.say(self.id, text=text, attachments=list(attachments), parent_id=parent_id)
            self.tree.add(question)
        self._mark("about", question.id)
        return question

    async def show(self, turn_id: str) -> None:
        """Show the branch that ends with this turn, here and wherever the conversation is open."""
        if turn_id not in self.tree.turns:
            raise NotFound(f"This conversation has no turn {turn_id}")
        self.tree.show(turn_id)
        self._mark("about")
        await self.change(active_turn_id=turn_id)

    async def delete_turn(self, turn_id: str) -> None:
        """Delete a turn with everything below it."""
        async with self._own_change():
            detail = await self._room.delete_turn(self.id, turn_id)
            self._show(detail)

    async def open(self, conversation_id: str) -> Conversation:
        """Show another conversation."""
        detail = await self._room.get(conversation_id)
        self.forget()
        self._show(detail)
        return detail

    def forget(self) -> None:
        """Show none: what is asked next begins a new one."""
        self._version += 1
        self.wanted, self.about, self.notice = "", None, ""
        self.tree.clear()
        self._mark("all")

    async def refresh(self) -> None:
        """Read it again. A reading that a change of our own overtook is thrown away and made again."""
        while self.about:
            conversation_id = self.about.id
            async with self._changing:  # a change on its way may or may not be in what is read now
                version = self._version
            try:
                detail = await self._room.get(conversation_id)
            except NotFound:
                if self.about and self.about.id == conversation_id:
                    self.forget()
                    self.notice = "This conversation was deleted elsewhere. What you ask next begins a new one."
                return
            if version == self._version:
                self._take(detail)
                return

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    @contextlib.asynccontextmanager
    async def _own_change(self) -> Any:
        async with self._changing:
            self._version += 1
            yield

    async def _find(self, wanted: str) -> ConversationDetail | None:
        if _is_id(wanted):
            with contextlib.suppress(NotFound):
                return await self._room.get(wanted)
        for offset in range(0, 100 * LISTED, LISTED):
            rows = await self._room.list(search=wanted, limit=LISTED, offset=offset)
            for row in rows:
                if row.title == wanted:
                    return await self._room.get(row.id)
            if len(rows) < LISTED:
                break
        return None

    def _show(self, detail: ConversationDetail) -> None:
        self.about, self.notice = detail, ""
        self.tree.take(detail.turns, detail.active_turn_id, ours=self.ours)
        self._mark("all")
        self._follow()

    def _take(self, detail: ConversationDetail) -> None:
        before, shown_before, count = self.about, self.tree.active, len(self.tree.turns)
        self.about = detail
        changed = self.tree.take(detail.turns, detail.active_turn_id, ours=self.ours)
        if changed - self.tree.turns.keys() or len(self.tree.turns) - count > 1:
            self._mark("all")
        elif changed:
            self._mark("about", *changed)
        elif shown_before != self.tree.active or before is None or _settings(before) != _settings(detail):
            self._mark("about")

    def _follow(self) -> None:
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._keep_fresh())]

    async def _listen(self) -> None:
        """Events tell that somebody changed the conversation. Our own come by too, and cost one reading."""
        while True:
            try:
                async with self._inner.events() as events:
                    self._stale.set()
                    async for event in events:
                        if self._concerns(event):
                            self._stale.set()
            except SpoonError as error:
                log.warning("The events are away: %s", error)
            await asyncio.sleep(LOOK_S)

    def _concerns(self, event: object) -> bool:
        """Whether it tells of this conversation, and of more than that an answer of ours goes on."""
        here = self.about is not None and getattr(event, "conversation_id", None) == self.about.id
        return here and getattr(event, "turn_id", None) not in self.ours

    async def _keep_fresh(self) -> None:
        while True:
            theirs = any(turn.state == "writing" for turn in self.tree.turns.values() if turn.id not in self.ours)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S if theirs else None):
                    await self._stale.wait()
            self._stale.clear()
            try:
                await self.refresh()
            except SpoonError as error:  # a store that is away comes back; the next event will do
                log.warning("The conversation could not be read: %s", error)

    async def keep(self, content: bytes, filename: str) -> Attachment:
        """Keep a picture for a question; the conversation must have been made."""
        return await self._room.attach(self.id, content, filename=filename)

    async def set_option(self, name: str, value: JsonValue) -> None:
        """Set one option for what is asked from now on; None takes it away."""
        now = dict(self.about.options if self.about else self.beginning.options)
        options = {key: kept for key, kept in now.items() if key != name} | ({} if value is None else {name: value})
        if self.about is None:
            self.beginning.options = options
        await self.change(options=options)
        self._mark("about")

    async def set_system(self, text: str | None) -> None:
        if self.about is None:
            self.beginning.system = text
        await self.change(system=text)
        self._mark("about")

    async def rename(self, title: str) -> None:
        self.wanted = title
        await self.change(title=title)
        self._mark("about")

    async def delete(self) -> None:
        if self.about:
            await self._room.delete(self.about.id)
        self.forget()


def _settings(about: Conversation) -> tuple[Any, ...]:
    return about.title, about.system, about.options


def _is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True

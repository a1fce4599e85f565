"""What a chat pane's page may ask for, one `op_` each."""

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from spoonkernel.errors import BadRequest, Conflict, NotFound, PayloadTooLarge
from spoonkernel.types.conversations import Turn
from spoonwidgets._base import Pane
from spoonwidgets._choices import Choice
from spoonwidgets._conversation import KeptConversation
from spoonwidgets._models import Models
from spoonwidgets._options import option
from spoonwidgets._replies import Replies

CONTINUE = "Continue where you stopped."
SHOWN_BYTES = 9_000_000
"""A message above about 10 MB ends the kernel's websocket, so a larger picture is shown small only."""
LISTED = 50


class ChatRequests(Pane):
    """The requests of a chat pane's page; the pane itself does the asking."""

    _models: Models
    _kept: KeptConversation
    _replies: Replies
    _starting: asyncio.Task[Any] | None = None

    @abstractmethod
    async def _begin(self, text: str, attachments: Sequence[str] = (), parent: str | None = "shown") -> Turn: ...
    @abstractmethod
    async def _begin_comparison(
        self, text: str, attachments: Sequence[str], wanted: Sequence[Choice]
    ) -> list[Turn]: ...
    @abstractmethod
    def _refuse_while_writing(self) -> None: ...

    async def op_hello(self) -> dict[str, Any]:
        if self._models.listed is None:
            self._models.look()
        return await super().op_hello()

    # -- asking and answering ----------------------------------------------------------------------------------------

    async def op_ask(self, text: str, attachments: Sequence[str] = ()) -> dict[str, str]:
        """Ask the chosen model, or all that were chosen for comparing.

        Which of both is decided here: who switches comparing on or off and sends at once has a page that does not know
        it yet.
        """
        if self._models.compared:
            answers = await self._stoppable(self._begin_comparison(text, attachments, self._models.compared))
            return {"id": answers[0].id}
        return await self._start(self._begin(text, attachments))

    async def op_edit(self, id: str, text: str) -> dict[str, str]:
        """Ask a question in other words, beside the old one."""
        turn = self._turn(id, "user")
        return await self._start(self._begin(text, [kept.content for kept in turn.attachments], turn.parent_id))

    async def op_again(self, id: str) -> dict[str, str]:
        """Have a question answered once more, beside the answers it has. `id` is its own, or that of an answer.

        A failed answer without a word makes way for the new one.
        """
        turn = self._turn(id)
        question = self._turn(turn.parent_id or "", "user") if turn.role == "assistant" else turn
        return await self._start(self._answer_again(question, turn))

    async def op_continue(self, id: str) -> dict[str, str]:
        """Ask for more, below an answer."""
        return await self._start(self._begin(CONTINUE, (), self._turn(id, "assistant").id))

    async def op_stop(self, id: str | None = None) -> None:
        """Stop one answer, or everything that was begun; what arrived stays."""
        self._replies.stop(id)
        if self._starting and id is None:
            self._starting.cancel()

    # -- branches ----------------------------------------------------------------------------------------------------

    async def op_show(self, id: str) -> None:
        """Show the branch through a turn, to its end."""
        await self._kept.show(self._kept.tree.end_of(self._turn(id).id))

    async def op_keep(self, id: str) -> None:
        """Let the branch end with this turn: an answer of a comparison, or its question to see them all again."""
        await self._kept.show(self._turn(id).id)

    async def op_delete_turn(self, id: str) -> None:
        """Delete a turn with everything below it."""
        self._refuse_while_writing()
        await self._kept.delete_turn(self._turn(id).id)

    # -- conversations -----------------------------------------------------------------------------------------------

    async def op_conversations(self, search: str = "") -> list[dict[str, Any]]:
        """The kept conversations, the last changed first."""
        rows = await self._workbench.inner.conversations.list(search=search.strip() or None, limit=LISTED)
        return [row.model_dump(mode="json", include={"id", "title", "turn_count", "updated_at"}) for row in rows]

    async def op_open(self, id: str) -> None:
        self._refuse_while_writing()
        await self._replies.settle()
        found = await self._kept.open(id)
        self._models.prefer(found.provider, found.model, found.profile_id)

    async def op_new(self) -> None:
        """Begin a new conversation; the one that was shown stays kept."""
        self._refuse_while_writing()
        await self._replies.settle()
        self._kept.forget()

    async def op_rename(self, title: str) -> None:
        if not title.strip():
            raise BadRequest("A conversation needs a title")
        await self._kept.rename(title.strip())

    async def op_delete(self, id: str) -> None:
        """Delete a conversation with all its branches and pictures."""
        shown = self._kept.about
        if shown and shown.id == id:
            self._replies.stop()
            await self._replies.settle()
            await self._kept.delete()
        else:
            await self._workbench.inner.conversations.delete(id)

    async def op_system(self, text: str) -> None:
        await self._kept.set_system(text.strip() or None)

    async def op_option(self, name: str, text: str) -> None:
        """Set one option from what was typed; empty takes it away. `ValidationFailed` belongs at the field."""
        await self._kept.set_option(name, option(name, text))

    # -- pictures ----------------------------------------------------------------------------------------------------

    async def op_attach(self, upload: str, filename: str) -> dict[str, Any]:
        """Keep an uploaded picture for the next question."""
        content = self.take_upload(upload)
        await self._kept.made(self._models.choice)
        return (await self._kept.keep(content, filename)).model_dump(mode="json")

    async def op_media(self, path: str) -> bytes:
        """A picture of this conversation, or its thumbnail."""
        pictures = [kept for turn in self._kept.tree.turns.values() for kept in turn.attachments]
        if all(path not in (kept.content, kept.thumbnail) for kept in pictures):
            raise NotFound("This picture is not of this conversation")
        media = await self._workbench.inner.media.open(path)
        if len(media.content) > SHOWN_BYTES:
            raise PayloadTooLarge("Too large to show here; it went to the model all the same")
        return media.content

    # -- models ------------------------------------------------------------------------------------------------------

    async def op_choose(self, provider: str, model: str | None, profile_id: str | None) -> None:
        choice = self._models.choose(provider, model, profile_id)
        await self._kept.change(provider=choice.provider, model=choice.model, profile_id=choice.profile_id)

    async def op_compared(self, models: list[dict[str, Any]]) -> None:
        """Choose whom the next question goes to at once; an empty list ends comparing."""
        self._models.compare(models)

    async def op_look(self) -> None:
        self._models.look()

    async def op_pull(self) -> None:
        self._models.pull()

    async def op_cancel_pull(self) -> None:
        self._models.cancel_pull()

    # -- what they share ---------------------------------------------------------------------------------------------

    def _turn(self, turn_id: str, role: str | None = None) -> Turn:
        turn = self._kept.tree.turns.get(turn_id)
        if turn is None or role not in (None, turn.role):
            raise NotFound(f"This conversation has no such turn ({turn_id})")
        return turn

    async def _answer_again(self, question: Turn, old: Turn) -> Turn:
        self._refuse_while_writing()
        await self._replies.settle()
        if old.state == "failed" and not old.text:
            await self._kept.delete_turn(old.id)
        return self._replies.start(question, await self._models.needed())

    async def _start(self, work: Any) -> dict[str, str]:
        return {"id": (await self._stoppable(work)).id}

    async def _stoppable(self, work: Any) -> Any:
        """Stop holds from the first moment: also while a question is on its way into the store."""
        self._refuse_while_writing()
        task = self._starting = asyncio.ensure_future(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise Conflict("Stopped before it was sent. Your message is still in the box") from None
            raise
        finally:
            self._starting = None

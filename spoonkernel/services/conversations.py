"""Conversations that are kept: questions, and answers by way of the chat."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Unpack

from pydantic import JsonValue

from spoonkernel.bus import Bus
from spoonkernel.errors import BadRequest, NotFound, ValidationFailed
from spoonkernel.services.answers import Answers, Prices
from spoonkernel.services.attachments import Attachments
from spoonkernel.services.chat import ChatService
from spoonkernel.services.checks import checked, storable
from spoonkernel.services.tasks import page_size, start_of
from spoonkernel.store.columns import canonical_id
from spoonkernel.store.conversations import ConversationRepo, ConversationRow, TurnRow
from spoonkernel.store.profiles import ProfileRepo
from spoonkernel.store.tasks import new_id
from spoonkernel.store.turns import as_turn
from spoonkernel.types.base import ChatProviderName, Rows, utc_now
from spoonkernel.types.chat import Delta
from spoonkernel.types.conversations import (
    Attachment,
    Conversation,
    ConversationChanges,
    ConversationCreate,
    ConversationDetail,
    ConversationUpdate,
    ReplyRequest,
    Turn,
    TurnCreate,
)
from spoonkernel.types.events import ConversationChanged

TITLE_CHARS = 60
MAX_FILENAME = 255


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who is to answer, and how."""

    provider: ChatProviderName
    model: str | None
    profile_id: str | None
    options: dict[str, JsonValue]
    prices: Prices | None


class ConversationService:
    """`answers` is the service's own once it is made: `tell` is what it has to call."""

    def __init__(
        self, rows: ConversationRepo, profiles: ProfileRepo, chat: ChatService, attachments: Attachments, bus: Bus
    ) -> None:
        self._rows, self._profiles, self._chat = rows, profiles, chat
        self._attachments, self._bus = attachments, bus
        self.answers = Answers(rows, self._tell)

    async def list(self, *, search: str | None = None, limit: int = 20, offset: int = 0) -> Rows[Conversation]:
        rows = await self._rows.list(search, limit=page_size(limit), offset=start_of(offset))
        return [_as_conversation(row) for row in rows]

    async def create(
        self,
        *,
        title: str = "",
        provider: ChatProviderName | None = None,
        model: str | None = None,
        profile_id: str | None = None,
        system: str | None = None,
        options: dict[str, JsonValue] | None = None,
    ) -> Conversation:
        wanted = checked(
            ConversationCreate,
            title=title,
            provider=provider,
            model=model,
            profile_id=profile_id,
            system=system,
            options=options or {},
        )
        conversation_id, now = new_id(), utc_now()
        values = await self._storable(wanted.model_dump())
        await self._rows.insert({"id": conversation_id, "created_at": now, "updated_at": now, **values})
        await self._tell(conversation_id, None)
        return _as_conversation(await self._rows.get(conversation_id))

    async def get(self, conversation_id: str) -> ConversationDetail:
        row, turns = await self._rows.whole(conversation_id)
        now = utc_now()
        return ConversationDetail.model_validate(row._asdict() | {"turns": [as_turn(turn, now) for turn in turns]})

    async def update(self, conversation_id: str, **changes: Unpack[ConversationChanges]) -> Conversation:
        values = await self._storable(checked(ConversationUpdate, **changes).given())
        row = await self._rows.get(conversation_id)
        await self._rows.update(row.id, values)
        await self._tell(row.id, None)
        return _as_conversation(await self._rows.get(row.id))

    async def delete(self, conversation_id: str) -> None:
        deleted = await self._rows.delete(conversation_id)
        if deleted is None:
            raise NotFound(f"Conversation {conversation_id} not found")
        row_id, turn_ids, paths = deleted
        await self._gone(row_id, turn_ids, paths)

    async def attach(self, conversation_id: str, content: bytes, *, filename: str = "") -> Attachment:
        row = await self._rows.get(conversation_id)
        storable("filename", filename)
        if len(filename) > MAX_FILENAME:
            raise ValidationFailed(f"filename: takes {MAX_FILENAME} characters at most, not {len(filename)}")
        kept = await self._attachments.keep(content, filename)
        try:
            await self._rows.add_file(row.id, {"id": new_id(), "created_at": utc_now(), **kept.model_dump()})
        except BaseException:
            await self._attachments.drop([kept.content])
            raise
        await self._tell(row.id, None)
        return kept

    async def say(
        self,
        conversation_id: str,
        *,
        text: str,
        attachments: Rows[str] | None = None,
        parent_id: str | None = None,
    ) -> Turn:
        asked = checked(TurnCreate, text=text, attachments=attachments or [], parent_id=parent_id)
        storable("text", asked.text)
        if not asked.text.strip() and not asked.attachments:
            raise ValidationFailed("text: a question takes some words, or an attachment")
        values: dict[str, Any] = {
            "id": new_id(),
            "parent_id": asked.parent_id,
            "role": "user",
            "text": asked.text,
            "state": "complete",
            "warnings": [],
            "usage": {},
        }
        row = await self._rows.say(conversation_id, values, asked.attachments, _title(asked.text))
        await self._tell(row.conversation_id, row.id)
        return as_turn(row, utc_now())

    async def reply(
        self,
        conversation_id: str,
        turn_id: str,
        *,
        id: str | None = None,
        provider: ChatProviderName | None = None,
        model: str | None = None,
        profile_id: str | None = None,
        options: dict[str, JsonValue] | None = None,
        activate: bool = True,
    ) -> AsyncGenerator[Delta, None]:
        wanted = checked(
            ReplyRequest,
            id=id,
            provider=provider,
            model=model,
            profile_id=profile_id,
            options=options or {},
            activate=activate,
        )
        answer_id = new_id() if wanted.id is None else canonical_id(wanted.id)
        if answer_id is None:
            raise ValidationFailed(f"id: takes a UUID, not {wanted.id!r}")
        conversation, branch = await self._rows.branch(conversation_id, turn_id)
        if branch[-1].role != "user":
            raise ValidationFailed(f"turnId: {turn_id} is an answer; ask for another one to the question before it")
        asked = await self._asked(conversation, wanted)
        begun = {
            "id": answer_id,
            "parent_id": branch[-1].id,
            "role": "assistant",
            "text": "",
            "attachments": [],
            "state": "writing",
            "provider": asked.provider,
            "model": asked.model,
            "profile_id": asked.profile_id,
            "warnings": [],
            "usage": {},
            "heartbeat_at": utc_now(),
        }
        await self._rows.begin(conversation.id, begun, activate=wanted.activate)
        deltas = self._deltas(conversation.system, branch, asked, answer_id)
        async with aclosing(self.answers.write(conversation.id, answer_id, deltas, asked.prices)) as pieces:
            await self._tell(conversation.id, answer_id)
            async for piece in pieces:
                yield piece

    async def delete_turn(self, conversation_id: str, turn_id: str) -> ConversationDetail:
        row = await self._rows.get(conversation_id)
        turn_ids, paths = await self._rows.delete_turn(row.id, turn_id)
        await self._gone(row.id, turn_ids, paths)
        return await self.get(row.id)

    async def _gone(self, conversation_id: str, turn_ids: Sequence[str], paths: Rows[str]) -> None:
        await self.answers.stop(turn_ids, "it was deleted")
        await self._attachments.drop(paths)
        await self._tell(conversation_id, None)

    async def _asked(self, conversation: ConversationRow, wanted: ReplyRequest) -> _Asked:
        """What is left out is the conversation's. Who names a provider without a profile means the provider itself."""
        profile_id, model = wanted.profile_id, wanted.model
        if wanted.provider is None and profile_id is None:
            profile_id = conversation.profile_id
        if wanted.provider in {None, conversation.provider} and profile_id == conversation.profile_id:
            model = model or conversation.model
        profile = await self._profiles.get(profile_id) if profile_id else None
        provider = wanted.provider or (profile.provider if profile else conversation.provider)
        if provider is None:
            raise BadRequest("Nobody is named to answer: give a provider here, or to the conversation")
        return _Asked(
            provider=provider,
            model=model,
            profile_id=profile.id if profile else None,
            options={**conversation.options, **wanted.options},
            prices=_prices(profile.options) if profile else None,
        )

    async def _deltas(
        self, system: str | None, branch: Sequence[TurnRow], asked: _Asked, turn_id: str
    ) -> AsyncGenerator[Delta, None]:
        messages: Rows[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
        for turn in branch:
            pictures = [await self._attachments.part(one["content"]) for one in turn.attachments]
            words = [{"type": "text", "text": turn.text}] if turn.text.strip() else []
            if pictures or words:  # an answer that was stopped before its first word is nothing to go on from
                messages.append({"role": turn.role, "content": [*pictures, *words] if pictures else turn.text})
        stream = self._chat.stream(
            provider=asked.provider,
            messages=messages,
            model=asked.model,
            profile_id=asked.profile_id,
            options=asked.options,
            turn_id=turn_id,
        )
        async with aclosing(stream) as deltas:
            async for delta in deltas:
                yield delta

    async def _storable(self, values: dict[str, Any]) -> dict[str, Any]:
        """What was sent for a conversation's columns, once it is known that they can hold it."""
        storable("conversation", values)
        if (profile_id := values.get("profile_id")) is not None:
            values["profile_id"] = (await self._profiles.get(profile_id)).id
        return values

    async def _tell(self, conversation_id: str, turn_id: str | None) -> None:
        await self._bus.publish(ConversationChanged(conversation_id=conversation_id, turn_id=turn_id))


def _as_conversation(row: ConversationRow) -> Conversation:
    return Conversation.model_validate(row._asdict())


def _title(text: str) -> str:
    """The beginning of a question's first line that says something, cut between words."""
    line = next((" ".join(line.split()) for line in text.splitlines() if line.strip()), "Picture")
    if len(line) <= TITLE_CHARS:
        return line
    return f"{line[:TITLE_CHARS].rpartition(' ')[0] or line[:TITLE_CHARS]}…"


def _prices(options: dict[str, JsonValue]) -> Prices | None:
    found = [options.get(name) for name in ("input_usd_per_million", "output_usd_per_million")]
    into, out = (float(one) if isinstance(one, int | float) and not isinstance(one, bool) else None for one in found)
    return None if into is None or out is None else (into, out)

"""How a notebook's short calls become requests: names are looked up, what is left out is chosen."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from pydantic import JsonValue

from spoonkernel.errors import NotFound
from spoonkernel.handles.choices import choose
from spoonkernel.handles.opened import OpenWorkbench
from spoonkernel.types.base import ChatProviderName
from spoonkernel.types.chat import Delta
from spoonkernel.types.generations import Generation
from spoonkernel.types.sessions import Session
from spoonkernel.types.workflows import WorkflowSummary


@dataclass(frozen=True, slots=True)
class Question:
    """One question to a model, outside any conversation."""

    text: str
    provider: ChatProviderName | None = None
    model: str | None = None
    system: str | None = None
    profile_id: str | None = None
    options: Mapping[str, JsonValue] | None = None

    async def begin(self, inner: OpenWorkbench) -> tuple[str, AsyncGenerator[Delta, None]]:
        """Ask it; who answers, and the answer's deltas."""
        who = await choose(inner, self.provider, self.model, self.profile_id)
        system = [{"role": "system", "content": self.system}] if self.system else []
        deltas = inner.chat.stream(
            provider=cast(ChatProviderName, who.provider),
            messages=[*system, {"role": "user", "content": self.text}],
            model=who.model,
            profile_id=who.profile_id,
            options=dict(self.options) if self.options else None,
        )
        return who.provider, cast(AsyncGenerator[Delta, None], deltas)


@dataclass(frozen=True, slots=True)
class KeptQuestion:
    """One question at the end of a conversation that is kept; one that no conversation's title fits begins it."""

    text: str
    conversation: str
    provider: ChatProviderName | None = None
    model: str | None = None
    system: str | None = None

    async def begin(self, inner: OpenWorkbench) -> tuple[str, AsyncGenerator[Delta, None]]:
        """Ask it; who answers, and the answer's deltas. What is not named here is taken from the conversation."""
        room = inner.conversations
        kept = next(
            (one for one in await room.list(search=self.conversation, limit=100) if one.title == self.conversation),
            None,
        )
        if kept is None:
            who = await choose(inner, self.provider, self.model)
            kept = await room.create(
                title=self.conversation,
                provider=cast(ChatProviderName, who.provider),
                model=who.model,
                profile_id=who.profile_id,
                system=self.system,
            )
        elif self.system is not None:
            kept = await room.update(kept.id, system=self.system)
        takes_kept = self.provider is None and self.model is None and kept.provider is not None
        answers = None if takes_kept else await choose(inner, self.provider, self.model)
        question = await room.say(kept.id, text=self.text, parent_id=kept.active_turn_id)
        deltas = room.reply(
            kept.id,
            question.id,
            provider=cast(ChatProviderName, answers.provider) if answers else None,
            model=answers.model if answers else None,
            profile_id=answers.profile_id if answers else None,
        )
        return answers.provider if answers else str(kept.provider), cast(AsyncGenerator[Delta, None], deltas)


class Runs:
    """Generations of one notebook. Those without a session go into one of this notebook's own, made when needed."""

    def __init__(self) -> None:
        self._own: dict[str | None, str] = {}
        self._one_by_one = asyncio.Lock()

    async def submit(
        self,
        inner: OpenWorkbench,
        prompt: str,
        *,
        session: str | Session | None,
        workflow: str | WorkflowSummary | None,
        negative: str | None,
        parameters: Mapping[str, JsonValue],
    ) -> Generation:
        """Submit one, and return its row once ComfyUI has it."""
        kept = await find_workflow(inner, workflow) if workflow is not None else None
        asked = {
            "prompt_text": prompt,
            "negative_prompt": negative,
            "workflow_id": kept.id if kept else None,
            "parameters": dict(parameters),
        }
        if session is not None:
            found = await find_session(inner, session, kept.profile_id if kept else None)
            return await inner.sessions.generate(found, **asked)  # type: ignore[arg-type]  # a dict of mixed values
        async with self._one_by_one:
            own = await self._own_session(inner, kept.profile_id if kept else None)
            return await inner.sessions.generate(own, **asked)  # type: ignore[arg-type]  # as above

    async def _own_session(self, inner: OpenWorkbench, profile_id: str | None) -> str:
        """A session for what names none. It remembers nothing: a cell gives the same whatever ran before it."""
        session_id = self._own.get(profile_id)
        if session_id is not None:
            try:
                await inner.sessions.update(session_id, current_workflow_id=None)
            except NotFound:  # somebody deleted it
                session_id = None
        if session_id is None:
            title = f"Notebook, {datetime.now().astimezone():%d %b %Y, %H:%M}"
            session_id = (await inner.sessions.create(profile_id=profile_id, title=title)).id
            self._own[profile_id] = session_id
        return session_id


async def find_session(inner: OpenWorkbench, session: str | Session, profile_id: str | None = None) -> str:
    """The id of a session given by its id or its title; a new one, of the profile, where no session has the title.

    Raises:
        NotFound: it is given by an id that no session has.
    """
    if isinstance(session, Session):
        return session.id
    known = await inner.sessions.list()
    named = [one for one in known if one.id == session] or [one for one in known if one.title == session]
    of_profile = [one for one in named if profile_id in (None, one.profile_id)]
    if found := of_profile or (named if profile_id is None else []):
        return found[0].id
    if is_id(session):
        raise NotFound(f"Session {session} not found")
    return (await inner.sessions.create(profile_id=profile_id, title=session)).id


async def find_workflow(inner: OpenWorkbench, workflow: str | WorkflowSummary) -> WorkflowSummary:
    """A workflow given by its id or its name; of several with one name the newest.

    Raises:
        NotFound: there is none; the message names what there is.
    """
    if isinstance(workflow, WorkflowSummary):
        return workflow
    known = await inner.workflows.list()
    if found := [one for one in known if one.id == workflow] or [one for one in known if one.name == workflow]:
        return found[0]
    there = ", ".join(repr(name) for name in dict.fromkeys(one.name for one in known[:10])) or "none"
    raise NotFound(f"No workflow is called {workflow!r}. There are: {there}")


def is_id(text: str) -> bool:
    """Whether it looks like an id of the store rather than like a title."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False

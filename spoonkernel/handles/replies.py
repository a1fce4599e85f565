"""One answer of a model under way."""

import uuid
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import Any

from spoonkernel.errors import RunFailed
from spoonkernel.handles.handle import CANCELLED, Handle
from spoonkernel.handles.line import Bundle, status_line
from spoonkernel.handles.markdown import harmless
from spoonkernel.handles.opened import LiveWorkbench, OpenWorkbench
from spoonkernel.types.chat import Answer, ChatReply, Delta

Begin = Callable[[OpenWorkbench], Coroutine[Any, Any, tuple[str, AsyncGenerator[Delta, None]]]]
"""Starts an answer on the plain workbench: the provider that gives it, and its deltas."""


class Reply(Handle[ChatReply, str]):
    """An answer as it is written: awaiting it gives the whole `ChatReply`, `async for` the text piece by piece.

    What had arrived before it failed or was cancelled stays in `text`, and in the error's `partial`.
    """

    KEPT_EVENTS = None  # text that is left out would be missing

    def __init__(self, workbench: LiveWorkbench, begin: Begin) -> None:
        self._begin = begin
        self._id = str(uuid.uuid4())
        self._answer = Answer("")
        super().__init__(workbench)

    @property
    def id(self) -> str:
        return self._id

    @property
    def text(self) -> str:
        """What has arrived so far."""
        return "".join(self._answer.text)

    # -- on the workbench's loop -------------------------------------------------------------------------------------

    async def _work(self) -> ChatReply:
        provider, deltas = await self._begin(self._workbench.inner)
        self._answer.provider = provider
        async with aclosing(deltas):
            async for delta in deltas:
                self._answer.add(delta)
                self._moved(*([delta.text] if delta.text else []), status="running")
        return self._answer.reply()

    async def _stop(self) -> ChatReply:
        raise RunFailed(CANCELLED).with_partial(self.text)  # closing the stream has stopped the provider

    def _standing(self) -> list[str]:
        return [self.text] if self._answer.text else []

    def _is_told(self, failure: Exception) -> bool:
        return False

    # -- how it looks ------------------------------------------------------------------------------------------------

    def _shown(self) -> Bundle:
        if not self._answer.text:
            return {"text/html": status_line("Waiting for the first word"), "text/plain": repr(self)}
        return {"text/markdown": harmless(self.text), "text/plain": self.text}

    async def _kept(self) -> Bundle:
        if self._failure is None:
            return {"text/markdown": harmless(self.text), "text/plain": self.text}
        if not self._answer.text:
            return self._broken()
        state = "Stopped" if self._status == "cancelled" else f"Failed: {self._failure}"
        return {"text/markdown": f"{harmless(self.text)}\n\n*{harmless(state)}*", "text/plain": f"{self.text}\n{state}"}

    def _detail(self) -> str:
        return super()._detail() or f", {len(self.text)} characters"

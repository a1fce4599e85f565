"""The chat pane: a conversation with one model, in a notebook or from code."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import Any, cast

import traitlets
from pydantic import JsonValue

from spoonkernel.errors import BadRequest, Conflict, NotFound, ProviderConnectionError, SpoonError
from spoonkernel.portal import Call
from spoonkernel.types.base import ChatProviderName
from spoonwidgets._base import Pane, Workbench, esm, explain, log
from spoonwidgets._choices import Choice, choices
from spoonwidgets._conversation import Turn
from spoonwidgets._snapshot import paragraphs, saved_note

DEMO_MODEL = "smollm2:135m"
NOBODY = "No model answers yet. Fetch the small local one with `spoon models pull smollm2:135m`, or add a profile"


class Chat(Pane):
    """A conversation. Shown in a notebook it is a pane; `await chat.ask("...")` does the same from code.

    Args:
        workbench: what `spoonkernel.open()` returned.
        provider, model, profile_id: who answers. Left out: the first model that the workbench lists; the pane's
            picker changes it.
        system: the system prompt, sent before every request.
        options: temperature, max_tokens and the like, sent with every request.
        height: of the pane, in pixels.
        static: keep a plain copy of the conversation in the notebook, for readers without a kernel.
    """

    _esm = esm("chat.js")
    draft = traitlets.Unicode("", help="What stands in the message box, unsent.").tag(sync=True)

    def __init__(
        self,
        workbench: Workbench,
        provider: ChatProviderName | None = None,
        model: str | None = None,
        *,
        profile_id: str | None = None,
        system: str | None = None,
        height: int = 480,
        options: dict[str, JsonValue] | None = None,
        static: bool = True,
    ) -> None:
        self.system = system
        self.options: dict[str, JsonValue] = dict(options or {})
        self._wanted = (provider, model, profile_id)
        self._choice = Choice(provider, model, profile_id) if provider else None
        self._choices: list[Choice] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._look_error: dict[str, Any] | None = None
        self._turns: list[Turn] = []
        self._writing: asyncio.Task[None] | None = None
        self._pulling: asyncio.Task[None] | None = None
        self._pull: dict[str, Any] | None = None
        self._failure: SpoonError | None = None
        super().__init__(workbench, height=height, static=static)

    def __repr__(self) -> str:
        who = self._choice.model or self._choice.provider if self._choice else "no model yet"
        return f"<Chat with {who}, {len(self._turns)} turns>"

    # -- from code ---------------------------------------------------------------------------------------------------

    @property
    def messages(self) -> list[dict[str, str]]:
        """The conversation so far, `{"role": ..., "content": ...}`, oldest first, as a chat request takes it."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        return system + [{"role": turn.role, "content": turn.text} for turn in self._turns if turn.text]

    @property
    def last(self) -> str | None:
        """The text of the last answer, as far as it has come; None before the first."""
        return next((turn.text for turn in reversed(self._turns) if turn.role == "assistant"), None)

    def ask(self, text: str) -> Call[str]:
        """Ask, and get the whole answer; an open pane shows it being written.

        Await it, or take its `.result()`. After Stop it is what had arrived. Raises what `workbench.chat.stream`
        raises; the question and any partial answer stay in the conversation.
        """
        return Call(self._workbench.start(self._ask(text)), "chat.ask")

    async def _ask(self, text: str) -> str:
        answer, work = await self._begin(text)
        try:
            await work
        except asyncio.CancelledError:
            work.cancel()
            raise
        if answer.state == "failed":
            raise self._failure or SpoonError()
        return answer.text

    # -- what the page asks for --------------------------------------------------------------------------------------

    async def op_hello(self) -> dict[str, Any]:
        if self._choices is None:
            await self.op_look()
        return await super().op_hello()

    async def op_ask(self, text: str) -> dict[str, str]:
        answer, _ = await self._begin(text)
        return {"id": answer.id}

    async def op_retry(self, id: str) -> dict[str, str]:
        """Ask again for an answer that failed or was stopped; only the last turn can be."""
        self._refuse_while_writing()
        if not self._turns or self._turns[-1].id != id:
            raise NotFound("Only the last answer can be asked for again")
        answer = self._turns[-1]
        self._write(answer, await self._chosen())
        return {"id": answer.id}

    async def op_stop(self) -> None:
        """Stop the answer that is being written; what arrived stays."""
        if self._writing:
            self._writing.cancel()

    async def op_clear(self) -> None:
        """Start a new conversation."""
        self._refuse_while_writing()
        self._turns.clear()
        self.mark("all")

    async def op_choose(self, provider: str, model: str | None, profile_id: str | None) -> None:
        for choice in self._choices or []:
            if (choice.provider, choice.model, choice.profile_id) == (provider, model, profile_id):
                self._choice = choice
                self.mark("models")
                return
        raise NotFound(f"{model or provider} is not among the models any more; look again")

    async def op_look(self) -> None:
        """Ask the workbench for its models, in the background: a provider that hangs takes seconds to give up."""
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_around())
            self.mark("models")

    async def op_pull(self) -> None:
        """Fetch the demo model in the background; the state `pull` says how far it is."""
        if self._pulling is None or self._pulling.done():
            self._pull = {"name": DEMO_MODEL, "completed": 0, "total": None, "error": None}
            self._pulling = asyncio.create_task(self._fetch())
            self.mark("pull")

    async def op_cancel_pull(self) -> None:
        if self._pulling:
            self._pulling.cancel()

    # -- the work ----------------------------------------------------------------------------------------------------

    def describe(self, parts: Iterable[str] | None) -> dict[str, Any]:
        whole = parts is None or "all" in parts
        asked = set(parts or ())
        state: dict[str, Any] = {"whole": whole}
        if whole or "models" in asked:
            state["choice"] = self._choice.row() if self._choice else None
            state["choices"] = [choice.row() for choice in self._choices or []]
            state["looking"] = self._looking is not None
            state["look_error"] = self._look_error
        if whole or "pull" in asked:
            state["pull"] = self._pull
        state["turns"] = [turn.row(whole=whole) for turn in self._turns if whole or turn.id in asked]
        if parts is not None:  # an event reaches every view; a state goes to the one that asked
            for turn in self._turns:
                if whole or turn.id in asked:
                    turn.sent = len(turn.text)
        return state

    async def _begin(self, text: str) -> tuple[Turn, "asyncio.Task[None]"]:
        self._refuse_while_writing()
        if not isinstance(text, str) or not text.strip():
            raise BadRequest("There is nothing to send: the message is empty")
        choice = await self._chosen()
        self._refuse_while_writing()  # looking for a model took time
        answer = Turn("assistant")
        question = Turn("user", text.strip())
        self._turns += [question, answer]
        self.mark(question.id)
        return answer, self._write(answer, choice)

    def _write(self, answer: Turn, choice: Choice) -> "asyncio.Task[None]":
        answer.begin()
        answer.model, answer.where = choice.model or choice.provider, choice.where or choice.provider
        self._failure = None
        self._writing = asyncio.create_task(self._answer(answer, choice))
        self.mark(answer.id)
        return self._writing

    async def _answer(self, answer: Turn, choice: Choice) -> None:
        try:
            async with contextlib.aclosing(self._stream(choice)) as deltas:
                async for delta in deltas:
                    answer.take(delta)
                    self.mark(answer.id)
            answer.state = "done"
        except asyncio.CancelledError:
            answer.state = "stopped"  # the task's own end: whoever waits gets the partial text
        except SpoonError as error:
            self._fail(answer, error)
        except Exception as error:  # noqa: BLE001 - the turn must end in words, whatever went wrong below
            log.exception("The chat failed")
            self._fail(answer, SpoonError(f"Spoon failed inside ({type(error).__name__}); the kernel's log has more"))
        finally:
            self.mark(answer.id)
            if self._snapshot:
                self._snapshot.update()

    def _stream(self, choice: Choice) -> Any:
        return self._workbench.inner.chat.stream(
            provider=cast(ChatProviderName, choice.provider),
            model=choice.model,
            profile_id=choice.profile_id,
            messages=self.messages,
            options=self.options or None,
        )

    def _fail(self, answer: Turn, error: SpoonError) -> None:
        if error.partial and len(error.partial) > len(answer.text):
            answer.text = error.partial
        answer.state, answer.error, self._failure = "failed", explain(error), error

    def _refuse_while_writing(self) -> None:
        if self._writing and not self._writing.done():
            raise Conflict("An answer is being written. Stop it first, or wait for its end")

    async def _chosen(self) -> Choice:
        if self._choice is None:
            await self._look()
            self.mark("models")
        if self._choice is None:
            raise ProviderConnectionError(NOBODY)
        return self._choice

    async def _look_around(self) -> None:
        self._look_error = None
        try:
            await self._look()
        except SpoonError as error:
            self._look_error = explain(error)
        except Exception:  # noqa: BLE001 - whatever happened, the page must not go on waiting
            log.exception("The models could not be listed")
            self._look_error = explain(SpoonError())
        finally:
            self._looking = None
            self.mark("models")

    async def _look(self) -> None:
        """Read the models, and settle on one that fits what the pane was made for."""
        self._choices = await choices(self._workbench.inner)
        provider, model, profile_id = self._wanted
        fitting = [
            choice
            for choice in self._choices
            if provider in (None, choice.provider)
            and model in (None, choice.model)
            and profile_id in (None, choice.profile_id)
        ]
        if fitting and (self._choice is None or self._choice.model is None or not self._choice.where):
            self._choice = fitting[0]

    async def _fetch(self) -> None:
        try:
            pieces: AsyncIterator[Any] = self._workbench.inner.models.pull(DEMO_MODEL)
            async for piece in pieces:
                self._pull = {
                    "name": DEMO_MODEL,
                    "completed": piece.completed_bytes,
                    "total": piece.total_bytes,
                    "error": None,
                }
                self.mark("pull")
            await self._look()
            self._pull = None
        except asyncio.CancelledError:
            self._pull = None
        except SpoonError as error:
            self._pull = {"name": DEMO_MODEL, "completed": 0, "total": None, "error": explain(error)}
        finally:
            self.mark("pull", "models")

    def saved(self) -> tuple[str, str]:
        if not self._turns:
            return "", repr(self)
        parts = [("You" if turn.role == "user" else turn.model, _note(turn), turn.text) for turn in self._turns]
        text = "\n\n".join(f"{who}: {said}" for who, _, said in parts)
        return saved_note("Run the cell to start the chat again.") + paragraphs(parts), text


def _note(turn: Turn) -> str:
    tokens = turn.usage.completion_tokens
    match turn.state:
        case "failed":
            return f"failed: {(turn.error or {}).get('message', '')}"
        case "stopped":
            return "stopped"
        case _:
            return f"{tokens} tokens" if tokens is not None else ""

"""The chat pane: a kept conversation with its branches, in a notebook or from code."""

import asyncio
import contextlib
import inspect
import pathlib
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

import traitlets
from pydantic import JsonValue

from spoonkernel.errors import BadRequest, Conflict, NotFound, SpoonError
from spoonkernel.handles.call import Call
from spoonkernel.types.base import ChatProviderName
from spoonkernel.types.conversations import MAX_ATTACHMENTS, Turn
from spoonwidgets._base import Workbench, esm, log
from spoonwidgets._chat_requests import ChatRequests
from spoonwidgets._choices import Choice, named
from spoonwidgets._conversation import Beginning, KeptConversation
from spoonwidgets._models import MOST_COMPARED, Models
from spoonwidgets._replies import Replies
from spoonwidgets._transcript import records, transcript

if TYPE_CHECKING:
    import pandas

Handler = TypeVar("Handler", bound=Callable[[Turn], Any])
LOAD_TIMEOUT_S = 30.0
KEEP_ONE = "Several answers stand side by side. Keep one of them first; the chat goes on from it"


class Chat(ChatRequests):
    """A conversation. Shown in a notebook it is a pane; `await chat.ask("...")` does the same from code.

    Every turn is kept in the workbench. Asking again, or asking a question in other words, makes a branch beside the
    old one; `branch` goes between them.

    Args:
        workbench: what `spoonkernel.open()` returned.
        provider, model, profile_id: who answers. Left out: whom the kept conversation was held with, else the first
            model that the workbench lists; the pane's picker changes it.
        conversation: id or title of a kept conversation; one that is not there yet is made under this title.
            Left out: a new one.
        system: the system prompt. Given here, it takes the place of the kept one.
        options: temperature, max_tokens and the like, sent with every request; as with `system`.
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
        conversation: str | None = None,
        profile_id: str | None = None,
        system: str | None = None,
        height: int = 480,
        options: dict[str, JsonValue] | None = None,
        static: bool = True,
    ) -> None:
        inner = workbench.inner
        wanted = Choice(provider or "", model, profile_id) if provider or model or profile_id else None
        self._models = Models(inner, self.mark, wanted)
        self._kept = KeptConversation(inner, self.mark, conversation, Beginning(system, dict(options or {})))
        self._replies = Replies(inner, self._kept, self.mark, self._answer_ended)
        self._handlers: list[Callable[[Turn], Any]] = []
        self._telling: set[asyncio.Task[None]] = set()
        self._asking = asyncio.Lock()
        self._loaded: Future[None] | None = None
        self._is_loaded = conversation is None  # told by the loading itself: it may be done before `start` returns
        self._home = 0
        super().__init__(workbench, height=height, static=static)
        if conversation:
            self._loaded = workbench.start(self._load())

    def __repr__(self) -> str:
        who = self._models.choice.name if self._models.choice else "no model yet"
        return f"<Chat with {who}, {len(self._kept.tree.path())} turns>"

    def close(self) -> None:
        self._kept.close()
        super().close()

    # -- from code ---------------------------------------------------------------------------------------------------

    @property
    def turns(self) -> list[Turn]:
        """The turns of the branch that is shown, oldest first."""
        self._wait_until_loaded()
        return self._kept.tree.path()

    @property
    def messages(self) -> list[dict[str, str]]:
        """The branch that is shown, `{"role": ..., "content": ...}`, oldest first, as a chat request takes it."""
        turns, system = self.turns, self._kept.row()["system"]
        said = [{"role": turn.role, "content": turn.text} for turn in turns if turn.text]
        return ([{"role": "system", "content": system}] if system else []) + said

    @property
    def last(self) -> str | None:
        """The text of the last answer of the branch, as far as it has come; None before the first."""
        return next((turn.text for turn in reversed(self.turns) if turn.role == "assistant"), None)

    @property
    def conversation_id(self) -> str | None:
        """Where it is kept, in `workbench.conversations`; None before the first question."""
        self._wait_until_loaded()
        return self._kept.about.id if self._kept.about else None

    def ask(self, text: str, *, images: Sequence[bytes | str | pathlib.Path] = ()) -> Call[str]:
        """Ask, and get the whole answer; an open pane shows it being written.

        Await it, or take its `.result()`. After Stop it is what had arrived. Raises what `workbench.chat.stream`
        raises; the question and any partial answer stay in the conversation.

        Args:
            text: the question.
            images: pictures that go with it, as bytes or as paths of files (png, jpeg, webp, gif).
        """
        return Call(self._workbench.start(self._ask(text, images)), "chat.ask")

    def compare(self, text: str, models: Sequence[str | Choice]) -> Call[list[Turn]]:
        """Ask up to four models the same and get their answers, in the order of `models`, failed ones too.

        The pane shows them side by side. The chat goes on from one of them once it is kept: there, or by
        `chat.branch(turn)`.

        Args:
            text: the question.
            models: names as in `workbench.models.list()`, or `provider/name`.
        """
        return Call(self._workbench.start(self._compare(text, models)), "chat.compare")

    def branch(self, turn: str | int | Turn) -> Call[list[dict[str, str]]]:
        """Show another branch, and get its messages.

        Args:
            turn: a turn, or its id. Or a number: which of the alternatives of the last turn that has any, from 0;
                -1 is the newest.
        """
        return Call(self._workbench.start(self._branch(turn)), "chat.branch")

    def stop(self) -> None:
        """Stop every answer that is being written; what arrived stays."""
        self._workbench.start(self.op_stop())

    def on_reply(self, handler: Handler) -> Handler:
        """Call `handler(turn)` whenever an answer has ended, also a stopped or failed one. Usable as a decorator.

        A coroutine function runs on the workbench's loop, any other in a thread.
        """
        self._handlers.append(handler)
        return handler

    def to_pandas(self) -> "pandas.DataFrame":
        """Every turn of every branch as a row; `shown` says whether it is on the branch that is shown."""
        try:
            import pandas
        except ImportError as error:
            raise ImportError("to_pandas() needs pandas: pip install pandas") from error
        return pandas.DataFrame(records(self._kept.tree.turns.values(), shown=self.turns))

    # -- the work ----------------------------------------------------------------------------------------------------

    async def _load(self) -> None:
        self._home = threading.get_ident()
        try:
            if found := await self._kept.load():
                self._models.prefer(found.provider, found.model, found.profile_id)
        except SpoonError as error:
            self._kept.notice = error.message
            raise
        finally:
            self._is_loaded = True
            self.mark("all")

    async def _until_loaded(self) -> None:
        if self._loaded:
            with contextlib.suppress(SpoonError):
                await asyncio.shield(asyncio.wrap_future(self._loaded))
            if self._loaded.exception():
                await self._load()  # the store may be back
            self._loaded = None

    def _wait_until_loaded(self) -> None:
        if self._loaded and threading.get_ident() != self._home:  # there it would wait for itself
            self._loaded.result(LOAD_TIMEOUT_S)

    async def _begin(self, text: str, attachments: Sequence[str] = (), parent: str | None = "shown") -> Turn:
        """Keep a question, and have it answered. `parent` "shown" goes on from the branch that is shown."""
        question = await self._question(text, attachments, parent)
        return self._replies.start(question, await self._models.needed())

    async def _question(self, text: str, attachments: Sequence[str], parent: str | None) -> Turn:
        if not isinstance(text, str) or not (text.strip() or attachments):
            raise BadRequest("There is nothing to send: the message is empty")
        self._refuse_while_writing()
        async with self._asking:
            await self._until_loaded()
            await self._replies.settle()
            choice = await self._models.needed()
            await self._kept.made(choice)
            return await self._kept.say(text.strip(), attachments, self._parent() if parent == "shown" else parent)

    def _parent(self) -> str | None:
        tree = self._kept.tree
        end = tree.turns.get(tree.active or "")
        if end and end.role == "user" and tree.children(end.id):
            raise Conflict(KEEP_ONE)
        return tree.active

    def _refuse_while_writing(self) -> None:
        if self._replies.writing or self._asking.locked():
            raise Conflict("An answer is being written. Stop it first, or wait for its end")

    async def _ask(self, text: str, images: Sequence[bytes | str | pathlib.Path]) -> str:
        attachments = await self._attach(images) if images else []
        return (await self._replies.end(await self._begin(text, attachments))).text

    async def _attach(self, images: Sequence[bytes | str | pathlib.Path]) -> list[str]:
        if len(images) > MAX_ATTACHMENTS:
            raise BadRequest(f"A question takes {MAX_ATTACHMENTS} pictures at most")
        await self._until_loaded()
        await self._kept.made(await self._models.needed())
        kept = []
        for image in images:
            path = None if isinstance(image, bytes) else pathlib.Path(image)
            content = image if isinstance(image, bytes) else await asyncio.to_thread(pathlib.Path(image).read_bytes)
            kept.append((await self._kept.keep(content, path.name if path else "")).content)
        return kept

    async def _compare(self, text: str, models: Sequence[str | Choice]) -> list[Turn]:
        listed = await self._models.all()
        wanted = [named(listed, model) if isinstance(model, str) else model for model in models]
        answers = await self._begin_comparison(text, (), wanted)
        ended = await asyncio.gather(*(self._replies.end(answer) for answer in answers), return_exceptions=True)
        for problem in ended:
            if isinstance(problem, asyncio.CancelledError):
                raise problem
        return [self._kept.tree.turns.get(answer.id, answer) for answer in answers]

    async def _begin_comparison(self, text: str, attachments: Sequence[str], wanted: Sequence[Choice]) -> list[Turn]:
        if not 1 <= len(wanted) <= MOST_COMPARED:
            raise BadRequest(f"Name one to {MOST_COMPARED} models to compare")
        question = await self._question(text, attachments, "shown")
        return [self._replies.start(question, choice, activate=False) for choice in wanted]

    async def _branch(self, turn: str | int | Turn) -> list[dict[str, str]]:
        await self._until_loaded()
        tree = self._kept.tree
        if isinstance(turn, int):
            forks = [found for one in tree.path() if len(found := tree.alternatives(one.id)) > 1]
            end = tree.turns.get(tree.active or "")
            if end and end.role == "user" and (side_by_side := tree.children(end.id)):
                forks.append(side_by_side)
            if not forks or not -len(forks[-1]) <= turn < len(forks[-1]):
                raise NotFound(f"There is no alternative {turn}: the last fork has {len(forks[-1]) if forks else 0}")
            turn = forks[-1][turn].id
        turn_id = turn.id if isinstance(turn, Turn) else turn
        if turn_id not in tree.turns:
            raise NotFound(f"This conversation has no turn {turn_id}")
        await self._kept.show(tree.end_of(turn_id))
        return self.messages

    def _answer_ended(self, turn: Turn) -> None:
        if self._snapshot:
            self._snapshot.update()
        for handler in self._handlers:
            task = asyncio.create_task(_tell(handler, turn))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    def describe(self, parts: Iterable[str] | None) -> dict[str, Any]:
        whole = parts is None or "all" in parts
        asked, tree = set(parts or ()), self._kept.tree
        state: dict[str, Any] = {"whole": whole}
        if whole or "models" in asked:
            state["models"] = self._models.rows()
        if whole or "pull" in asked:
            state["pull"] = self._models.pull_row()
        if whole or "about" in asked:
            state["about"] = self._kept.row() | {"loaded": self._is_loaded}
        shown = [turn for turn in tree.turns.values() if whole or turn.id in asked]
        state["turns"] = [
            tree.row(turn, whole=whole) | {"elapsed_ms": self._replies.elapsed_ms(turn)} for turn in shown
        ]
        if parts is not None:  # an event reaches every view; a state goes to the one that asked
            for turn in shown:
                tree.mark_sent(turn)
        return state

    def saved(self) -> tuple[str, str]:
        turns = self._kept.tree.path()
        return transcript(turns) if turns else ("", repr(self))


async def _tell(handler: Callable[[Turn], Any], turn: Turn) -> None:
    try:
        if inspect.iscoroutinefunction(handler):
            await handler(turn)
        else:
            await asyncio.to_thread(handler, turn)
    except Exception:  # noqa: BLE001 - the user's own code; the chat goes on
        log.exception("A handler of chat.on_reply failed")

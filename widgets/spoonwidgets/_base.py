"""What every pane shares: requests with an answer each, numbered events, and work on the workbench's own loop.

The protocol (`core/rpc.ts` is its other half), all of it custom messages of the widget's comm:

    page -> kernel  {k: "req", id, op, args}         kernel -> page  {k: "res", id, data | error: {code, message}}
    kernel -> page  {k: "ev", seq, data}             kernel -> page  {k: "hint", data}

Each may carry buffers. Messages can be lost (the Jupyter server drops bursts), so a request without an answer is sent
again under its id and done once, and events are numbered: a page that misses one asks `sync` for the whole state.
Events tell what changed since the last one; the state is always enough. A hint (a preview) may be lost for good.
"""

import asyncio
import contextlib
import logging
import pathlib
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeVar

import anywidget
import traitlets

from spoonkernel.errors import BadRequest, SpoonError
from spoonkernel.portal import OpenWorkbench
from spoonwidgets._snapshot import Snapshot
from spoonwidgets._uploads import Uploads

T = TypeVar("T")

STATIC = pathlib.Path(__file__).parent / "static"
FRAME_S = 0.033
"""At most one event per pane in this time: the Jupyter server drops messages above 1,000 a second without a word."""
HELD_S, CALM_S = 3.0, 0.5
"""A page's snapshot waits for its view so long at most, and then for what that draws first."""
KEPT_ANSWERS = 32
"""How many answers are kept for a page that did not get one and asks again."""
ASSETS = frozenset({"markdown", "highlight", "temml", "codemirror", "gallery", "params", "query"})
"""Heavy parts that a page fetches when it first needs one: `static/assets/NAME.js`."""

log = logging.getLogger(__name__)


class Workbench(Protocol):
    """What a pane needs of `spoonkernel.open()`: the rooms on their own loop, and a way to start work there."""

    @property
    def inner(self) -> OpenWorkbench: ...

    def start(self, work: Coroutine[Any, Any, T], /) -> Future[T]:
        """Run a coroutine on the workbench's loop, from any thread."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What an operation answers when JSON alone will not do."""

    data: Any = None
    buffers: list[bytes] = field(default_factory=list)


def esm(name: str) -> pathlib.Path:
    """The built bundle of a pane; says how to build it when it is not there."""
    path = STATIC / name
    if not path.exists():
        raise ImportError(
            f"spoonwidgets/static/{name} is not built. In a checkout run: "
            "cd widgets/frontend && npm ci --ignore-scripts && npm run build"
        )
    return path


class Pane(anywidget.AnyWidget):
    """A widget that answers requests (`op_<name>` coroutines) and tells its views what changed (`mark`).

    Everything but the constructor runs on the workbench's loop: that one thread is the lock over the pane's state, its
    messages and their order. A subclass describes its state with `describe`.
    """

    PROTOCOL: ClassVar[int] = 1
    height = traitlets.Int(480, help="Pixels; the pane scrolls inside.").tag(sync=True)
    static_id = traitlets.Unicode("", help="Id of the saved snapshot beside the pane.").tag(sync=True)
    bare = traitlets.Bool(False, help="Inside another pane: without border and head.").tag(sync=True)

    def __init__(self, workbench: Workbench, *, height: int, static: bool, bare: bool = False) -> None:
        self._workbench = workbench
        self._uploads = Uploads()
        self._snapshot = Snapshot(self.saved) if static else None
        self._met = asyncio.Event()
        self._seq = 0
        self._changed: set[str] = set()
        self._flush_at: asyncio.TimerHandle | None = None
        self._flushed_at = 0.0
        self._answers: dict[str, tuple[dict[str, Any], list[bytes]] | None] = {}
        super().__init__(height=height, static_id=self._snapshot.id if self._snapshot else "", bare=bare)
        self.on_msg(self._receive)
        # ipykernel 7 sends the page's messages to the subshell that published last on this comm. A publish from our
        # thread counts as the running cell's, so Stop would wait for that cell. None keeps the page's own choice.
        if hasattr(self.comm, "_reply_subshell_for"):
            self.comm._reply_subshell_for = None

    def describe(self, parts: Iterable[str] | None) -> dict[str, Any]:
        """What a page needs to show these parts as they are now; None asks for everything."""
        raise NotImplementedError

    def saved(self) -> tuple[str, str]:
        """The pane for a reader without a kernel: HTML with everything escaped, and plain text."""
        raise NotImplementedError

    def _ipython_display_(self) -> None:
        from IPython.display import display

        if self._snapshot:
            self._snapshot.show()
        data, metadata = self._repr_mimebundle_() or ({"text/plain": repr(self)}, {})
        display(data, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]  # IPython has no types
        if self._snapshot and self._snapshot.held:
            self._workbench.start(self._release(self._snapshot))

    async def _release(self, snapshot: Snapshot) -> None:
        """Fill the snapshot once a view has drawn itself, or none came, or the workbench closes."""
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HELD_S):
                    await self._met.wait()
            await asyncio.sleep(CALM_S)
        finally:
            snapshot.release()

    def mark(self, *parts: str) -> None:
        """Say that these parts changed. Views hear of it within `FRAME_S`, many changes in one message."""
        loop = asyncio.get_running_loop()
        self._changed.update(parts)
        if self._flush_at is None:
            self._flush_at = loop.call_at(max(loop.time(), self._flushed_at + FRAME_S), self._flush)

    def _flush(self) -> None:
        if self._flush_at:
            self._flush_at.cancel()
        self._flush_at = None
        self._flushed_at = asyncio.get_running_loop().time()
        changed, self._changed = self._changed, set()
        self._seq += 1
        self._post({"k": "ev", "seq": self._seq, "data": self.describe(changed)})

    def _post(self, message: dict[str, Any], buffers: Iterable[bytes] = ()) -> None:
        self.send(message, list(buffers))

    def hint(self, data: dict[str, Any], buffers: Iterable[bytes] = ()) -> None:
        """Tell the views something that is stale in a moment. It may be lost; nothing may rest on it."""
        self._post({"k": "hint", "data": data}, buffers)

    def take_upload(self, upload: str) -> bytes:
        """The bytes that a page sent under this id, once. Raises `BadRequest` when they did not arrive whole."""
        return self._uploads.take(upload)

    def _receive(self, _widget: object, message: Any, buffers: list[bytes]) -> None:
        """Any thread: the kernel's main one, or a subshell's. So it only hands over."""
        if isinstance(message, dict) and message.get("k") == "req":
            self._workbench.start(self._answer_request(message, buffers))

    async def _answer_request(self, message: dict[str, Any], received: list[bytes]) -> None:
        id_ = str(message.get("id"))
        if id_ in self._answers:  # the page asks again when an answer stays away: once done is enough
            if known := self._answers[id_]:
                self._post(*known)
            return
        self._answers[id_] = None
        answer: dict[str, Any] = {"k": "res", "id": message.get("id")}
        buffers: list[bytes] = []
        try:
            answer["data"], buffers = await self._done(message, received)
        except SpoonError as error:
            answer["error"] = explain(error)
        except Exception:  # the page must hear of any end: a missing answer reads as a dead kernel
            log.exception("%s failed on %s", type(self).__name__, message.get("op"))
            answer["error"] = explain(SpoonError())
        if self._changed:
            self._flush()  # whoever gets the answer already sees what the request did: no button flickers back
        self._answers[id_] = (answer, buffers)
        if buffers:  # what answers bytes only reads: it is done again when asked again, and not kept meanwhile
            del self._answers[id_]
        while len(self._answers) > KEPT_ANSWERS:
            del self._answers[next(iter(self._answers))]
        self._post(answer, buffers)
        if message.get("op") == "hello":
            self._met.set()

    async def _done(self, message: dict[str, Any], received: list[bytes]) -> tuple[Any, list[bytes]]:
        """Do what a request asks for: the JSON and the bytes of its answer."""
        if message.get("op") == "upload":
            return self._uploads.add(message.get("args"), received), []
        data = await self._operation(str(message.get("op")))(**(message.get("args") or {}))
        match data:
            case bytes():
                return None, [data]
            case Answer():
                return data.data, data.buffers
            case _:
                return data, []

    def _operation(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        operation: Callable[..., Coroutine[Any, Any, Any]] | None = getattr(self, f"op_{name}", None)
        if operation is None:
            raise BadRequest(f"This pane cannot do {name!r}; reload the page after an update")
        return operation

    async def op_hello(self) -> dict[str, Any]:
        """The whole state for a new view."""
        return await self.op_sync()

    async def op_sync(self, seen: int = -1) -> dict[str, Any]:
        """The whole state for a view that missed events; `seen` is the last one it has."""
        log.debug("%s goes to %d, a view had %d", type(self).__name__, self._seq, seen)
        return {"protocol": self.PROTOCOL, "seq": self._seq, "state": self.describe(None)}

    async def op_asset(self, name: str) -> bytes:
        """The script of a heavy part; the page keeps it for all its panes."""
        if name not in ASSETS:
            raise BadRequest(f"There is no asset {name!r}; reload the page after an update")
        return await asyncio.to_thread(esm(f"assets/{name}.js").read_bytes)

    async def op_alive(self) -> dict[str, Any]:
        """Proof that the kernel is there, with the number of the last event sent."""
        return {"seq": self._seq}


def explain(error: SpoonError) -> dict[str, Any]:
    """An error as the page shows it."""
    return {"code": error.code, "message": error.message, "retry_after_s": error.retry_after_s}

"""Everything of one ComfyUI server: its one socket, what this process has there, and how each of them ends.

Three ways lead to a generation's end, and each is enough: the socket's last message, the look at queue and history when
something seems missing, and the slow round of looks that goes on in any case.
"""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import aclosing
from typing import Any, Protocol

from spoonkernel.comfy.client import ComfyClient
from spoonkernel.comfy.jobs import JobState, Ran, Submitted
from spoonkernel.comfy.messages import Executing, Message, NodeText, Preview, Status, prompt_id_of
from spoonkernel.comfy.previews import PreviewGate
from spoonkernel.comfy.socket import ComfySocket, Connected, Disconnected
from spoonkernel.engine.looks import Looks
from spoonkernel.engine.reports import LOST
from spoonkernel.engine.sending import WITHDRAW_S, Sender
from spoonkernel.engine.watched import MAX_SENT, Watched
from spoonkernel.errors import ProviderConnectionError, SpoonError

ENDING = 4  # runs whose outputs are copied side by side
CONNECT_S = 2.0  # how long a submission waits for the socket; without it the end is looked up
COPIES = 10  # tries, about a second apart, to fetch the outputs from a server that answers otherwise

log = logging.getLogger(__name__)


class Reports(Protocol):
    """Who hears what becomes of the generations of a station."""

    async def taken(self, watched: Watched, prompt_id: str, warnings: tuple[str, ...]) -> None: ...

    async def moved(self, watched: Watched) -> None: ...

    async def preview(self, watched: Watched, preview: Preview) -> None: ...

    async def ended(self, watched: Watched, ran: Ran | None, *, last_try: bool) -> None:
        """`ran` is what the history says.

        Raises `ProviderConnectionError` when the outputs cannot be fetched now, unless this is the `last_try`.
        """
        ...

    async def failed(self, watched: Watched, error: str) -> None: ...


class Station:
    """Open it with `start`, close it with `stop`. `watched` is by prompt id."""

    def __init__(self, client: ComfyClient, socket: ComfySocket, reports: Reports) -> None:
        self._client, self._socket, self._reports = client, socket, reports
        self.watched: dict[str, Watched] = {}
        self._gate = PreviewGate()
        self._connected, self._refused = asyncio.Event(), asyncio.Event()
        self._sender = Sender(client, self._own_id)
        self._looks = Looks(client, self.watched, hears=self._hears, found=self._found, given_up=self._fail)
        self._ending = asyncio.Semaphore(ENDING)
        self._loops: list[asyncio.Task[None]] = []
        self._work: set[asyncio.Task[Any]] = set()
        self.idle_since = 0.0

    async def start(self) -> None:
        await self._socket.__aenter__()
        self._loops = [
            asyncio.create_task(self._listen(), name="spoon comfyui socket"),
            asyncio.create_task(self._looks.run(), name="spoon comfyui looks"),
        ]

    async def stop(self) -> None:
        """Leave ComfyUI's runs as they are; submissions under way get a moment to be answered."""
        if self._work:
            await asyncio.wait(self._work, timeout=CONNECT_S)
        for task in (*self._loops, *self._work):
            task.cancel()
        await asyncio.gather(*self._loops, *self._work, return_exceptions=True)
        await self._sender.stop()
        await self._socket.__aexit__(None, None, None)

    @property
    def is_idle(self) -> bool:
        return not self.watched and not self._work and self._sender.is_idle

    def follow(self, watched: Watched) -> None:
        """Watch a generation that may be anywhere; an unsent one is submitted if the server does not know it."""
        self.watched[watched.prompt_id] = watched
        self._looks.soon()

    async def submit(self, watched: Watched) -> None:
        """Give it to the server. Whoever waits here may leave: the submission goes on.

        Raises what the server said; the generation has then been reported as failed.
        """
        watched.phase = "sending"
        self.watched[watched.prompt_id] = watched
        await asyncio.shield(self._spawn(self._send(watched)))

    async def cancel(self, prompt_id: str) -> None:
        """Watch it no longer, and have the server drop it.

        Raises `SpoonError` when the server did not hear it; it is told again until it does.
        """
        watched = self.watched.get(prompt_id)
        self.forget(prompt_id)
        if watched is not None:
            watched.is_dropped = True
            if watched.phase == "sending":
                return  # the server may not have it yet: the sender takes it back
        try:
            await self._client.cancel(prompt_id)
        except ProviderConnectionError:
            self._sender.withdraw(prompt_id, WITHDRAW_S)
            raise

    def forget(self, prompt_id: str) -> None:
        if (watched := self.watched.pop(prompt_id, None)) is not None:
            self._gate.drop(prompt_id)
            watched.done.set()
        self.idle_since = asyncio.get_running_loop().time()

    async def _own_id(self) -> str | None:
        """The id of the connection that will hear of what is submitted now; None where there is none soon."""
        if self._connected.is_set() or self._refused.is_set():
            return self._socket.client_id
        waiters = {asyncio.ensure_future(event.wait()) for event in (self._connected, self._refused)}
        try:
            await asyncio.wait(waiters, timeout=CONNECT_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in waiters:
                waiter.cancel()
        return self._socket.client_id

    async def _send(self, watched: Watched) -> None:
        try:
            answer = await self._sender.send(watched)
            if answer is not None:
                await self._taken(watched, answer)
        except SpoonError as error:
            await self._fail(watched, error.message)
            raise
        finally:
            if watched.phase == "sending":
                watched.phase = "taken"  # whatever failed here, the next look finds it or misses it

    async def _send_again(self, watched: Watched) -> None:
        """Its process died before ComfyUI had it."""
        try:
            await self._send(watched)
        except SpoonError as error:
            log.info("Generation %s was not taken: %s", watched.generation_id, error)

    async def _taken(self, watched: Watched, answer: Submitted) -> None:
        if answer.prompt_id != watched.prompt_id and watched.prompt_id in self.watched:
            self.watched[answer.prompt_id] = self.watched.pop(watched.prompt_id)
            watched.prompt_id = answer.prompt_id
        watched.unsent = None
        await self._reports.taken(watched, answer.prompt_id, answer.node_errors)
        watched.phase = "taken"
        if watched.progress.settled:
            self._end(watched)
        elif not self._hears(watched):
            self._looks.soon()

    async def _fail(self, watched: Watched, error: str) -> None:
        await self._reports.failed(watched, error)
        self.forget(watched.prompt_id)

    async def _listen(self) -> None:
        async with aclosing(self._socket.frames()) as frames:
            async for frame in frames:
                try:
                    await self._hear(frame)
                except Exception:  # a background loop's edge: one frame must not end it
                    log.exception("A message of %s could not be handled", self._client.label)

    async def _hear(self, frame: Connected | Disconnected | Message | Preview | NodeText) -> None:
        match frame:
            case Connected():
                self._connected.set()
                self._refused.clear()
                self._looks.soon()  # whatever was submitted with an earlier id is told to nobody
            case Disconnected(reason=reason):
                log.info("%s", reason)
                if not self._connected.is_set():  # it was never there: nobody waits for it
                    self._refused.set()
                self._connected.clear()
                self._looks.soon()
            case Status(queue_remaining=remaining):
                self._looks.told(remaining)
            case Preview():
                await self._preview(frame)
            case _:
                prompt_id = prompt_id_of(frame)
                if prompt_id is not None and (watched := self.watched.get(prompt_id)) is not None:
                    await self._told(watched, frame)

    def _hears(self, watched: Watched) -> bool:
        """Whether the socket that is open now tells of it."""
        return watched.client_id is not None and watched.client_id == self._socket.client_id

    async def _told(self, watched: Watched, frame: Message | NodeText) -> None:
        watched.progress.feed(frame)
        if isinstance(frame, Executing) and frame.node is None:
            self._looks.heard_end()
        await self._reports.moved(watched)
        if watched.progress.settled and watched.phase == "taken":  # before that, the answer with its warnings is due
            self._end(watched)

    async def _preview(self, preview: Preview) -> None:
        watched = self.watched.get(preview.prompt_id or "")
        if watched is None:  # another client's, or it does not say whose
            return
        if preview.node_id in watched.socket_nodes and preview.format == "png":
            if len(watched.sent) < MAX_SENT:
                watched.sent.append((str(preview.node_id), preview.image))
            return
        now = asyncio.get_running_loop().time()
        if (shown := self._gate.offer(watched.prompt_id, preview, now)) is not None:
            await self._reports.preview(watched, shown)
        for prompt_id, kept in self._gate.due(now):
            if (other := self.watched.get(prompt_id)) is not None:
                await self._reports.preview(other, kept)

    async def _found(self, watched: Watched, state: JobState) -> None:
        """What a look found of one that was taken, or that an earlier process had not sent."""
        if watched.phase == "unsent":
            if state.status == "unknown":
                watched.phase = "sending"
                self._spawn(self._send_again(watched))
                return
            await self._taken(watched, Submitted(watched.prompt_id, 0.0))
        if state.status == "running" and not watched.progress.started:
            watched.progress.started = True
            await self._reports.moved(watched)
        elif state.status == "ended":
            if watched.socket_nodes and self._hears(watched) and not watched.seems_ended:
                watched.seems_ended = True  # its pictures may still be on their way through the socket
                self._looks.soon()
            else:
                self._end(watched, state.ran)
        elif state.status == "unknown":
            await self._fail(watched, LOST)

    def _end(self, watched: Watched, ran: Ran | None = None) -> None:
        if watched.phase != "ending":
            watched.phase = "ending"
            self._spawn(self._finish(watched, ran))

    async def _finish(self, watched: Watched, ran: Ran | None) -> None:
        async with self._ending:
            try:
                ran = ran or await self._client.history(watched.prompt_id)
                watched.copies += 1
                await self._reports.ended(watched, ran, last_try=watched.copies >= COPIES)
            except ProviderConnectionError as error:
                log.info("The outputs of generation %s wait: %s", watched.generation_id, error)
                watched.phase, watched.client_id = "taken", None  # its end is in the history: looks find it there
                self._looks.soon()
                return
            except Exception:
                watched.phase = "taken"
                raise
        self.forget(watched.prompt_id)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._settled)
        return task

    def _settled(self, task: "asyncio.Task[Any]") -> None:
        self._work.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, SpoonError):
            log.error("Following a generation failed", exc_info=error)

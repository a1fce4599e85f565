"""A workbench that says what a test wrote down, on its own loop; read by the cells of the browser tests.

Its models' names say how they answer: `echo` repeats, `script` sends the text of `SCRIPT` in small pieces, `slow` sends
a word every 50 ms without end, `silent` never begins, `refuses` fails the first time, `breaks` fails after some text.
"""

import asyncio
import contextlib
import datetime
import json
import pathlib
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

from spoonkernel.errors import NotFound, ProviderConnectionError, RateLimited, SpoonError, ValidationFailed
from spoonkernel.types.base import Media
from spoonkernel.types.chat import Delta, Usage
from spoonkernel.types.conversations import Attachment, ConversationDetail, Trouble, Turn
from spoonkernel.types.events import TaskCompleted, TaskProgress, TaskStarted
from spoonkernel.types.models import Model, PullProgress
from spoonkernel.types.results import Result
from spoonkernel.types.tasks import Task

MODELS = ["echo", "script", "slow", "silent", "refuses", "breaks"]
NOW = datetime.datetime(2026, 11, 14, 16, 20, tzinfo=datetime.UTC)


class Chat:
    def __init__(self):
        self.script, self.requests, self.stopped = "", [], []

    async def stream(self, *, provider, messages, model=None, profile_id=None, options=None):
        self.requests.append({"provider": provider, "model": model, "messages": messages, "options": options})
        try:
            async for text in getattr(self, f"answer_{model}")(messages):
                yield Delta(text=text)
        except asyncio.CancelledError:
            self.stopped.append(model)
            raise
        yield Delta(finish_reason="stop", usage=Usage(prompt_tokens=12, completion_tokens=34), model=model)

    async def answer_echo(self, messages):
        yield "You said: "
        yield messages[-1]["content"]

    async def answer_script(self, messages):
        for at in range(0, len(self.script), 7):
            yield self.script[at : at + 7]
            await asyncio.sleep(0.002)

    async def answer_slow(self, messages):
        for number in range(10_000):
            yield f"word{number} "
            await asyncio.sleep(0.05)

    async def answer_silent(self, messages):
        await asyncio.Event().wait()
        yield ""

    async def answer_refuses(self, messages):
        if sum(request["model"] == "refuses" for request in self.requests) > 1:
            yield "Now it works."
            return
        raise RateLimited("Scripted refused the request: too many requests (429)").after(18)

    async def answer_breaks(self, messages):
        yield "The first half"
        raise ProviderConnectionError("Scripted ended the stream: the line went dead")


class Models:
    def __init__(self, names):
        self.names, self.pulled, self.gate = names, asyncio.Event(), None

    async def list(self):
        return [Model(name=name, description="Local engine (local)", provider="local") for name in self.names]

    async def pull(self, name):
        for step in range(5):
            yield PullProgress(name=name, completed_bytes=step * 20_000_000, total_bytes=94_000_000)
            await asyncio.sleep(0.1)
        await self.pulled.wait()
        self.names.append("echo")
        yield PullProgress(name=name, completed_bytes=94_000_000, total_bytes=94_000_000, done=True)


class Profiles:
    async def list(self, *, provider=None):
        return []


class Tasks:
    """Tasks that move when the test says so."""

    def __init__(self, bench):
        self.bench, self.rows = bench, {}

    def add(self, name):
        task = Task(id=name, name=name, type="text", provider="local", prompt="p", status="pending", created_at=NOW)
        self.rows[name] = task
        return task

    async def get(self, task_id):
        if task_id not in self.rows:
            raise NotFound(f"Task {task_id} not found")
        return self.rows[task_id]

    async def delete(self, task_id):
        del self.rows[task_id]

    async def retry(self, task_id):
        self.move(task_id, status="pending", error=None)

    def move(self, name, **changes):
        self.rows[name] = self.rows[name].model_copy(update=changes)
        if changes.get("status") == "running":
            self.bench.tell(TaskStarted(task_id=name, started_at=NOW))
        if changes.get("status") == "complete":  # the other ends are not told: panes must find them by themselves
            self.bench.tell(TaskCompleted(task_id=name, result=None))

    def progress(self, name, share):
        self.bench.tell(TaskProgress(task_id=name, progress=share))


class Results:
    def __init__(self):
        self.rows, self.files = [], {}

    async def list(self, *, type=None, task_id=None, limit=20, offset=0):
        return [row for row in self.rows if row.task_id == task_id]

    async def download(self, result_id):
        return Media(content=self.files[result_id], content_type="image/png", filename="x.png")

    def add(self, task_id, content, type="text", file=b""):
        result = Result(
            id=f"r{len(self.rows)}",
            task_id=task_id,
            type=type,
            content=content,
            metadata={"seed": 2**63},
            created_at=NOW,
        )
        self.rows.append(result)
        self.files[result.id] = file
        return result


class Conversations:
    """The room of kept conversations, in memory; `file` outlives a restart of the kernel."""

    def __init__(self, bench, file=None):
        self.bench, self.rows, self.file = bench, {}, file and pathlib.Path(file)
        self.media, self.owners = {}, {}
        if self.file and self.file.exists():
            kept = json.loads(self.file.read_text())
            self.rows = {row["id"]: ConversationDetail.model_validate(row) for row in kept}

    def _changed(self, row):
        row.turn_count, row.updated_at = len(row.turns), datetime.datetime.now(datetime.UTC)
        if self.file:
            self.file.write_text(json.dumps([kept.model_dump(mode="json") for kept in self.rows.values()]))
        self.bench.tell(SimpleNamespace(kind="conversation:changed", conversation_id=row.id))

    def _row(self, conversation_id):
        if conversation_id not in self.rows:
            raise NotFound(f"Conversation {conversation_id} not found")
        return self.rows[conversation_id]

    async def list(self, *, search=None, limit=20, offset=0):
        words = (search or "").lower()
        found = [
            row
            for row in self.rows.values()
            if any(words in text.lower() for text in [row.title, *(turn.text for turn in row.turns)])
        ]
        return sorted(found, key=lambda row: row.updated_at, reverse=True)[offset : offset + limit]

    async def create(self, *, options=None, **values):
        now = datetime.datetime.now(datetime.UTC)
        row = ConversationDetail(id=str(uuid.uuid4()), options=options or {}, created_at=now, updated_at=now, **values)
        self.rows[row.id] = row
        self._changed(row)
        return row.model_copy()

    async def get(self, conversation_id):
        return self._row(conversation_id).model_copy(deep=True)

    async def update(self, conversation_id, **changes):
        row = self._row(conversation_id)
        for name, value in changes.items():
            setattr(row, name, value)
        self._changed(row)
        return row.model_copy()

    async def delete(self, conversation_id):
        self._changed(self.rows.pop(conversation_id))

    async def attach(self, conversation_id, content, *, filename=""):
        if not content.startswith(b"\x89PNG"):
            raise ValidationFailed(f"{filename} is no png, jpeg, webp or gif")
        name = f"/storage/media/image_{len(self.media):012x}.png"
        self.media[name], self.owners[name] = content, conversation_id
        return Attachment(
            content=name, thumbnail=name, filename=filename, content_type="image/png", size_bytes=len(content)
        )

    async def open(self, name):
        return Media(content=self.media[name], content_type="image/png", filename=name.rpartition("/")[2])

    def _turn(self, row, **values):
        turn = Turn(conversation_id=row.id, created_at=datetime.datetime.now(datetime.UTC), **values)
        row.turns.append(turn)
        return turn

    async def say(self, conversation_id, *, text, attachments=None, parent_id=None):
        row = self._row(conversation_id)
        kept = [
            Attachment(content=name, thumbnail=name, content_type="image/png", size_bytes=len(self.media[name]))
            for name in attachments or []
        ]
        turn = self._turn(row, id=str(uuid.uuid4()), role="user", text=text, attachments=kept, parent_id=parent_id)
        row.title, row.active_turn_id = row.title or text[:40], turn.id
        self._changed(row)
        return turn.model_copy()

    async def reply(self, conversation_id, turn_id, *, id, provider, model, profile_id, options=None, activate=True):
        row = self._row(conversation_id)
        known = {"provider": provider, "model": model, "profile_id": profile_id}
        turn = self._turn(row, id=id, role="assistant", state="writing", parent_id=turn_id, **known)
        if activate:
            row.active_turn_id = turn.id
        self._changed(row)
        options, began = {**row.options, **(options or {})}, time.monotonic()
        try:
            deltas = self.bench.inner.chat.stream(messages=self._messages(row, turn_id), options=options, **known)
            async with contextlib.aclosing(deltas):
                async for delta in deltas:
                    self._heard(turn, delta, began)
                    yield delta
            turn.state = "complete"
        except (asyncio.CancelledError, GeneratorExit):
            turn.state = "stopped"
            raise
        except SpoonError as error:
            turn.state = "failed"
            turn.error = Trouble(code=error.code, message=error.message, retry_after_s=error.retry_after_s)
            raise
        finally:
            self._changed(row)

    def _heard(self, turn, delta, began):
        turn.duration_ms = (time.monotonic() - began) * 1000
        turn.first_token_ms = turn.first_token_ms or turn.duration_ms
        turn.text += delta.text
        turn.finish_reason = delta.finish_reason
        if delta.usage:
            turn.usage, turn.cost_usd = delta.usage, 0.0004

    def _messages(self, row, turn_id):
        turns, path = {turn.id: turn for turn in row.turns}, []
        while turn_id:
            path.insert(0, turns[turn_id])
            turn_id = path[0].parent_id
        system = [{"role": "system", "content": row.system}] if row.system else []
        return system + [{"role": turn.role, "content": turn.text} for turn in path if turn.text or turn.attachments]

    async def delete_turn(self, conversation_id, turn_id):
        row = self._row(conversation_id)
        gone = {turn_id}
        parent = next(turn.parent_id for turn in row.turns if turn.id == turn_id)
        for turn in row.turns:
            gone |= {turn.id} if turn.parent_id in gone else set()
        row.turns = [turn for turn in row.turns if turn.id not in gone]
        if row.active_turn_id in gone:
            row.active_turn_id = parent
            while below := [turn.id for turn in row.turns if turn.parent_id == row.active_turn_id]:
                row.active_turn_id = below[-1]
        self._changed(row)
        return row.model_copy(deep=True)


class Bench:
    """Stands in for `spoonkernel.open()`: `inner` on a thread's loop, and `start`."""

    def __init__(self, models=MODELS, file=None):
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="scripted", daemon=True)
        self._thread.start()
        self._listeners = []
        kept = Conversations(self, file)
        self.inner = SimpleNamespace(
            chat=Chat(),
            conversations=kept,
            media=kept,
            models=Models(list(models)),
            profiles=Profiles(),
            tasks=Tasks(self),
            results=Results(),
            events=self._events,
        )

    def start(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def close(self):
        self.start(self._cancel_all()).result(5)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)
        self.loop.close()

    async def _cancel_all(self):
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await self.loop.shutdown_asyncgens()

    def tell(self, event):
        """Any thread."""
        self.loop.call_soon_threadsafe(lambda: [queue.put_nowait(event) for queue in self._listeners])

    @contextlib.asynccontextmanager
    async def _events(self):
        queue = asyncio.Queue()
        self._listeners.append(queue)

        async def each():
            while True:
                yield await queue.get()

        try:
            yield each()
        finally:
            self._listeners.remove(queue)


class Ollama(BaseHTTPRequestHandler):
    """A server that talks as Ollama does, with one model, `parrot`: `with_url()` starts it on a free port."""

    @classmethod
    def with_url(cls):
        server = ThreadingHTTPServer(("127.0.0.1", 0), cls)
        threading.Thread(target=server.serve_forever, name="ollama", daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    def do_GET(self):
        self._send({"models": [{"name": "parrot", "model": "parrot", "size": 1000, "details": {}}], "version": "0.9.0"})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if "messages" not in asked:
            return self._send({"capabilities": ["completion", "vision"], "details": {}, "model_info": {}})
        last = asked["messages"][-1]
        text = f"You said: {last['content']}" + (f" with {len(last['images'])} picture" if last.get("images") else "")
        said = {"model": "parrot", "message": {"role": "assistant", "content": text}, "done": False}
        end = {"model": "parrot", "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}
        return self._send(said, end | {"prompt_eval_count": 12, "eval_count": 34})

    def _send(self, *objects):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"".join(json.dumps(one).encode() + b"\n" for one in objects))

    def log_message(self, *_):
        pass

"""A workbench that says what a test wrote down, on its own loop; read by the cells of the browser tests.

Its models' names say how they answer: `echo` repeats, `script` sends the text of `SCRIPT` in small pieces, `slow` sends
a word every 50 ms without end, `silent` never begins, `refuses` fails at once, `breaks` fails after some text.
"""

import asyncio
import contextlib
import datetime
import threading
from types import SimpleNamespace

from spoonkernel.errors import NotFound, ProviderConnectionError, RateLimited
from spoonkernel.types.base import Media
from spoonkernel.types.chat import Delta, Usage
from spoonkernel.types.events import TaskProgress, TaskStarted
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
        if len(self.requests) > 1:
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


class Bench:
    """Stands in for `spoonkernel.open()`: `inner` on a thread's loop, and `start`."""

    def __init__(self, models=MODELS):
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="scripted", daemon=True)
        self._thread.start()
        self._listeners = []
        self.inner = SimpleNamespace(
            chat=Chat(),
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

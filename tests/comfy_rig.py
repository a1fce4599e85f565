"""A whole workbench against the simulated ComfyUI, for tests of what happens between the two."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from comfy_graphs import graph
from engine_rig import until
from spoonkernel.config import Config
from spoonkernel.types.events import GenerationCreated
from spoonkernel.workbench import Workbench

PATIENCE_S = 20.0


class Bench:
    """One workbench, one session. `heard` is every event since it was opened."""

    def __init__(self, workbench, sim, session):
        self.workbench, self.sim, self.session = workbench, sim, session
        self.heard = []
        self._news = asyncio.Condition()

    async def submit(self, workflow=None, **fields):
        """A run of a graph, without which it is text to image in four steps of 64 px."""
        made = await self.workbench.workflows.create(
            name="W", profile_id=self.session.profile_id, workflow_json=workflow or graph()
        )
        given = {"prompt_text": "", "workflow_id": made.id} | fields
        return await self.workbench.sessions.generate(self.session.id, **given)

    async def ended(self, row, wait_s=PATIENCE_S):
        return await self.workbench.generations.get(row.id, wait_s=wait_s)

    async def run(self, workflow=None, **fields):
        return await self.ended(await self.submit(workflow, **fields))

    def of(self, row, *kinds):
        """The events of a generation, or those of these kinds."""
        mine = [event for event in self.heard if _about(event) == row.id]
        return [event for event in mine if not kinds or isinstance(event, kinds)]

    async def hears(self, row, kind):
        """The first event of this kind about a generation, once it was heard."""
        async with asyncio.timeout(PATIENCE_S), self._news:
            await self._news.wait_for(lambda: self.of(row, kind))
        return self.of(row, kind)[0]

    async def listen(self, events):
        async for event in events:
            async with self._news:
                self.heard.append(event)
                self._news.notify_all()

    async def running(self, row):
        """Wait until the server runs it."""
        await until(lambda: _is(self.sim.queue.running and self.sim.queue.running.prompt_id == row.prompt_id))

    async def shown(self, count=1):
        """Wait until so many sockets are open at the server."""
        await until(lambda: _is(self.sim.sockets == count))


async def _is(condition):
    return condition


def _about(event):
    return event.generation.id if isinstance(event, GenerationCreated) else getattr(event, "generation_id", None)


@asynccontextmanager
async def bench(folder, sim, *, url=None, **settings) -> AsyncIterator[Bench]:
    """A workbench on a data folder; a second one of the same folder shares its profile and session."""
    config = Config(data_dir=folder, comfyui_url=url or sim.url, stop_deadline_s=0, **settings)
    async with Workbench(config) as workbench, workbench.events() as events:
        sessions = await workbench.sessions.list()
        opened = Bench(workbench, sim, sessions[0] if sessions else await workbench.sessions.create(title="S"))
        listening = asyncio.create_task(opened.listen(events))
        try:
            yield opened
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening


async def foreign(sim, *, client_id=None, workflow=None, **inputs):
    """Somebody else's prompt; its id."""
    body = {"prompt": workflow or graph(**inputs)} | ({"client_id": client_id} if client_id else {})
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        return (await client.post(f"{sim.url}/prompt", json=body)).json()["prompt_id"]


async def post(sim, path, body):
    """What another user of the server does."""
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        assert (await client.post(f"{sim.url}{path}", json=body)).status_code == 200


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


PICTURE = {"1": node("EmptyImage", width=16, height=16, batch_size=1, color=7)}
"""A picture without a sampler: node 1."""


class Relay:
    """A way to the server on which sockets can fall silent, as when a cable is pulled. `url` is its address.

    While `answers` is not set, whoever submits a prompt waits for the answer.
    """

    def __init__(self, sim):
        self._host, self._port = "127.0.0.1", int(sim.url.rpartition(":")[2])
        self._flow, self.answers = _set(), _set()
        self._work = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    def silence(self):
        """From now on the sockets that are open carry nothing more, in neither direction; new ones do."""
        self._flow.clear()
        self._flow = _set()

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._work.add(task)
        server_reader, server_writer = await asyncio.open_connection(self._host, self._port)
        first = await reader.read(65536)
        gates = [self._flow if first.startswith(b"GET /ws") else _set()] * 2  # of what goes there, and what comes back
        self._mind(first, gates)
        server_writer.write(first)
        try:
            await asyncio.gather(
                self._carry(reader, server_writer, gates, 0), self._carry(server_reader, writer, gates, 1)
            )
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            server_writer.close()
            self._work.discard(task)

    async def _carry(self, reader, writer, gates, way):
        while data := await reader.read(65536):
            await gates[way].wait()
            if way == 0:
                self._mind(data, gates)
            writer.write(data)
            await writer.drain()
        writer.close()

    def _mind(self, data, gates):
        if data.startswith(b"POST /prompt"):
            gates[1] = self.answers


def _set():
    event = asyncio.Event()
    event.set()
    return event

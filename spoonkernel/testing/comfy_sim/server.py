"""The simulated server as programs use it.

async with SimulatedComfyUI() as sim:
    ...                          # a client, pointed at sim.url
    assert sim.submissions       # what it has submitted
    await sim.die()              # and now the server is gone
    await sim.restart()          # and back: empty queue, no history, numbers from 0
"""

import tempfile
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

from spoonkernel.testing.comfy_sim.catalog import Catalog
from spoonkernel.testing.comfy_sim.faults import Faults
from spoonkernel.testing.comfy_sim.files import Files
from spoonkernel.testing.comfy_sim.pictures import landscape, png
from spoonkernel.testing.comfy_sim.queue import PromptQueue
from spoonkernel.testing.comfy_sim.routes import application
from spoonkernel.testing.comfy_sim.world import World

EXAMPLE_PX = 256


class SimulatedComfyUI:
    """A ComfyUI on a port of this machine, as an `async with` block.

    Args:
        port: where to listen; 0 takes a free one, which a restart keeps.
        version: "0.3.64", or "0.38.1" with jobs, assets and UUIDs as prompt ids.
        seconds_per_step: how long a step of a sampler takes; 0 is as fast as it goes.
        folder: where `output`, `input` and `temp` lie; without it they are temporary.
        previews: whether samplers send previews (`--preview-method` of the real one).

    Attributes:
        submissions: prompt ids in the order of their acceptance, also those before a restart.
        executed: prompt ids that began to run, in order; one that was deleted while it waited is not among them.
        requests: how often each route was called: `POST /prompt`, `GET /history/{prompt_id}` (never with `/api`).
        model_bytes: file name -> a few bytes that stand for its weights. They go into pictures when a loader runs (a
            loader whose result is cached does not, as there) and at once into hashes.
        models: folder -> file names, as `/models` and `/object_info` list them.
        faults: delays and the like; the methods below set most of them.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        version: str = "0.3.64",
        seconds_per_step: float = 0.0,
        folder: Path | None = None,
        previews: bool = True,
    ) -> None:
        self.version, self.seconds_per_step = version, seconds_per_step
        self.submissions: list[str] = []
        self.executed: list[str] = []
        self.requests: Counter[str] = Counter()
        self.faults = Faults()
        self._host, self._port, self._previews = host, port, previews
        self._temporary = None if folder else tempfile.TemporaryDirectory(prefix="comfy-sim-")
        self.files = Files(folder or Path(self._temporary.name if self._temporary else "."))
        self._catalog = Catalog(self.files.inputs)
        self.models = self._catalog.models
        self.model_bytes = {
            name: f"simulated weights of {name}".encode() for names in self.models.values() for name in names
        }
        self._world: World | None = None

    async def __aenter__(self) -> Self:
        try:
            await self.restart()
        except BaseException:
            self._forget_folder()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.die()
        self._forget_folder()

    @property
    def url(self) -> str:
        """Where it answers, without a slash at the end."""
        return f"http://[{self._host}]:{self._port}" if ":" in self._host else f"http://{self._host}:{self._port}"

    @property
    def sockets(self) -> int:
        """How many sockets are open, deaf ones with them."""
        return len(self._world.sockets.open) if self._world else 0

    @property
    def queue(self) -> PromptQueue:
        """What waits, runs and has run in this life of the server."""
        return self._alive.queue

    @property
    def _alive(self) -> World:
        if self._world is None:
            raise RuntimeError("the simulated server is dead: call restart() first")
        return self._world

    async def restart(self) -> None:
        """Come (back) to life on the same port, with nothing in queue, history and cache."""
        await self.die()
        self.files.prepare()
        self._leave_example()
        world = World(
            version=self.version,
            files=self.files,
            catalog=self._catalog,
            faults=self.faults,
            model_bytes=self.model_bytes,
            seconds_per_step=lambda: self.seconds_per_step,
            previews=self._previews,
            started=self.executed.append,
            submitted=self.submissions.append,
        )
        self._port = await world.open(application(world, self.requests), self._host, self._port)
        self._world = world

    async def die(self) -> None:
        """Be gone from one moment to the next: connections are cut, and new ones are refused."""
        world, self._world = self._world, None
        if world:
            await world.close()

    async def drop_sockets(self, *, half_open: bool = False) -> None:
        """Cut every socket without a closing frame. With `half_open` they stay, and nothing more comes through them."""
        sockets = self._alive.sockets
        if half_open:
            sockets.muted.update(sockets.open)
            return
        for transport in list(sockets.open.values()):
            if transport:
                transport.abort()

    def refuse(self, status: int = 503, *, connection: bool = False) -> None:
        """Answer every request with a status, or with a closed connection, until `accept`."""
        self.faults.refusal = 0 if connection else status

    def accept(self) -> None:
        """Answer requests again."""
        self.faults.refusal = None

    def lose_answers(self, count: int = 1) -> None:
        """The next submissions are accepted, and then their connection is cut before the answer."""
        self.faults.lost_answers = count

    def freeze(self, *, answers: bool = False) -> None:
        """Stop whatever runs, where it is; with `answers` no request is answered either. `thaw` goes on."""
        self.faults.freeze(answers=answers)

    def thaw(self) -> None:
        """Go on after `freeze`."""
        self.faults.thaw()

    def break_node(
        self, class_type: str, message: str = "simulated failure", exception_type: str = "RuntimeError"
    ) -> None:
        """Nodes of this class raise when they run, until `mend_nodes`."""
        self.faults.break_node(class_type, message, exception_type)

    def mend_nodes(self) -> None:
        """Nodes run as ever."""
        self.faults.mend_nodes()

    def delete_pending(self, prompt_id: str) -> bool:
        """Take a waiting prompt out as another user of the server would: no event, no history. Whether it waited."""
        return self.queue.remove(prompt_id)

    def _leave_example(self) -> None:
        example = self.files.root / "input" / "example.png"
        if not example.exists():
            example.write_bytes(png(landscape("example", EXAMPLE_PX, EXAMPLE_PX, {"text": "example"})))

    def _forget_folder(self) -> None:
        if self._temporary:
            self._temporary.cleanup()

"""Generations: a burst of trivial prompts, watching many that run, and memory over many that ended.

The ComfyUI is the simulated one in a process of its own: as fast as it goes, which is faster than any real one, and at
the pace at which a real 0.3.64 on a CPU ran such prompts (`tests/recordings/comfyui/transcripts/22_history_race.json`:
3.7 ms from the POST to the end). The baseline in the same run is a bare
aiohttp client on the same server: it submits 8 at once, hears of the ends on one socket, then reads each one's history
and downloads its picture, and keeps nothing. Spoon does the same and stores rows, files and hashes, and tells events;
its time is that until the last row is complete. Thumbnails follow once nothing arrives: what they take is told apart.
"""

import argparse
import asyncio
import contextlib
import json
import random
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from processes import free_port, process

sys.path.insert(0, str(Path(__file__).parents[1]))

from spoonkernel.config import Config
from spoonkernel.media.thumbnails import QUIET_S
from spoonkernel.types.events import AnyEvent, GenerationCompleted, GenerationFailed
from spoonkernel.types.generations import Generation
from spoonkernel.workbench import Workbench

SIDE_BY_SIDE = 8
DEADLINE_S = 600.0
PREFIX = "bench"
REAL_S = 0.0037


def graph(number: int) -> dict[str, Any]:
    """A picture of one colour: no sampler, 64 px."""
    return {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": number}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": PREFIX}},
    }


def slow_graph() -> dict[str, Any]:
    """One that runs for as long as the server lets it: for watching."""
    return {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd_v1-5.safetensors"}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "x", "clip": ["1", 1]}},
        "3": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        "4": {
            "class_type": "KSampler",
            "inputs": {
                "model": ["1", 0],
                "positive": ["2", 0],
                "negative": ["2", 0],
                "latent_image": ["3", 0],
                "seed": 0,
                "steps": 10_000,
                "cfg": 1.0,
                "sampler_name": "euler",
                "scheduler": "normal",
                "denoise": 1.0,
            },
        },
        "5": {"class_type": "VAEDecode", "inputs": {"samples": ["4", 0], "vae": ["1", 2]}},
        "6": {"class_type": "SaveImage", "inputs": {"images": ["5", 0], "filename_prefix": PREFIX}},
    }


class Bare:
    """What somebody would write who needs only the pictures of one burst."""

    def __init__(self, url: str, http: aiohttp.ClientSession, ws: aiohttp.ClientWebSocketResponse) -> None:
        self._url, self._http, self._ws = url, http, ws
        self._ended: asyncio.Queue[str] = asyncio.Queue()
        self._left = 0
        self._done = asyncio.Event()

    async def listen(self) -> None:
        async for message in self._ws:
            if message.type is aiohttp.WSMsgType.TEXT:
                frame = json.loads(message.data)
                if frame["type"] == "executing" and frame["data"]["node"] is None:
                    self._ended.put_nowait(frame["data"]["prompt_id"])

    async def submit(self, numbers: Iterator[int], client_id: str) -> None:
        for number in numbers:
            self._left += 1
            body = {"prompt": graph(number), "client_id": client_id, "prompt_id": str(uuid.uuid4())}
            async with self._http.post(f"{self._url}/prompt", json=body) as answer:
                answer.raise_for_status()

    async def fetch(self) -> None:
        while True:
            prompt_id = await self._ended.get()
            async with self._http.get(f"{self._url}/history/{prompt_id}") as answer:
                outputs = (await answer.json())[prompt_id]["outputs"]
            for file in (file for node in outputs.values() for file in node["images"]):
                async with self._http.get(f"{self._url}/view", params=file) as answer:
                    await answer.read()
            self._left -= 1
            self._done.set()

    async def all_fetched(self) -> None:
        while self._left:
            self._done.clear()
            await self._done.wait()


async def bare(url: str, numbers: Iterable[int]) -> float:
    """Seconds of a bare client."""
    client_id, left = str(uuid.uuid4()), iter(numbers)
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{url}/ws?clientId={client_id}") as ws:
        client = Bare(url, http, ws)
        began = time.perf_counter()
        loops = [asyncio.create_task(client.listen()), *(asyncio.create_task(client.fetch()) for _ in range(4))]
        await asyncio.gather(*(client.submit(left, client_id) for _ in range(SIDE_BY_SIDE)))
        await client.all_fetched()
        seconds = time.perf_counter() - began
        for task in loops:
            task.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        return seconds


class Bench:
    """A workbench with a session and a workflow to run."""

    def __init__(self, workbench: Workbench, session_id: str, workflow_id: str) -> None:
        self.workbench, self._session_id, self._workflow_id = workbench, session_id, workflow_id
        self._ended = 0
        self._heard = asyncio.Event()

    async def hear(self, events: AsyncIterator[AnyEvent]) -> None:
        """Count the ends."""
        async for event in events:
            if isinstance(event, GenerationFailed):
                raise RuntimeError(f"a generation failed: {event.error}")  # noqa: TRY004  # an outcome, not a type
            if isinstance(event, GenerationCompleted):
                self._ended += 1
                self._heard.set()

    async def submit(self, parameters: Iterable[dict[str, Any]]) -> list[str]:
        left, ids = iter(parameters), list[str]()

        async def caller() -> None:
            for values in left:
                made: Generation = await self.workbench.sessions.generate(
                    self._session_id, prompt_text="", workflow_id=self._workflow_id, parameters=values
                )
                ids.append(made.id)

        await asyncio.gather(*(caller() for _ in range(SIDE_BY_SIDE)))
        return ids

    async def thumbnails(self) -> float:
        """Wait until there are all thumbnails; returns the seconds of CPU that they took."""
        cpu = time.process_time()
        await asyncio.sleep(QUIET_S)
        await self.workbench.media.make_thumbnails()
        return time.process_time() - cpu

    async def all_ended(self, count: int) -> None:
        """Wait until so many generations have ended."""
        async with asyncio.timeout(DEADLINE_S):
            while self._ended < count:
                self._heard.clear()
                await self._heard.wait()


@contextlib.asynccontextmanager
async def bench(url: str, workflow: dict[str, Any]) -> AsyncIterator[Bench]:
    with tempfile.TemporaryDirectory() as data:
        async with Workbench(Config(data_dir=Path(data), comfyui_url=url)) as workbench:
            session = await workbench.sessions.create(title="bench")
            kept = await workbench.workflows.create(name="bench", workflow_json=workflow)
            spoon = Bench(workbench, session.id, kept.id)
            async with workbench.events() as events:
                hearing = asyncio.create_task(spoon.hear(events))
                yield spoon
                hearing.cancel()
                await asyncio.gather(hearing, return_exceptions=True)


def colours(count: int) -> list[int]:
    return random.sample(range(0xFFFFFF), count)


async def burst(url: str, count: int, rounds: int, pace: str) -> None:
    """The same number of prompts through both, in turns; the best of the rounds counts, for both."""
    bares, spoons, cpus, later = [], [], [], []
    async with bench(url, graph(0)) as spoon:
        done = 0
        for _ in range(rounds):
            bares.append(await bare(url, colours(count)))
            began, cpu = time.perf_counter(), time.process_time()
            await spoon.submit({"1.color": colour} for colour in colours(count))
            done += count
            await spoon.all_ended(done)
            spoons.append(time.perf_counter() - began)
            cpus.append((time.process_time() - cpu) / count * 1000)
            later.append(await spoon.thumbnails() / count * 1000)
    print(
        f"burst of {count}, {pace}: bare client {min(bares):.2f} s ({count / min(bares):.0f}/s), "
        f"Spoon {min(spoons):.2f} s ({count / min(spoons):.0f}/s): {min(spoons) / min(bares):.2f} times "
        f"(median {statistics.median(spoons) / statistics.median(bares):.2f}); {min(cpus):.1f} ms of CPU each, "
        f"and {min(later):.1f} ms for its thumbnail afterwards"
    )


async def watching(url: str, count: int) -> None:
    """Memory and sockets while so many are under way."""
    me = psutil.Process()
    async with bench(url, slow_graph()) as spoon:
        await spoon.submit({"4.seed": seed} for seed in range(2))
        before = me.memory_info().rss
        await spoon.submit({"4.seed": seed} for seed in range(2, count))
        cpu = me.cpu_times()
        await asyncio.sleep(10)
        now = me.cpu_times()
        port = int(url.rpartition(":")[2])
        mine = [one for one in me.net_connections("tcp") if one.raddr and one.raddr.port == port]
        print(
            f"watching {count}: {(me.memory_info().rss - before) / 2**20:.0f} MB more, one socket and "
            f"{len(mine) - 1} kept HTTP connections, "
            f"{(now.user + now.system - cpu.user - cpu.system) * 10:.1f} % of a core"
        )


async def endurance(url: str, count: int) -> None:
    """Memory over many generations: ten readings."""
    me, readings = psutil.Process(), list[float]()
    async with bench(url, graph(0)) as spoon:
        for step in range(10):
            part = colours(count // 10)
            await spoon.submit({"1.color": colour} for colour in part)
            await spoon.all_ended((step + 1) * len(part))
            readings.append(me.memory_info().rss / 2**20)
    print(f"{count} generations, MB after each tenth: {' '.join(f'{one:.0f}' for one in readings)}")


@contextlib.contextmanager
def simulated(*, per_step_s: float = 0.0, per_prompt_s: float = 0.0) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "spoonkernel.cli", "comfy-sim", "--port", str(port)]
    command += ["--seconds-per-step", str(per_step_s), "--seconds-per-prompt", str(per_prompt_s)]
    with process(command, f"{url}/prompt"):
        yield url


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--burst", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--watch", type=int, default=1_000)
    parser.add_argument("--endure", type=int, default=10_000)
    options = parser.parse_args()
    with simulated() as url:
        asyncio.run(burst(url, options.burst, options.rounds, "as fast as it goes"))
    with simulated(per_prompt_s=REAL_S) as url:
        asyncio.run(burst(url, options.burst, options.rounds, f"{REAL_S * 1000:.1f} ms each"))
    with simulated(per_step_s=60) as url:  # runs that do not end
        asyncio.run(watching(url, options.watch))
    with simulated() as url:
        asyncio.run(endurance(url, options.endure))


if __name__ == "__main__":
    main()

"""How much of a bare relay's throughput is left with everything that Spoon does for a chat.

Three targets answer the same conversation in one run: the fake provider itself, a bare FastAPI + httpx-aiohttp relay,
and `spoon serve` through a profile with an encrypted key, each with 1, 32 and 128 clients, whole and streamed. The
targets take turns within each round, so that a busy machine hits all of them alike.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from processes import app, spoon

MESSAGES = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "What is the capital of France?"}]


@dataclass(frozen=True)
class Target:
    name: str
    url: str
    body: dict[str, object]


@dataclass(frozen=True)
class Figure:
    per_second: float
    p50_ms: float
    p95_ms: float


async def load(target: Target, path: str, clients: int, seconds: float) -> Figure:
    """`clients` ask one after the other for `seconds`; each answer must hold the last word of the fake provider."""
    latencies: list[float] = []
    connector = aiohttp.TCPConnector(limit=clients)
    async with aiohttp.ClientSession(connector=connector) as session:
        end = time.perf_counter() + seconds

        async def client() -> None:
            while (started := time.perf_counter()) < end:
                async with session.post(target.url + path, json=target.body) as answer:
                    content = await answer.read()
                assert answer.status == 200, content
                assert b"word15" in content
                latencies.append(time.perf_counter() - started)

        began = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(clients)))
        took = time.perf_counter() - began
    ordered = sorted(latencies)
    return Figure(len(ordered) / took, statistics.median(ordered) * 1e3, ordered[int(len(ordered) * 0.95)] * 1e3)


def add_profile(server: str, upstream: str) -> str:
    body = {"name": "bench", "type": "text", "provider": "openai", "apiKey": "sk-bench-0123456789", "url": upstream}
    request = urllib.request.Request(
        f"{server}/api/profiles", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        return str(json.load(answer)["data"]["id"])


def median(figures: list[Figure]) -> Figure:
    return Figure(
        *(statistics.median(getattr(f, name) for f in figures) for name in ("per_second", "p50_ms", "p95_ms"))
    )


async def measure(targets: list[Target], streamed: bool, clients: int, seconds: float, rounds: int) -> None:
    figures: dict[str, list[Figure]] = {target.name: [] for target in targets}
    for target in targets:  # connections, caches and code paths get warm
        await load(target, _path(target, streamed), clients, 0.5)
    for _ in range(rounds):
        for target in targets:
            figures[target.name].append(await load(target, _path(target, streamed), clients, seconds))
    middle = {name: median(found) for name, found in figures.items()}
    bare = middle["bare relay"]
    for name, figure in middle.items():
        print(
            f"{'stream' if streamed else 'whole':7}{clients:4} clients  {name:11}{figure.per_second:8.0f}/s"
            f"  p50 {figure.p50_ms:7.2f} ms  p95 {figure.p95_ms:7.2f} ms"
            f"  {figure.per_second / bare.per_second:6.0%} of the bare relay  {figure.p50_ms - bare.p50_ms:+.2f} ms p50"
        )


def _path(target: Target, streamed: bool) -> str:
    if target.name == "upstream":
        return "/v1/chat/completions"
    return "/api/chat/stream" if streamed else "/api/chat"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, nargs="*", default=[1, 32, 128])
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as data,
        app("fakes:upstream") as upstream,
        app("fakes:relay", BENCH_UPSTREAM=upstream) as bare,
        spoon(Path(data)) as (server, _, _),
    ):
        profile = add_profile(server, f"{upstream}/v1")
        for streamed in (False, True):
            conversation = {"provider": "openai", "model": "m", "messages": MESSAGES}
            targets = [
                Target("upstream", upstream, conversation | {"stream": streamed}),
                Target("bare relay", bare, conversation),
                Target("spoon", server, conversation | {"profileId": profile}),
            ]
            for clients in options.clients:
                asyncio.run(measure(targets, streamed, clients, options.seconds, options.rounds))


if __name__ == "__main__":
    main()

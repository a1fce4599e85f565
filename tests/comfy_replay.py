"""Plays a recorded session against a server: the same requests at the same points of the same runs.

A request that was made while something ran is made here while it runs: the simulation is frozen there, so that nothing
depends on the speed of this machine.
"""

import asyncio
import json
from typing import Any

import aiohttp

from comfy_recordings import Hearing, Token, history, rebuilt, refusal, tokens, txt2img
from spoonkernel.testing.comfy_sim import SimulatedComfyUI

PATIENCE_S = 10.0
STEP_S = 0.02  # while a request is to be made in the middle of a run
MODELS = {"tiny_lora": "tiny_lora", "example": "example"}


class Ear:
    """One socket: everything that it hears, and everything that it is to hear."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, sim: SimulatedComfyUI) -> None:
        self._socket, self._sim = socket, sim
        self.heard: list[str | bytes] = []
        self._hearing = Hearing(statuses=False)
        self.recorded: list[dict[str, Any]] = []
        self._wanted, self._freeze, self._reached = 0, False, asyncio.Event()
        self.task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for message in self._socket:
            self.heard.append(message.data)
            self._hearing.hear(message.data)
            self._look()

    def _look(self) -> None:
        if len(self._hearing.tokens) >= self._wanted:
            if self._freeze:
                self._sim.freeze()
            self._reached.set()

    async def catch_up(self, *, freeze: bool) -> None:
        """Wait until as much is heard as was recorded; with `freeze` the simulation stops at that point."""
        self._wanted, self._freeze = len(tokens(self.recorded, statuses=False)), freeze
        self._reached.clear()
        self._look()
        async with asyncio.timeout(PATIENCE_S):
            await self._reached.wait()
        self._freeze = False

    async def close(self, *, abort: bool = False) -> None:
        if abort:
            transport = self._socket.get_extra_info("socket")
            assert transport is not None
            self._socket._response.connection.transport.abort()  # no closing frame
        else:
            await self._socket.close()
        await asyncio.gather(self.task, return_exceptions=True)


class Replay:
    """One recording against one simulation. `differences` is empty when both said the same."""

    def __init__(self, recording: dict[str, Any], sim: SimulatedComfyUI, http: aiohttp.ClientSession) -> None:
        self._recording, self._sim, self._http = recording, sim, http
        self._events: list[dict[str, Any]] = recording["events"]
        self._ears: dict[str, Ear] = {}
        self._all: list[tuple[str, Ear]] = []
        self._ids: dict[str, str] = {}
        self._graph: dict[str, Any] | None = None
        self._seed = 1_000
        self.differences: list[str] = []

    async def play(self, *, statuses: bool) -> list[str]:
        """Everything from the first to the last event; returns the differences."""
        await self._warm_up()
        await self._open_earlier()
        for place, event in enumerate(self._events):
            if event["kind"] in {"ws_text", "ws_binary"}:
                told = event["msg"] if event["kind"] == "ws_text" else event["bin"]
                self._ears[event["who"]].recorded.append(told)
            elif event["kind"] != "ws_closed":
                await self._act(place, event)
        self._sim.thaw()
        for ear in self._ears.values():
            await ear.catch_up(freeze=False)
            await ear.close()
        for who, ear in self._all:
            self._compare(who, tokens(ear.recorded, statuses=statuses), self._translated(ear, statuses))
        return self.differences

    async def _act(self, place: int, event: dict[str, Any]) -> None:
        middle = self._in_the_middle(place)
        ahead = range(place, len(self._events))
        later = any(self._in_the_middle(number) or self._running_node(number) for number in ahead)
        self._sim.seconds_per_step = STEP_S if later else 0
        self._sim.thaw()
        for ear in self._ears.values():
            await ear.catch_up(freeze=middle)
        await self._settle(event)
        match event["kind"]:
            case "ws_open":
                await self._open(place, event)
            case "ws_send":
                await self._ears[event["who"]]._socket.send_json(event["msg"])  # our own
            case "ws_close_by_client" | "tcp_abort_by_client":
                open_before = self._sim.sockets
                await self._ears.pop(event["who"]).close(abort=event["kind"] == "tcp_abort_by_client")
                await until(lambda: self._sim.sockets < open_before)
            case "http" if "req" in event:
                await self._request(event)
            case "mark" if event["text"] == "SIGTERM sent":
                await self._sim.die()
            case "mark" if event["text"] == "restarted":
                await self._sim.restart()

    async def _settle(self, event: dict[str, Any]) -> None:
        """What the recording had waited for and no socket tells: that a run is in the history, that all is done."""
        asked = event.get("req", {}).get("path", "")
        if asked.startswith("/history/") and event["resp"]:
            ours = self._ids.get(asked.removeprefix("/history/"), "")
            await until(lambda: ours in self._sim.queue.history)
        if event["kind"] == "ws_open" and not self._in_the_middle(self._events.index(event)) and not self._ears:
            first = next(
                e["msg"]
                for e in self._events[self._events.index(event) :]
                if e["who"] == event["who"] and e["kind"] == "ws_text"
            )
            if not first["data"]["status"]["exec_info"]["queue_remaining"]:
                await until(lambda: self._sim.queue.remaining == 0)

    async def _open(self, place: int, event: dict[str, Any]) -> None:
        if node := self._running_node(place):
            await until(lambda: self._sim._alive.sockets.last_node_id == node)
            self._sim.freeze()
        path = f"/ws?clientId={event['clientId']}" if event["clientId"] else "/ws"
        ear = Ear(await self._http.ws_connect(path, max_msg_size=0), self._sim)
        self._ears[event["who"]] = ear
        self._all.append((event["who"], ear))
        await until(lambda: bool(ear.heard))

    def _running_node(self, place: int) -> str | None:
        """The node in whose middle a socket was opened: it is told right after the first status."""
        opened = self._events[place] if place < len(self._events) else {}
        if opened.get("kind") != "ws_open":
            return None
        heard = [e["msg"] for e in self._events[place:] if e["who"] == opened["who"] and e["kind"] == "ws_text"][:2]
        return heard[1]["data"]["node"] if len(heard) == 2 and heard[1]["type"] == "executing" else None

    async def _open_earlier(self) -> None:
        """Sockets that an earlier recording has opened; what they hear at their opening is not part of this one."""
        opened = {event["who"] for event in self._events if event["kind"] == "ws_open"}
        for who in {event["who"] for event in self._events if event["kind"] == "ws_text"} - opened:
            client = next(e["req"]["body"]["client_id"] for e in self._events if e["kind"] == "http")
            await self._open(len(self._events), {"who": who, "clientId": client})
            self._ears[who].heard.clear()

    def _in_the_middle(self, place: int) -> bool:
        """Whether a prompt had begun and not ended when something was done at this place of the recording."""
        if self._events[place]["kind"] in {"ws_text", "ws_binary", "ws_closed", "case"}:
            return False
        return bool(self._running(self._events[:place]) & self._running(self._events[place:], after=True))

    @staticmethod
    def _running(events: list[dict[str, Any]], *, after: bool = False) -> set[str]:
        said = [event["msg"] for event in events if event["kind"] == "ws_text"]
        steps = {"progress", "progress_state", "executing", "execution_interrupted"}
        found = {m["data"]["prompt_id"] for m in said if m["type"] in steps and "prompt_id" in m["data"]}
        ended = {m["data"]["prompt_id"] for m in said if m["type"] == "executing" and m["data"]["node"] is None}
        return found if after else found - ended

    async def _warm_up(self) -> None:
        """Bring the cache to where the recorded one was: run the nodes that were cached, and no others."""
        told = next((e["msg"]["data"] for e in self._events if _is(e, "execution_cached")), None)
        wanted = told["prompt_id"] if told else None
        post = next((e for e in self._events if _posted(e) and wanted in {None, _posted(e)}), None)
        cached = told["nodes"] if told else ["4", "5", "6", "7"]  # what was cached of each such graph by then
        if post is None or not set(cached) <= set(self._graph_of(post)):
            return
        graph = {node_id: self._graph_of(post)[node_id] for node_id in cached}
        self._graph, self._seed = None, 1_000
        if not graph:
            return
        for node_id in cached:
            if not graph[node_id]["class_type"].startswith(("Save", "Preview")):
                graph[f"w{node_id}"] = {"class_type": "PreviewAny", "inputs": {"source": [node_id, 0]}}
        async with self._http.post("/prompt", json={"prompt": graph}) as answer:
            assert answer.status == 200, await answer.text()
        await until(lambda: self._sim.queue.remaining == 0)

    def _graph_of(self, event: dict[str, Any]) -> dict[str, Any]:
        named = event["req"]["body"]["prompt"].strip("<>")
        self._seed += 1
        if named in self._recording["graphs"]:
            self._graph = self._recording["graphs"][named]
        elif self._recording["name"].startswith("15") and named.startswith("post 4"):
            self._graph = txt2img(self._seed) | {"5": SIXTEEN_CHANNELS}
            self._graph["8"] = {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["4", 2]}}
        else:
            self._graph = rebuilt(event["resp"].get("prompt_id", ""), self._events, self._seed, self._graph)
        return self._graph

    async def _request(self, event: dict[str, Any]) -> None:
        asked = event["req"]
        body, path = asked.get("body"), asked["path"]
        for recorded, ours in self._ids.items():
            path = path.replace(recorded, ours)
        if isinstance(body, dict):
            body = json.loads(json.dumps(body))
            if isinstance(body.get("prompt"), str) and body["prompt"].startswith("<"):
                body["prompt"] = self._graph_of(event)
            body = json.loads(_renamed(json.dumps(body), self._ids))
        options = {"data": "{bad json"} if body == "{bad json" else {} if body is None else {"json": body}
        if body == "prompt is a list":
            options = {"json": {"prompt": [1]}}
        if isinstance(body, str) and body.startswith("UI-format"):
            options = {"json": {"prompt": {"nodes": [], "links": [], "version": 0.4}}}
        async with self._http.request(asked["method"], path, **options) as answer:
            text = await answer.text()
            if answer.status != event["status"]:
                self.differences.append(f"{asked}: {answer.status} {text[:200]}, recorded was {event['status']}")
                return
        got = json.loads(text) if text.startswith(("{", "[")) else text
        if (
            path == "/prompt"
            and isinstance(event["resp"], dict)
            and event["status"] == 200
            and asked["method"] == "POST"
        ):
            self._ids[event["resp"]["prompt_id"]] = got["prompt_id"]
        self._compare(f"{asked['method']} {path}", _counted(path, event["resp"]), _counted(path, got))

    def _translated(self, ear: Ear, statuses: bool) -> list[Token]:
        ours = {sim: recorded for recorded, sim in self._ids.items()}
        heard = [_renamed(one, ours) if isinstance(one, str) else one for one in ear.heard]
        return tokens(heard, statuses=statuses)

    def _compare(self, what: str, recorded: Any, ours: Any) -> None:
        if recorded != ours:
            if isinstance(recorded, list) and isinstance(ours, list):
                place = next((n for n, (a, b) in enumerate(zip(recorded, ours, strict=False)) if a != b), None)
                place = min(len(recorded), len(ours)) if place is None else place
                recorded, ours = (place, recorded[place : place + 3]), (place, ours[place : place + 3])
            self.differences.append(f"{what}:\n  recorded {recorded}\n  ours     {ours}")


SIXTEEN_CHANNELS = {"class_type": "EmptySD3LatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}}


async def until(condition: Any) -> None:
    """Wait for something that a loop in the same process brings about."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # the condition is the simulation's own state
            await asyncio.sleep(0.001)


def _is(event: dict[str, Any], kind: str) -> bool:
    return event["kind"] == "ws_text" and event["msg"]["type"] == kind


def _posted(event: dict[str, Any]) -> str | None:
    if event["kind"] == "http" and event.get("req", {}).get("path") == "/prompt" and event["status"] == 200:
        return event["resp"].get("prompt_id")
    return None


def _renamed(text: str, names: dict[str, str]) -> str:
    for old, new in names.items():
        text = text.replace(old, new)
    return text


def _counted(path: str, body: Any) -> Any:
    """What counts of an answer."""
    if isinstance(body, str) and body.startswith("{"):
        body = json.loads(body)
    if not isinstance(body, dict):
        return None
    if "node_errors" in body:
        return refusal(body)
    if path.startswith("/history"):
        return [history(entry) for entry in body.values()]
    if "queue_running" in body:
        return {name: [len(item) for item in items] for name, items in body.items()}
    return body

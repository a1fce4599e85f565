"""The bus between processes: Redis (or Valkey) publish/subscribe, as JSON.

The own process hears its events at once and directly, so a Redis that is away costs only the other processes' hints.
"""

import asyncio
import json
import logging
import uuid
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Self

from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from spoonkernel.bus import Hint
from spoonkernel.bus.memory import BUFFER, MemoryBus
from spoonkernel.types.events import Event, parse_event

RECONNECT_S = 1.0
READ_TIMEOUT_S = 5.0  # how long one read waits; silence is normal
OUTBOX = 10_000
BATCH = 100  # messages in one round trip

log = logging.getLogger(__name__)


class RedisBus:
    """Delivers to this process and, through Redis, to every other one that names the same database of it."""

    def __init__(self, url: str, buffer: int = BUFFER) -> None:
        self._url = url
        self._local = MemoryBus(buffer)
        self._outbox: deque[dict[str, Any]] = deque(maxlen=OUTBOX)
        self._posted = asyncio.Event()
        self._sent = asyncio.Event()
        self._sent.set()
        self._online = asyncio.Event()
        self._origin = uuid.uuid4().hex
        self._work: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Returns at once; the connection is made, and made again, in the background."""
        self._redis = Redis.from_url(self._url, socket_connect_timeout=5, health_check_interval=15)
        # Publish/subscribe ignores the number of the database, so the channel's name carries it.
        self._channel = f"spoon:{self._redis.connection_pool.connection_kwargs.get('db') or 0}:events"
        self._work = [asyncio.create_task(self._listen()), asyncio.create_task(self._send())]
        return self

    async def __aexit__(self, *_: object) -> None:
        with suppress(TimeoutError):  # what was just published may still go out
            async with asyncio.timeout(1 if self.connected else 0):
                await self._sent.wait()
        for work in self._work:
            work.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        await self._local.__aexit__()
        with suppress(RedisError, OSError):
            await self._redis.aclose()

    @property
    def connected(self) -> bool:
        return self._online.is_set()

    async def wait_connected(self, timeout_s: float) -> bool:
        """Whether the subscription stands, waiting up to `timeout_s` seconds for it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._online.wait()
        return self.connected

    @property
    def listeners(self) -> int:
        return self._local.listeners

    async def publish(self, event: Event) -> None:
        await self._local.publish(event)
        self._post({"event": event.kind, "payload": event.payload()})

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator[AsyncIterator[Event]]:
        async with self._local.subscribe() as events:
            yield events

    async def hint(self, hint: Hint) -> None:
        await self._local.hint(hint)
        self._post({"hint": hint.kind, "task_id": hint.task_id})

    @asynccontextmanager
    async def hints(self) -> AsyncIterator[AsyncIterator[Hint]]:
        async with self._local.hints() as hints:
            yield hints

    def _post(self, message: dict[str, Any]) -> None:
        self._outbox.append(message | {"origin": self._origin})
        self._sent.clear()
        self._posted.set()

    async def _send(self) -> None:
        while True:
            await self._posted.wait()
            self._posted.clear()
            while self._outbox:
                batch = [self._outbox[index] for index in range(min(BATCH, len(self._outbox)))]
                try:
                    async with self._redis.pipeline(transaction=False) as pipeline:
                        for message in batch:
                            pipeline.publish(self._channel, json.dumps(message))
                        await pipeline.execute()
                except (RedisError, OSError) as error:
                    # Late hints mislead more than lost ones: whoever reconnects reads the rows.
                    log.debug("%d events did not reach Redis: %s", len(self._outbox), error)
                    self._outbox.clear()
                else:
                    for _ in batch:
                        with suppress(IndexError):  # the outbox dropped its oldest meanwhile
                            self._outbox.popleft()
            self._sent.set()

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.pubsub() as pubsub:
                    await pubsub.subscribe(self._channel)
                    while True:
                        message = await pubsub.get_message(timeout=READ_TIMEOUT_S)
                        if message and message["type"] == "subscribe":
                            self._online.set()
                        elif message and message["type"] == "message":
                            await self._deliver(message["data"])
            except (RedisError, OSError) as error:
                if self._online.is_set():
                    log.warning("Redis is away; events stay in this process until it is back: %s", error)
                self._online.clear()
                await asyncio.sleep(RECONNECT_S)

    async def _deliver(self, data: bytes) -> None:
        try:
            message = json.loads(data)
            if message["origin"] == self._origin:
                return
            if "hint" in message:
                await self._local.hint(Hint(message["hint"], message["task_id"]))
            else:
                await self._local.publish(parse_event(message["event"], message["payload"]))
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            # A newer Spoon on the same Redis may say things this one does not know.
            log.warning("A message on the event bus was not understood: %s", type(error).__name__)

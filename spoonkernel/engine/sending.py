"""Submitting to one ComfyUI server: never twice, and what was dropped on its way is taken back."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from spoonkernel.comfy.client import ComfyClient
from spoonkernel.comfy.jobs import Submitted
from spoonkernel.engine.looks import GIVE_UP_S
from spoonkernel.engine.watched import Watched
from spoonkernel.errors import ProviderConnectionError, SpoonError, SubmitUncertain

SENDING = 8  # submissions to one server side by side: it takes them one at a time anyway
UNCERTAIN_LOOKS = 3  # after a lost answer, this many looks
UNCERTAIN_S = 1.0  # between two of them
WITHDRAW_S = 15.0  # between the tries to have a server drop something

log = logging.getLogger(__name__)


class Sender:
    """`own_id` gives the client id of the socket that is open now, or None."""

    def __init__(self, client: ComfyClient, own_id: Callable[[], Awaitable[str | None]]) -> None:
        self._client, self._own_id = client, own_id
        self._places = asyncio.Semaphore(SENDING)
        self._work: set[asyncio.Task[None]] = set()

    @property
    def is_idle(self) -> bool:
        return not self._work

    async def stop(self) -> None:
        """Forget what is still to be withdrawn."""
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    async def send(self, watched: Watched) -> Submitted | None:
        """Submit it and return the server's answer; None for one that was dropped meanwhile.

        Raises what the server said, or that it is not there; the prompt will then not run.
        """
        async with self._places:
            watched.client_id = await self._own_id()
            unsent = watched.unsent
            if watched.is_dropped or unsent is None:
                return None
            try:
                answer = await self._client.submit(
                    unsent.graph,
                    prompt_id=watched.prompt_id,
                    client_id=watched.client_id or str(uuid.uuid4()),  # without any, ComfyUI tells every client
                    extra_pnginfo=unsent.extra_pnginfo,
                )
            except SubmitUncertain as error:
                answer = await self._make_sure(watched, error)
        if watched.is_dropped:
            self.withdraw(answer.prompt_id)
            return None
        return answer

    def withdraw(self, prompt_id: str, after_s: float = 0.0) -> None:
        """Its row has ended: should the server have it after all, it must not run. Tried until it was heard."""
        self._spawn(self._withdraw(prompt_id, after_s))

    async def _make_sure(self, watched: Watched, error: SubmitUncertain) -> Submitted:
        """The answer was lost: whether the server took it is looked up, never tried by sending it again."""
        for look in range(UNCERTAIN_LOOKS):
            if look:
                await asyncio.sleep(UNCERTAIN_S)
            try:
                if (await self._client.state(watched.prompt_id)).status != "unknown":
                    return Submitted(watched.prompt_id, 0.0)
            except ProviderConnectionError:
                log.info("%s does not answer; whether it took a prompt is not known yet", self._client.label)
        self.withdraw(watched.prompt_id, WITHDRAW_S)
        raise error

    async def _withdraw(self, prompt_id: str, after_s: float) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + GIVE_UP_S
        await asyncio.sleep(after_s)
        while loop.time() < until:
            try:
                await self._client.cancel(prompt_id)
            except SpoonError:
                await asyncio.sleep(WITHDRAW_S)
            else:
                return

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="spoon comfyui withdrawal")
        self._work.add(task)
        task.add_done_callback(self._work.discard)

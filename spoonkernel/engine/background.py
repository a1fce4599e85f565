"""Loops that go on for as long as their owner is open."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

RESTART_S = 1.0  # before a loop that failed goes on

log = logging.getLogger(__name__)


async def keep_going(loop: Callable[[], Awaitable[None]]) -> None:
    """Run a background loop to its end: what fails is logged, and tried again a moment later."""
    while True:
        try:
            await loop()
        except Exception:
            log.exception("The engine goes on after a failure in the background")
            await asyncio.sleep(RESTART_S)
        else:
            return

"""How often somebody may ask."""

import math
import time
from collections import deque
from collections.abc import Callable

from spoonkernel.errors import RateLimited

MAX_ASKERS = 10_000


class Rate:
    """So many times within the last `seconds` for each asker."""

    def __init__(self, most: int, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._seconds, self._clock = most, seconds, clock
        self._asked: dict[str, deque[float]] = {}

    def take(self, who: str) -> None:
        """Count one more. Raises `RateLimited` when it is too many, saying when the next one is free."""
        now = self._clock()
        times = self._asked.setdefault(who, deque())
        while times and times[0] <= now - self._seconds:
            times.popleft()
        if len(times) >= self._most:
            wait = times[0] + self._seconds - now
            told = f"{self._most} questions in {self._seconds:g} s is the limit; ask again in {math.ceil(wait)} s"
            raise RateLimited(told).after(wait)
        times.append(now)
        if len(self._asked) > MAX_ASKERS:
            self._forget(now)

    def _forget(self, now: float) -> None:
        self._asked = {who: times for who, times in self._asked.items() if times and times[-1] > now - self._seconds}

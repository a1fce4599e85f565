"""Asks a provider whether it answers, without spending a token. A failure is an answer, not an error."""

import time

from spoonkernel.errors import SpoonError
from spoonkernel.providers.base import Provider
from spoonkernel.types.settings import ConnectionTest


async def probe(adapter: Provider) -> ConnectionTest:
    """The outcome of asking for the provider's models; `latency` in whole milliseconds."""
    started = time.perf_counter()
    try:
        models = await adapter.models()
    except SpoonError as error:
        return ConnectionTest(connected=False, error=error.message)
    latency = max(1, round((time.perf_counter() - started) * 1000))
    return ConnectionTest(connected=True, latency=latency, models=[model.id for model in models])

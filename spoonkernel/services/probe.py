"""Asks a provider whether it answers, without spending a token. A failure is an answer, not an error."""

import time

from spoonkernel.errors import ProviderRefused, SpoonError
from spoonkernel.providers.base import Provider
from spoonkernel.types.settings import ConnectionTest


async def probe(adapter: Provider) -> ConnectionTest:
    """The outcome of asking for the provider's models; `latency` in whole milliseconds."""
    started = time.perf_counter()
    try:
        models = await adapter.models()
    except SpoonError as error:
        bad_key = isinstance(error, ProviderRefused) and error.invalid_key
        return ConnectionTest(connected=False, error="Invalid API key" if bad_key else error.message)
    latency = max(1, round((time.perf_counter() - started) * 1000))
    return ConnectionTest(connected=True, latency=latency, models=[model.id for model in models])

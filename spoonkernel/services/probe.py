"""Asks a provider whether it answers, without spending a token. A failure is an answer, not an error."""

import time
from collections.abc import Awaitable

from spoonkernel.comfy.client import ComfyClient
from spoonkernel.errors import ProviderRefused, SpoonError
from spoonkernel.providers.base import Provider, ProviderModel
from spoonkernel.types.settings import ConnectionTest

CHECKPOINTS = "checkpoints"
DIFFUSION_MODELS = "diffusion_models"


async def probe(adapter: Provider) -> ConnectionTest:
    """The outcome of asking for the provider's models; `latency` in whole milliseconds."""
    return await timed(adapter.models())


async def timed(asking: Awaitable[list[ProviderModel]]) -> ConnectionTest:
    """The outcome of a question for models."""
    started = time.perf_counter()
    try:
        models = await asking
    except SpoonError as error:
        bad_key = isinstance(error, ProviderRefused) and error.invalid_key
        return ConnectionTest(connected=False, error="Invalid API key" if bad_key else error.message)
    latency = max(1, round((time.perf_counter() - started) * 1000))
    return ConnectionTest(connected=True, latency=latency, models=[model.id for model in models])


async def checkpoints_of(client: ComfyClient) -> list[ProviderModel]:
    """The models of a ComfyUI: what can be loaded to make pictures."""
    names = [*await client.models(CHECKPOINTS), *await client.models(DIFFUSION_MODELS)]
    return [ProviderModel(name, capabilities=("image",)) for name in dict.fromkeys(names)]

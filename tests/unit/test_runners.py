"""What a task becomes on its way to a provider, and what comes back; the chat room and adapters are scripted."""

import asyncio

import pytest

from spoonkernel.connections import Connection
from spoonkernel.engine.runners import ProviderRuns
from spoonkernel.errors import BadRequest, ProviderConnectionError, ProviderRefused
from spoonkernel.providers.base import Made
from spoonkernel.types.base import utc_now
from spoonkernel.types.chat import Delta, Usage
from spoonkernel.types.tasks import Task


class Elsewhere:
    """Runs of another provider: asked for none of these tasks."""

    async def run(self, task, profile_id, report):
        raise AssertionError(f"{task.provider} is not ComfyUI")


NO_COMFYUI = Elsewhere()


class Chat:
    def __init__(self, *deltas):
        self.deltas, self.asked, self.closed = deltas, None, False

    async def stream(self, **asked):
        self.asked = asked
        try:
            for delta in self.deltas:
                yield delta
                await asyncio.sleep(0)
        finally:
            self.closed = True


class Painter:
    def __init__(self, *made, delay_s=0):
        self.made, self.call, self.delay_s = list(made), None, delay_s

    async def images(self, call):
        self.call = call
        await asyncio.sleep(self.delay_s)
        return self.made


class One:
    def __init__(self, adapter, **more):
        self.connection = Connection("openai", "OpenAI", adapter, **more)

    async def resolve(self, provider, profile_id=None):
        return self.connection


def task(**changes):
    fields = {"id": "t", "name": "n", "type": "text", "provider": "openai", "prompt": "hello", "status": "running"}
    return Task(**fields | {"created_at": utc_now()} | changes)


async def test_text_is_the_stream_collected_with_what_the_provider_said_about_it():
    end = Delta(finish_reason="stop", model="m-1", usage=Usage(prompt_tokens=1, completion_tokens=2, total_tokens=3))
    chat = Chat(Delta(text="a"), Delta(text="b"), end)
    steps = []
    options = {"model": "m", "profileId": "p", "max_tokens": 4, "seed": 7}
    (made,) = await ProviderRuns(chat, One(None), NO_COMFYUI).run(task(options=options), "p", steps.append)
    assert made.content == b"ab"
    assert made.metadata == {
        "model": "m-1",
        "tokens": 3,
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "finish_reason": "stop",
        "seed": 7,
    }
    assert steps == [0.25, 0.5, 0.75]
    assert (chat.asked["model"], chat.asked["profile_id"], chat.asked["task_id"]) == ("m", "p", "t")
    assert chat.asked["options"] == {"max_tokens": 4, "seed": 7}


async def test_progress_stays_below_one_when_the_answer_is_longer_than_expected():
    steps = []
    chat = Chat(*[Delta(text="x")] * 5, Delta(finish_reason="length"))
    await ProviderRuns(chat, One(None), NO_COMFYUI).run(task(options={"max_tokens": 2}), None, steps.append)
    assert max(steps) == 0.99


async def test_cancelling_closes_the_stream_behind_it():
    chat = Chat(*[Delta(text="x")] * 1_000_000)
    started = asyncio.Event()
    run = asyncio.create_task(ProviderRuns(chat, One(None), NO_COMFYUI).run(task(), None, lambda _: started.set()))
    await asyncio.wait_for(started.wait(), 5)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert chat.closed


async def test_an_answer_that_the_content_filter_emptied_is_a_refusal():
    with pytest.raises(ProviderRefused, match="content filter"):
        await ProviderRuns(Chat(Delta(finish_reason="content_filter")), One(None), NO_COMFYUI).run(
            task(), None, lambda _: None
        )


async def test_an_image_takes_the_profiles_defaults_under_the_tasks_options():
    painter = Painter(Made("image", b"png", "image/png", {"width": 2}))
    connections = One(painter, default_model="dall-e", options={"quality": "low", "size": "small"})
    wanted = task(type="image", options={"size": "big", "seed": 5, "profileId": "p", "timeout_s": 9})
    (made,) = await ProviderRuns(Chat(), connections, NO_COMFYUI).run(wanted, "p", lambda _: None)
    assert painter.call.options == {"quality": "low", "size": "big", "seed": 5}
    assert made.metadata == {"model": "dall-e", "seed": 5, "width": 2}


@pytest.mark.parametrize(
    ("adapter", "kind", "model", "error", "words"),
    [
        (Painter(), "image", "m", ProviderRefused, "without any image"),
        (Painter(), "audio", "m", BadRequest, "cannot make audio"),
        (Painter(), "image", None, BadRequest, "Name a model of OpenAI"),
        (Painter(delay_s=60), "image", "m", ProviderConnectionError, "made no image"),
    ],
)
async def test_media_that_cannot_be_made_says_why(adapter, kind, model, error, words):
    wanted = task(type=kind, options={"timeout_s": 0.05, **({"model": model} if model else {})})
    with pytest.raises(error, match=words):
        await ProviderRuns(Chat(), One(adapter), NO_COMFYUI).run(wanted, None, lambda _: None)

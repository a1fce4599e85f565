"""The twelve traps of ComfyUI's protocol, each sprung on purpose, and what we do about it."""

import asyncio
import json
import re

import pytest
from PIL import Image

from comfy_graphs import graph
from comfy_rig import PICTURE, Relay, bench, foreign, node, post
from engine_rig import until
from spoonkernel.comfy.socket import ComfySocket
from spoonkernel.engine import looks
from spoonkernel.types.events import (
    GenerationFailed,
    GenerationPreview,
    GenerationProgress,
    GenerationStarted,
)

WEBP = {"fps": 6.0, "lossless": True, "quality": 80, "method": "default"}


async def test_trap_01_the_outputs_are_asked_for_once_the_history_is_written(spoon, sim):
    sim.faults.history_delay_s = 0.3
    done = await spoon.run()
    assert (done.status, done.error, len(done.outputs)) == ("complete", None, 1)
    assert sim.requests["GET /history/{prompt_id}"] == 1


async def test_trap_02_one_that_ends_between_two_looks_is_not_lost(spoon, sim, monkeypatch):
    monkeypatch.setattr(looks, "SLOW_S", 0.1)
    await spoon.run()
    sim.freeze()
    row = await spoon.submit()
    await spoon.running(row)
    await sim.drop_sockets(half_open=True)
    sim.faults.answer_delay_s["/queue"] = 0.5
    asked = sim.requests["GET /queue"]
    await until(lambda: _true(sim.requests["GET /queue"] > asked + 1))
    sim.thaw()
    done = await spoon.ended(row)
    assert (done.status, done.error) == ("complete", None)


async def test_trap_03_a_run_that_ended_while_no_socket_was_open_is_looked_up(spoon, sim):
    sim.freeze()
    row = await spoon.submit()
    await spoon.running(row)
    await sim.drop_sockets()
    sim.thaw()
    done = await spoon.ended(row)
    assert (done.status, len(done.outputs)) == ("complete", 1)
    assert sim.submissions == [row.prompt_id]


async def test_trap_04_each_connection_has_its_own_client_id_and_earlier_prompts_are_looked_up(spoon, sim):
    sim.freeze()
    earlier = await spoon.submit()
    await spoon.running(earlier)
    await sim.drop_sockets()
    await until(lambda: _true(sim.requests["GET /ws"] == 2 and sim.sockets == 1))
    later = await spoon.submit()
    ids = [item.extra_data["client_id"] for item in (sim.queue.running, *sim.queue.pending)]
    assert len(set(ids)) == 2
    sim.thaw()
    assert [(await spoon.ended(row)).status for row in (earlier, later)] == ["complete", "complete"]
    assert spoon.of(later, GenerationPreview)  # the new socket is not deaf


async def test_trap_05_what_others_broadcast_is_not_taken_for_ours(spoon, sim):
    ours = await spoon.run()
    sim.freeze()
    theirs = await foreign(sim, steps=30, seed=1)
    row = await spoon.submit(parameters={"seed": 5})
    assert sim.queue.pending[0].extra_data["client_id"]  # or else everybody would hear of it
    sim.seconds_per_step = 0.01
    sim.thaw()
    await spoon.hears(row, GenerationStarted)
    assert theirs in sim.queue.history
    assert {spoon_id(event) for event in spoon.heard} == {ours.id, row.id}
    before = spoon.of(row)[: spoon.of(row).index(spoon.of(row, GenerationStarted)[0])]
    assert not [event for event in before if isinstance(event, GenerationProgress | GenerationPreview)]
    assert (await spoon.ended(row)).status == "complete"


@pytest.mark.parametrize("how", ["deleted", "cleared", "restarted"])
async def test_trap_06_a_waiting_prompt_that_is_gone_without_a_word_fails(spoon, sim, how, monkeypatch):
    monkeypatch.setattr(looks, "SUSPECT_S", 0.02)
    await spoon.run()
    sim.freeze()
    await foreign(sim)
    row = await spoon.submit()
    if how == "deleted":
        assert sim.delete_pending(row.prompt_id)
    elif how == "cleared":
        await post(sim, "/queue", {"clear": True})
    else:
        await sim.restart()
    failed = await spoon.hears(row, GenerationFailed)
    done = await spoon.ended(row)
    assert (done.status, done.error) == ("failed", failed.error)
    assert "no longer has this prompt" in done.error


async def test_trap_07_an_identical_graph_is_told_as_cached_even_when_its_file_is_gone(spoon, sim):
    first = await spoon.run(parameters={"seed": 7})
    again = await spoon.run(parameters={"seed": 7})
    other = await spoon.run(
        graph() | {"9": node("SaveImage", images=["8", 0], filename_prefix="x")}, parameters={"seed": 7}
    )
    assert [row.cached for row in (first, again, other)] == [False, True, False]
    assert again.outputs[0].filename == first.outputs[0].filename != other.outputs[0].filename
    assert again.outputs[0].pixel_sha256 == first.outputs[0].pixel_sha256 == other.outputs[0].pixel_sha256
    for file in (sim.files.root / "output").rglob("*.png"):
        file.unlink()
    gone = await spoon.run(
        graph() | {"9": node("SaveImage", images=["8", 0], filename_prefix="x")}, parameters={"seed": 7}
    )
    assert (gone.status, gone.cached, gone.outputs[0].content) == ("complete", True, None)
    assert "no longer has" in gone.warnings[0]


async def test_trap_08_outputs_are_told_by_what_they_are_not_by_their_key(spoon):
    made = PICTURE | {
        "2": node("SaveAnimatedWEBP", images=["1", 0], filename_prefix="f", **WEBP),
        "3": node("PreviewImage", images=["1", 0]),
        "4": node("PreviewAny", source="seven"),
        "5": node("EmptyAudio", duration=1.0, sample_rate=8000, channels=1),
        "6": node("SaveAudio", audio=["5", 0], filename_prefix="audio/a"),
        "7": node("EmptyLatentImage", width=16, height=16, batch_size=1),
        "8": node("SaveLatent", samples=["7", 0], filename_prefix="l"),
    }  # fmt: skip
    done = await spoon.run(made)
    assert done.status == "complete"
    told = {one.node_id: (one.kind, one.type, one.text, one.content is not None) for one in done.outputs}
    assert told == {
        "2": ("video", "output", None, True),
        "3": ("image", "temp", None, True),
        "4": ("text", "output", "seven", False),
        "6": ("audio", "output", None, True),
        "8": ("file", "output", None, False),
    }
    empty = await spoon.run(PICTURE | {"2": node("SaveImageWebsocket", images=["1", 0])})
    assert (empty.status, [one.kind for one in empty.outputs]) == ("complete", ["image"])


async def test_trap_09_the_tokens_of_file_names_that_the_page_replaces_are_replaced(spoon):
    prefix = "%date:yyyy-MM-dd%/%KSampler.seed%_%width%_%Nobody.seed%"
    done = await spoon.run(
        graph() | {"9": node("SaveImage", images=["8", 0], filename_prefix=prefix)}, parameters={"seed": 7}
    )
    (made,) = done.outputs
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", made.subfolder)
    assert made.filename == "7_64_%Nobody.seed%_00001_.png"


async def test_trap_10_our_texts_lie_in_the_png_beside_comfyuis_prompt(spoon, tmp_path):
    done = await spoon.run(prompt_text="a blue fox", parameters={"seed": 7})
    with Image.open(tmp_path / "media" / done.outputs[0].content.rpartition("/")[2]) as picture:
        texts = picture.text
    assert json.loads(texts["prompt"])["3"]["inputs"]["seed"] == 7
    assert json.loads(texts["spoon"])["generation_id"] == done.id
    assert texts["parameters"].startswith("a blue fox\nNegative prompt: blurry\nSteps: 4,")
    assert "Seed: 7" in texts["parameters"]


async def test_trap_11_progress_does_not_start_again_with_the_second_sampler(spoon):
    two = graph(steps=10)
    two["10"] = node("KSampler", **(two["3"]["inputs"] | {"latent_image": ["3", 0], "denoise": 0.5}))
    two["8"]["inputs"]["samples"] = ["10", 0]
    spoon.sim.seconds_per_step = 0.02
    row = await spoon.submit(two)
    assert (await spoon.ended(row)).status == "complete"
    told = [event.progress for event in spoon.of(row, GenerationProgress)]
    assert told == sorted(told)
    assert 0.5 < told[-1] < 1
    assert len({event.node for event in spoon.of(row, GenerationProgress)}) > 3


async def test_trap_12_a_half_open_socket_is_noticed_by_our_own_pings(sim, tmp_path, monkeypatch):
    monkeypatch.setitem(ComfySocket.__init__.__kwdefaults__, "heartbeat_s", 0.3)
    async with Relay(sim) as relay, bench(tmp_path, sim, url=relay.url) as spoon:
        sim.freeze()
        row = await spoon.submit()
        await spoon.running(row)
        relay.silence()
        await until(lambda: _true(sim.requests["GET /ws"] == 2))
        sim.thaw()
        async with asyncio.timeout(8):  # the slow round of looks comes every 15 s
            assert (await spoon.ended(row)).status == "complete"


async def _true(condition):
    return condition


def spoon_id(event):
    return event.generation.id if hasattr(event, "generation") else event.generation_id

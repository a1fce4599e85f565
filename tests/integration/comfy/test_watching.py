"""The life of generations against the simulated ComfyUI: told in order, stopped, lost, found again, taken over."""

import asyncio
import base64

import pytest

from comfy_graphs import graph
from comfy_rig import PICTURE, Relay, bench, foreign, node, post
from engine_rig import until
from spoonkernel.engine import generations, looks, sending
from spoonkernel.errors import ProviderConnectionError, ProviderRefused, SubmitUncertain
from spoonkernel.types.events import (
    GenerationCompleted,
    GenerationCreated,
    GenerationFailed,
    GenerationPreview,
    GenerationProgress,
    GenerationStarted,
)


async def test_a_life_is_told_in_order_and_its_row_says_the_same(spoon, sim):
    sim.freeze()
    row = await spoon.submit(graph(steps=12))
    assert (row.status, row.started_at, row.progress) == ("running", None, 0.0)
    sim.seconds_per_step = 0.1
    sim.thaw()
    await until(lambda: _written(spoon, row))
    sim.seconds_per_step = 0
    completed = await spoon.hears(row, GenerationCompleted)
    done = await spoon.ended(row, wait_s=0)
    assert (done.status, done.progress, done.outputs) == ("complete", 1.0, completed.outputs)
    assert row.created_at <= done.started_at <= done.completed_at
    assert 0 < done.generation_time_seconds < 10
    told = spoon.of(row)
    assert [type(told[0]), type(told[1]), type(told[-1])] == [GenerationCreated, GenerationStarted, GenerationCompleted]
    progress = [event.progress for event in told if isinstance(event, GenerationProgress)]
    assert progress == sorted(progress)
    assert 0.3 < progress[-1] < 1
    assert {event.node for event in told if isinstance(event, GenerationProgress)} >= {"KSampler", "SaveImage"}


async def test_previews_are_few_and_say_whose_they_are(spoon, sim):
    sim.seconds_per_step = 0.01
    row = await spoon.submit(graph(steps=40))
    done = await spoon.ended(row)
    previews = spoon.of(row, GenerationPreview)
    took_s = done.generation_time_seconds
    assert 2 <= len(previews) <= 4 * took_s + 2
    assert {(one.session_id, one.content_type) for one in previews} == {(spoon.session.id, "image/jpeg")}
    assert base64.b64decode(previews[0].image).startswith(b"\xff\xd8")


async def test_a_running_generation_is_cancelled_and_nobody_elses(spoon, sim):
    sim.freeze()
    running, waiting = await spoon.submit(graph(steps=30)), await foreign(sim, seed=1)
    await spoon.running(running)
    cancelled = await spoon.workbench.generations.cancel(running.id)
    assert (cancelled.status, cancelled.error) == ("failed", "Cancelled")
    sim.thaw()
    await until(lambda: _true(waiting in sim.queue.history))
    assert sim.queue.history[waiting]["status"]["completed"]
    assert not sim.queue.history[running.prompt_id]["status"]["completed"]
    assert [event.error for event in spoon.of(running, GenerationFailed)] == ["Cancelled"]


async def test_a_waiting_generation_is_cancelled_and_what_runs_is_not(spoon, sim):
    sim.freeze()
    theirs = await foreign(sim, seed=1)
    row = await spoon.submit()
    assert (await spoon.workbench.generations.cancel(row.id)).error == "Cancelled"
    sim.thaw()
    await until(lambda: _true(theirs in sim.queue.history))
    assert sim.queue.history[theirs]["status"]["completed"]
    assert row.prompt_id not in sim.executed


async def test_one_that_is_cancelled_on_its_way_is_taken_back_once_it_arrives(sim, tmp_path):
    async with Relay(sim) as relay, bench(tmp_path, sim, url=relay.url) as spoon:
        sim.freeze()
        relay.answers.clear()
        submitting = asyncio.create_task(spoon.submit(graph(steps=30)))
        (pending,) = await until(lambda: _listed(spoon, "pending"))
        await spoon.running(pending)
        cancelled = await spoon.workbench.generations.cancel(pending.id)
        assert (cancelled.error, sim.requests["POST /interrupt"]) == ("Cancelled", 0)
        relay.answers.set()
        assert (await submitting).error == "Cancelled"
        await until(lambda: _true(sim.requests["POST /interrupt"]))
        sim.thaw()
        await until(lambda: _true(sim.queue.history))
    assert not sim.queue.history[pending.prompt_id]["status"]["completed"]


async def test_a_cancelled_run_is_dropped_later_by_a_server_that_is_away_now(spoon, sim, monkeypatch):
    monkeypatch.setattr("spoonkernel.engine.station.WITHDRAW_S", 0.1)
    monkeypatch.setattr(sending, "WITHDRAW_S", 0.1)
    sim.freeze()
    row = await spoon.submit(graph(steps=30))
    await spoon.running(row)
    sim.refuse(connection=True)
    cancelled = await spoon.workbench.generations.cancel(row.id)
    assert cancelled.error == "Cancelled; ComfyUI could not be reached to say so"
    sim.accept()
    await until(lambda: _true(sim.requests["POST /interrupt"]))
    sim.thaw()
    await until(lambda: _true(row.prompt_id in sim.queue.history))
    assert not sim.queue.history[row.prompt_id]["status"]["completed"]


async def test_an_interruption_by_somebody_else_fails_the_generation(spoon, sim):
    sim.freeze()
    row = await spoon.submit()
    await spoon.running(row)
    await post(sim, "/interrupt", {})
    sim.thaw()
    done = await spoon.ended(row)
    assert (done.status, done.error) == ("failed", "Interrupted in ComfyUI")
    assert (await spoon.hears(row, GenerationFailed)).error == done.error


async def test_what_a_server_had_when_it_died_fails_with_a_reason_once_it_is_back(spoon, sim):
    sim.freeze()
    running, waiting = await spoon.submit(), await spoon.submit()
    await spoon.running(running)
    await sim.die()
    assert (await spoon.workbench.generations.get(running.id)).status == "running"
    await sim.restart()
    for row in (running, waiting):
        done = await spoon.ended(row)
        assert (done.status, "it was restarted" in done.error) == ("failed", True)
    assert len(sim.submissions) == 2
    assert (await spoon.run()).status == "complete"


async def test_without_a_server_a_submission_fails_at_once_and_its_row_says_why(spoon, sim):
    await spoon.run()
    await sim.die()
    with pytest.raises(ProviderConnectionError, match=r"Cannot connect to .*\. Is it running") as raised:
        await spoon.submit()
    assert raised.value.status == 503
    (row, _) = await spoon.workbench.generations.list()
    assert (row.status, row.error) == ("failed", raised.value.message)


async def test_a_lost_answer_of_an_accepted_submission_is_looked_up_and_nothing_runs_twice(spoon, sim):
    sim.lose_answers()
    done = await spoon.run()
    assert (done.status, len(done.outputs)) == ("complete", 1)
    assert sim.submissions == sim.executed == [done.prompt_id]


async def test_a_lost_answer_of_a_submission_that_never_arrived_fails(spoon, sim, monkeypatch):
    monkeypatch.setattr(sending, "UNCERTAIN_S", 0.05)
    await spoon.run()
    arrived = sim.requests["POST /prompt"]
    sim.refuse(connection=True)
    submitting = asyncio.create_task(spoon.submit())
    await until(lambda: _true(sim.requests["POST /prompt"] > arrived))
    sim.accept()
    with pytest.raises(SubmitUncertain):
        await submitting
    (row, _) = await spoon.workbench.generations.list()
    assert row.status == "failed"
    assert len(sim.submissions) == 1


async def test_a_deaf_socket_delays_an_end_and_loses_nothing(spoon, sim, monkeypatch):
    monkeypatch.setattr(looks, "SLOW_S", 0.2)
    await spoon.run()
    sim.freeze()
    row = await spoon.submit()
    await spoon.running(row)
    await sim.drop_sockets(half_open=True)
    sim.thaw()
    done = await spoon.ended(row)
    assert (done.status, len(done.outputs)) == ("complete", 1)
    assert sim.requests["GET /ws"] == 1


async def test_the_pictures_of_a_socket_node_are_stored(spoon, sim):
    row = await spoon.run(PICTURE | {"2": node("SaveImageWebsocket", images=["1", 0])})
    (made,) = row.outputs
    assert (row.status, made.kind, made.type, made.width, made.content_type) == (
        "complete",
        "image",
        "temp",
        16,
        "image/png",
    )
    media = await spoon.workbench.comfyui.image(made.filename, type="temp")
    assert media.content.startswith(b"\x89PNG")
    sim.freeze()
    row = await spoon.submit(PICTURE | {"3": node("SaveImageWebsocket", images=["1", 0])})
    await spoon.running(row)
    await sim.drop_sockets()
    sim.thaw()
    missed = await spoon.ended(row)
    assert (missed.status, missed.outputs) == ("complete", [])
    assert "over the socket only" in missed.warnings[-1]


async def test_an_output_that_is_invalid_is_left_out_with_a_warning(spoon):
    two = graph() | {"20": node("LoadImage", image="nosuch.png"), "21": node("PreviewImage", images=["20", 0])}
    done = await spoon.run(two)
    assert (done.status, [one.node_id for one in done.outputs]) == ("complete", ["9"])
    assert any("nosuch.png" in warning and "20" in warning for warning in done.warnings)


async def test_a_warning_is_kept_when_the_run_ends_before_the_answer_comes(sim, tmp_path):
    two = graph() | {"20": node("LoadImage", image="nosuch.png"), "21": node("PreviewImage", images=["20", 0])}
    async with Relay(sim) as relay, bench(tmp_path, sim, url=relay.url) as spoon:
        relay.answers.clear()
        submitting = asyncio.create_task(spoon.submit(two))
        await until(lambda: _true(sim.queue.history))
        (pending,) = await spoon.workbench.generations.list()
        with pytest.raises(TimeoutError):  # it does not end without its answer, which is at most 30 s away
            async with asyncio.timeout(0.5):
                await spoon.hears(pending, GenerationCompleted)
        relay.answers.set()
        done = await spoon.ended(await submitting)
    assert done.status == "complete"
    assert any("nosuch.png" in warning for warning in done.warnings)


async def test_a_run_without_outputs_is_complete_with_a_warning(spoon, sim):
    sim.freeze()
    row = await spoon.submit()
    entry = sim.queue.running or sim.queue.pending[0]
    entry.outputs.clear()  # nothing is left to do for it
    sim.thaw()
    done = await spoon.ended(row)
    assert (done.status, done.outputs) == ("complete", [])
    assert done.warnings[-1].startswith("The run made no output")


async def test_a_node_that_raises_is_named_in_row_and_event(spoon, sim):
    sim.break_node("VAEDecode", "expected 4 channels", "ValueError")
    row = await spoon.submit()
    failed = await spoon.hears(row, GenerationFailed)
    assert failed.error == "VAEDecode (node 8): ValueError: expected 4 channels"
    assert (await spoon.ended(row)).error == failed.error


async def test_a_refused_graph_fails_with_what_the_server_said(spoon):
    with pytest.raises(ProviderRefused, match="steps") as raised:
        await spoon.submit(graph(steps=0))
    (row,) = await spoon.workbench.generations.list()
    assert (row.status, row.error) == ("failed", raised.value.message)


async def test_files_of_a_row_that_was_deleted_meanwhile_are_deleted_too(sim, tmp_path):
    async with bench(tmp_path, sim) as spoon:
        sim.faults.answer_delay_s["/view"] = 0.3
        row = await spoon.submit()
        await until(lambda: _true(sim.requests["GET /view"]))
        await spoon.workbench.generations.delete(row.id)
    assert [path for path in (tmp_path / "media").rglob("*") if path.is_file()] == []
    assert not spoon.of(row, GenerationCompleted)


async def test_profiles_with_the_same_address_share_a_socket_and_an_idle_server_is_let_go(spoon, sim, monkeypatch):
    monkeypatch.setattr(generations, "TEND_S", 0.1)
    other = await spoon.workbench.profiles.create(name="B", type="image", provider="comfyui", url=sim.url)
    session = await spoon.workbench.sessions.create(profile_id=other.id)
    first = await spoon.submit()
    second = await spoon.workbench.sessions.generate(
        session.id, prompt_text="x", parameters={"width": 64, "height": 64}
    )
    assert [(await spoon.ended(row)).status for row in (first, second)] == ["complete", "complete"]
    assert sim.requests["GET /ws"] == sim.sockets == 1
    monkeypatch.setattr(generations, "IDLE_S", 0.1)
    await spoon.shown(0)
    assert (await spoon.run()).status == "complete"
    assert sim.requests["GET /ws"] == 2


async def _true(condition):
    return condition


async def _written(spoon, row):
    return 0 < (await spoon.ended(row, wait_s=0)).progress < 1


async def _listed(spoon, status):
    return await spoon.workbench.generations.list(status=status)

"""What goes wrong on demand."""

import aiohttp
import pytest

from comfy_client import Client, heard
from comfy_recordings import txt2img
from comfy_replay import until
from spoonkernel.testing.comfy_sim import SimulatedComfyUI


async def test_a_restart_loses_queue_history_and_numbers_and_keeps_files(sim: SimulatedComfyUI, client: Client) -> None:
    done = await client.run(txt2img())
    sim.freeze()
    lost = await client.submit(txt2img(2))
    url = sim.url
    await sim.die()
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.get("/queue")
    await sim.restart()
    assert sim.url == url
    assert await client.get("/history") == {}
    assert (await client.post("/prompt", {"prompt": txt2img(3)}))["number"] == 0
    assert len(await client.files(done)) == 1
    assert sim.submissions[1] == lost


async def test_death_cuts_sockets_without_a_closing_frame(sim: SimulatedComfyUI, client: Client) -> None:
    socket = await client.listen("me")
    await sim.die()
    assert (await socket.receive(timeout=5)).type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE}
    assert socket.close_code == 1006


async def test_dropped_sockets_can_come_back_and_hear_the_rest(sim: SimulatedComfyUI, client: Client) -> None:
    first = await client.listen("me")
    sim.seconds_per_step = 0.005
    await client.submit(txt2img(steps=200), client_id="me")
    await heard(first, "progress")
    await sim.drop_sockets()
    await until(lambda: sim.sockets == 0)
    second = await client.http.ws_connect("/ws?clientId=me")
    greeting = await heard(second, "executing")
    assert greeting[-1]["data"] == {"node": "3"}
    sim.seconds_per_step = 0
    assert (await heard(second, "execution_success"))[-1]["type"] == "execution_success"


async def test_a_half_open_socket_stays_open_and_hears_nothing(sim: SimulatedComfyUI, client: Client) -> None:
    deaf = await client.listen("me")
    await sim.drop_sockets(half_open=True)
    hearing = await client.listen("you")
    await client.run(txt2img(), client_id="me")
    await heard(hearing, "status")
    assert sim.sockets == 2
    with pytest.raises(TimeoutError):
        await deaf.receive(timeout=0.05)


async def test_a_new_socket_goes_deaf_when_the_old_one_of_its_id_ends(sim: SimulatedComfyUI, client: Client) -> None:
    old, new = await client.listen("me"), await client.listen("me")
    await old.close()
    await until(lambda: sim.sockets == 1)
    await client.run(txt2img(), client_id="me")
    with pytest.raises(TimeoutError):
        await new.receive(timeout=0.05)


async def test_a_lost_answer_belongs_to_a_prompt_that_runs(sim: SimulatedComfyUI, client: Client) -> None:
    sim.lose_answers()
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.submit(txt2img(), prompt_id="mine")
    await until(lambda: "mine" in sim.queue.history)
    assert await client.submit(txt2img(2)) == sim.submissions[-1]


async def test_refused_requests_reach_nothing(sim: SimulatedComfyUI, client: Client) -> None:
    sim.refuse(502)
    await client.post("/prompt", {"prompt": txt2img()}, status=502)
    sim.refuse(connection=True)
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.get("/queue")
    sim.accept()
    assert sim.submissions == []
    assert sim.requests["POST /prompt"] == 1
    assert (await client.get("/api/prompt"))["exec_info"]["queue_remaining"] == 0
    assert sim.requests["GET /prompt"] == 1


async def test_a_frozen_server_runs_nothing_and_answers(sim: SimulatedComfyUI, client: Client) -> None:
    sim.freeze()
    prompt_id = await client.submit(txt2img())
    await until(lambda: sim.queue.running)
    assert await client.get(f"/history/{prompt_id}") == {}
    sim.freeze(answers=True)
    with pytest.raises(TimeoutError):
        async with client.http.get("/queue", timeout=aiohttp.ClientTimeout(total=0.05)):
            pass
    sim.thaw()
    await until(lambda: prompt_id in sim.queue.history)


async def test_a_broken_class_fails_its_runs_until_it_is_mended(sim: SimulatedComfyUI, client: Client) -> None:
    sim.break_node("VAEDecode", "out of memory", "torch.OutOfMemoryError")
    failed = await client.run(txt2img())
    told = dict(failed["status"]["messages"])["execution_error"]
    assert (told["node_id"], told["exception_message"]) == ("8", "out of memory")
    assert told["exception_type"] == "torch.OutOfMemoryError"
    assert failed["outputs"] == {}
    sim.mend_nodes()
    assert (await client.run(txt2img()))["status"]["status_str"] == "success"


async def test_a_prompt_can_ask_for_a_failure(client: Client) -> None:
    failed = await client.run(txt2img(_6__text="a fox SIMULATE_ERROR"))
    assert dict(failed["status"]["messages"])["execution_error"]["node_id"] == "6"


async def test_slow_answers_take_their_time(sim: SimulatedComfyUI, client: Client) -> None:
    sim.faults.answer_delay_s["/history/{prompt_id}"] = 5
    with pytest.raises(TimeoutError):
        async with client.http.get("/history/x", timeout=aiohttp.ClientTimeout(total=0.05)):
            pass
    assert await client.get("/history") == {}

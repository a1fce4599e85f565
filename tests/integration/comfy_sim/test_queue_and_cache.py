"""What runs, in which order, and what need not run again."""

import asyncio

import aiohttp

from comfy_client import Client, heard
from comfy_recordings import txt2img
from comfy_replay import until
from spoonkernel.testing.comfy_sim import SimulatedComfyUI


def plain(colour: int, prefix: str = "x") -> dict:
    return {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": colour}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": prefix}},
    }


async def test_prompts_run_by_number_and_the_front_ones_first(sim: SimulatedComfyUI, client: Client) -> None:
    sim.freeze()
    first = await client.submit(plain(0))
    await until(lambda: sim.queue.running)
    normal = [await client.submit(plain(1)), await client.submit(plain(2))]
    front = await client.submit(plain(3), front=True)
    urgent = await client.submit(plain(4), number=-1000)
    sim.thaw()
    await until(lambda: sim.queue.remaining == 0)
    assert sim.executed == [first, urgent, front, *normal]


async def test_a_deleted_prompt_never_runs(sim: SimulatedComfyUI, client: Client) -> None:
    sim.freeze()
    running, deleted, other = [await client.submit(plain(colour)) for colour in range(3)]
    await until(lambda: sim.queue.running)
    await client.post("/queue", {"delete": [deleted, running]})
    assert sim.delete_pending(other)
    assert not sim.delete_pending(other)
    sim.thaw()
    await until(lambda: sim.queue.remaining == 0)
    assert sim.submissions == [running, deleted, other]
    assert sim.executed == [running]
    assert await client.get(f"/history/{deleted}") == {}


async def test_an_identical_graph_names_the_old_file(client: Client) -> None:
    first, second = await client.run(txt2img()), await client.run(txt2img())
    assert first["outputs"] == second["outputs"]
    assert dict(second["status"]["messages"])["execution_cached"]["nodes"] == sorted(txt2img())


async def test_a_new_prefix_runs_the_last_node_alone(client: Client) -> None:
    first = await client.run(txt2img())
    second = await client.run(txt2img(_9__filename_prefix="other"))
    assert dict(second["status"]["messages"])["execution_cached"]["nodes"] == sorted({*txt2img()} - {"9"})
    assert await client.files(first) != []
    assert second["outputs"]["9"]["images"][0]["filename"] == "other_00001_.png"


async def test_only_the_last_prompts_nodes_stay_cached(client: Client) -> None:
    for graph in (txt2img(), plain(1)):
        await client.run(graph)
    again = await client.run(txt2img())
    assert dict(again["status"]["messages"])["execution_cached"]["nodes"] == []


async def test_an_input_file_with_new_content_runs_again(sim: SimulatedComfyUI, client: Client) -> None:
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "example.png"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }
    before = await client.pixels(graph)
    (made,) = await client.files(await client.run(plain(0xFF0000)))
    (sim.files.root / "input" / "example.png").write_bytes(made)
    assert await client.pixels(graph) != before


async def test_events_go_to_the_client_that_submitted(client: Client) -> None:
    mine, other = await client.listen("mine"), await client.listen("other")
    await client.run(plain(1), client_id="mine")
    assert [m["type"] for m in await heard(mine, "execution_success")][-1] == "execution_success"
    await client.run(plain(2), client_id="other")
    types = {m["type"] for m in await heard(other, "execution_start")}
    assert types == {"status", "execution_start"}


async def test_the_history_comes_after_the_success_message(sim: SimulatedComfyUI, client: Client) -> None:
    sim.faults.history_delay_s = 0.2
    socket = await client.listen("me")
    prompt_id = await client.submit(plain(1), client_id="me")
    await heard(socket, "execution_success")
    assert await client.get(f"/history/{prompt_id}") == {}
    assert len((await client.get("/queue"))["queue_running"]) == 1
    ending = await heard(socket, "executing")
    assert ending[-1]["data"] == {"node": None, "prompt_id": prompt_id}
    assert prompt_id in await client.get(f"/history/{prompt_id}")


async def test_an_interrupt_ends_the_run_at_its_next_step(sim: SimulatedComfyUI, client: Client) -> None:
    socket = await client.listen("me")
    sim.seconds_per_step = 0.01
    prompt_id = await client.submit(txt2img(steps=5000), client_id="me")
    await heard(socket, "progress")
    await client.post("/interrupt", {"prompt_id": "somebody else's"})
    await heard(socket, "progress")
    await client.post("/interrupt", {"prompt_id": prompt_id})
    assert (await heard(socket, "execution_interrupted"))[-1]["data"]["node_id"] == "3"
    await until(lambda: prompt_id in sim.queue.history)
    assert sim.queue.history[prompt_id]["status"]["status_str"] == "error"


async def test_several_samplers_report_their_own_progress(client: Client) -> None:
    graph = txt2img(steps=4)
    again = graph["3"]["inputs"] | {"latent_image": ["3", 0], "steps": 2, "denoise": 0.5}
    graph["13"] = {"class_type": "KSampler", "inputs": again}
    graph["8"]["inputs"]["samples"] = ["13", 0]
    socket = await client.listen("me")
    await client.submit(graph, client_id="me")
    frames = await heard(socket, "execution_success")
    steps = [(m["data"]["node"], m["data"]["value"], m["data"]["max"]) for m in frames if m["type"] == "progress"]
    assert steps == [("3", 1, 4), ("3", 2, 4), ("3", 3, 4), ("3", 4, 4), ("13", 1, 2), ("13", 2, 2)]


async def test_the_server_sends_no_pings_and_answers_them(client: Client) -> None:
    socket = await client.listen("me")
    await socket.ping()
    await client.run(plain(1), client_id="me")
    await heard(socket, "execution_success")
    async with client.http.ws_connect("/ws?clientId=you", autoping=False) as raw:
        await raw.receive(timeout=5)
        await raw.ping(b"hello")
        answer = await raw.receive(timeout=5)
        assert (answer.type, bytes(answer.data)) == (aiohttp.WSMsgType.PONG, b"hello")


async def test_many_small_graphs_run_quickly(sim: SimulatedComfyUI, client: Client) -> None:
    async with asyncio.timeout(10):
        for colour in range(100):
            await client.submit(plain(colour))
        await until(lambda: len(sim.queue.history) == 100)
    names = [e["outputs"]["2"]["images"][0]["filename"] for e in sim.queue.history.values()]
    assert names == [f"x_{number:05}_.png" for number in range(1, 101)]

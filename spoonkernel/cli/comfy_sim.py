"""`spoon comfy-sim`: a simulated ComfyUI, for trying everything out without a GPU and without ComfyUI."""

import argparse
import asyncio
import signal

from spoonkernel.errors import BadRequest

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; then 0."""
    if args.host not in LOOPBACK:
        raise BadRequest(f"The simulated ComfyUI does not serve on {args.host}: it has no login. Serve on 127.0.0.1")
    try:
        asyncio.run(_serve(args))
    except OSError as error:
        raise BadRequest(
            f"Cannot listen on port {args.port} of {args.host}: {error.strerror}. "
            "Is a ComfyUI running there? Choose another with --port (0 takes any free one)"
        ) from error
    return 0


async def _serve(args: argparse.Namespace) -> None:
    from spoonkernel.testing.comfy_sim import SimulatedComfyUI

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stopping.set))
    async with SimulatedComfyUI(
        host="127.0.0.1" if args.host == "localhost" else args.host,
        port=args.port,
        version=args.version,
        seconds_per_step=args.seconds_per_step,
    ) as sim:
        sim.faults.prompt_s = args.seconds_per_prompt
        print(f"Simulated ComfyUI is ready at {sim.url}  (its pictures are drawn, not generated)", flush=True)
        print(f"Use it with: COMFYUI_URL={sim.url} spoon lab", flush=True)
        await stopping.wait()

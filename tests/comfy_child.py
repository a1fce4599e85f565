"""A process that submits two generations and waits: `python comfy_child.py FOLDER URL`. To be killed."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from comfy_rig import bench
from spoonkernel.engine import generations


class Server:
    url = sys.argv[2]


async def main():
    generations.LEASE, generations.TEND_S = timedelta(seconds=1), 0.2
    async with bench(Path(sys.argv[1]), Server) as spoon:
        print("ready", flush=True)
        await asyncio.gather(*(spoon.submit(parameters={"seed": seed}) for seed in (1, 2)))
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())

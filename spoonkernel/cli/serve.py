"""`spoon serve`: the API and Socket.IO on a loopback port, and workers beside it where they are asked for."""

import argparse
import asyncio
import gc
import importlib.util
import ipaddress
import os
import signal
import socket
import sys
import threading
from contextlib import nullcontext
from types import FrameType
from typing import TYPE_CHECKING, Literal

from spoonkernel.cli import DEFAULT_PORT
from spoonkernel.cli.crew import crew
from spoonkernel.config import Config, read_config
from spoonkernel.errors import BadRequest

if TYPE_CHECKING:
    import uvicorn

    from spoonkernel.workbench import Workbench

NEEDED = ("fastapi", "socketio", "uvicorn")
GC_ROUND = 10_000  # objects made between two rounds of the collector; Python's own 700 is a round every other request
BACKLOG = 2048  # as uvicorn's own
GRACE_S = 10.0  # beside the deadline for tasks: open streams, the store's last writes, the workers


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; then 0."""
    config = read_config(data=args.data)
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise BadRequest(
            f"The server is not installed ({', '.join(missing)} missing): pip install 'spoon-workbench[server]'"
        )
    if args.workers and not config.redis_url:
        raise BadRequest(
            "--workers needs Redis, through which tasks reach them: set REDIS_URL, or leave --workers away"
        )
    port = _environment_port() if args.port is None else args.port
    with listen(args.host, port) as listener:
        asyncio.run(_serve(config, listener, args.workers))
    return 0


def listen(host: str, port: int) -> socket.socket:
    """A listening socket on a loopback address. Raises `BadRequest` for any other, and when the port is taken."""
    address = _loopback(host)
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    # asyncio switches Nagle's delay off only for sockets that say they are TCP; with it each answer takes 40 ms longer
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # on Windows it would let a second server take the same port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((str(address), port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise BadRequest(
            f"Cannot listen on port {port} of {host}: {error.strerror}. "
            "Stop what uses it, or choose another with --port (0 takes any free one)"
        ) from error
    return listener


def _loopback(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.strip("[]"))
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise BadRequest(
            f"Spoon does not serve on {host}: this version has no login, so whoever reaches it could use your keys. "
            "Serve on 127.0.0.1 and reach it from elsewhere through an SSH tunnel (ssh -L 3001:127.0.0.1:3001 HOST)"
        )
    return address


def _environment_port() -> int:
    text = os.environ.get("PORT", "").strip() or str(DEFAULT_PORT)
    if not text.isdigit() or int(text) > 65_535:
        raise BadRequest(f"PORT is {text!r}: it takes a number from 0 to 65535")
    return int(text)


async def _serve(config: Config, listener: socket.socket, workers: int) -> None:
    gc.disable()  # until `_settle`: what the start makes stays
    from spoonkernel.workbench import Workbench  # not before the port is ours: a refusal takes no second

    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    # Opened here and not by the application: uvicorn would answer a store that is away with a traceback
    role: Literal["auto", "submit-only"] = "submit-only" if workers else "auto"
    async with Workbench(config, role=role) as workbench, crew(config, workers):
        server = _server(config, workbench, url)
        for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them again at its end, and a clean stop is a 0
            signal.signal(number, lambda *_: None)
        await server.serve(sockets=[listener])


def _server(config: Config, workbench: "Workbench", url: str) -> "uvicorn.Server":
    """uvicorn's server around the application."""
    import uvicorn

    from spoonserver.app import create_app
    from spoonserver.run import server_config

    settings = server_config(create_app(nullcontext(workbench)), log_level="warning", access_log=False)

    class Server(uvicorn.Server):
        """Says when it answers, and makes sure that a stop ends."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            _settle()
            print(f"Spoon is ready at {url}  (API docs: {url}/docs)", flush=True)

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if self.should_exit:
                self.force_exit = True
            else:
                _leave_after(config.stop_deadline_s + GRACE_S)
            super().handle_exit(sig, frame)

    return Server(settings)


def _settle() -> None:
    """Spare the garbage collector what the start has made: it stays, and it is most of what there is.

    With the longer rounds that suit a server that is a quarter of the work under load.
    """
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_ROUND, 20, 20)


def _leave_after(seconds: float) -> None:
    """End the process the hard way if the soft one takes longer. Tasks that ran are taken up at the next start."""

    def leave() -> None:
        print(f"spoon: something did not stop within {seconds:.0f} s; leaving without it", file=sys.stderr, flush=True)
        os._exit(1)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()

"""Runs the application under uvicorn with the settings that suit it."""

from typing import Any

import uvicorn
from starlette.types import ASGIApp

STOP_TIMEOUT_S = 5  # open streams end by then; without it uvicorn waits for every client to leave


def server_config(app: ASGIApp, *, host: str = "127.0.0.1", port: int = 3001, **more: Any) -> uvicorn.Config:
    """How to serve `app`. `more` goes to `uvicorn.Config` as it is."""
    settings: dict[str, Any] = {
        "lifespan": "on",  # a workbench that does not open must stop the start, not be skipped
        "timeout_graceful_shutdown": STOP_TIMEOUT_S,
        "server_header": False,
        "proxy_headers": False,  # nobody's word for the client's address is taken
        "ws_max_size": 64_000,  # as `guard.MAX_SOCKET_BODY_BYTES`
        "ws_per_message_deflate": False,  # events are small, and a compressor a socket is 300 kB
        **more,
    }
    return uvicorn.Config(app, host=host, port=port, **settings)


async def serve(app: ASGIApp, *, host: str = "127.0.0.1", port: int = 3001, **more: Any) -> None:
    """Serve until the process is told to stop (SIGINT, SIGTERM)."""
    await uvicorn.Server(server_config(app, host=host, port=port, **more)).serve()

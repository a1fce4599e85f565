"""The application: guard, routes, Socket.IO and documentation around one open workbench."""

import warnings
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import lru_cache
from typing import Any

from fastapi import FastAPI
from pydantic.warnings import UnsupportedFieldAttributeWarning
from starlette.middleware import Middleware

from spoonserver import docs, errors, media, sockets
from spoonserver.deps import ServedWorkbench
from spoonserver.guard import SOCKETS_PATH, Guard
from spoonserver.limits import MAX_BODY_BYTES
from spoonserver.rooms import operation_id
from spoonserver.routes import (
    chat,
    comfyui,
    conversations,
    database,
    generations,
    health,
    models,
    profiles,
    results,
    sessions,
    settings,
    tasks,
    workflows,
)

TITLE = "Spoon"
ROUTERS = (
    *(health, models, settings, profiles, chat, tasks, results),
    *(comfyui, sessions, workflows, generations),
    *(conversations, database),
)
"""In the order of the reference, which is also the order of the documentation."""


def create_app(
    workbench: AbstractAsyncContextManager[ServedWorkbench],
    *,
    hosts: Iterable[str] = (),
    max_body_bytes: int = MAX_BODY_BYTES,
    version: str = "1.0",
) -> FastAPI:
    """An ASGI application that opens `workbench` when it starts and closes it when it stops.

    Args:
        workbench: entered once, so an application is started once.
        hosts: names beside the loopback ones that a `Host` header may carry.
        max_body_bytes: larger request bodies are refused while they arrive.
    """
    server = sockets.create_server()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with workbench as opened, sockets.forwarding(server, opened):
            app.state.workbench = opened
            yield

    app = FastAPI(
        title=TITLE,
        version=version,
        lifespan=lifespan,
        middleware=[Middleware(Guard, hosts=hosts, max_body_bytes=max_body_bytes)],
        docs_url=None,  # FastAPI's own page loads its scripts from elsewhere; `docs` needs nothing from outside
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
        responses=errors.documented(),
    )
    _include_routes(app)
    app.include_router(docs.router)
    app.mount(SOCKETS_PATH, sockets.asgi(server))
    errors.install(app)
    app.openapi_schema = _document(version)
    return app


def _include_routes(app: FastAPI) -> None:
    for routes in ROUTERS:
        app.router.routes.extend(routes.router.routes)
    app.include_router(media.router)


@lru_cache(maxsize=1)  # every application of a process has the same routes, and it takes 0.2 s
def _document(version: str) -> dict[str, Any]:
    """The OpenAPI document. Making it builds every schema, now rather than in the first requests.

    The kernel's types put that off (`defer_build`), and FastAPI silences pydantic's warning about its own use of
    `Field(alias=...)` only while a field is made, not when it is built later.
    """
    app = FastAPI(
        title=TITLE,
        version=version,
        generate_unique_id_function=operation_id,
        responses=errors.documented(),
    )
    _include_routes(app)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnsupportedFieldAttributeWarning)
        document = app.openapi()
    for operation in (operation for path in document["paths"].values() for operation in path.values()):
        stream = operation["responses"].get("200", {}).get("content", {}).get("text/event-stream")
        if stream:  # FastAPI writes "string" beside the schemas of the events
            stream["schema"].pop("type", None)
    return document

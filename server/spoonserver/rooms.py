"""How a room's routes begin: where they lie, how they are documented, and how they read their bodies."""

from fastapi import APIRouter
from fastapi.routing import APIRoute

from spoonserver.errors import documented
from spoonserver.limits import StrictRoute

PREFIX = "/api"


def room(tag: str, prefix: str, route_class: type[APIRoute] = StrictRoute) -> APIRouter:
    """A room's router. `tag` is the section of the reference, `prefix` its path below `/api`.

    The routes carry their whole path, so that the application can take them as they are: routers that are included in
    routers look at every route twice, which for the last rooms takes longer than all else that FastAPI does.
    """
    return APIRouter(
        prefix=PREFIX + prefix,
        tags=[tag],
        route_class=route_class,
        responses=documented(),
        generate_unique_id_function=operation_id,
    )


def operation_id(route: APIRoute) -> str:
    """The function's name: what generated clients call their methods."""
    return route.name

"""The mark that ties a method of a room to its endpoint. Everything derived from the contract starts at these marks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`path` is below `/api`, with the method's parameters in braces: `/tasks/{task_id}`.

    Parameters of the method that are not in the path travel as the query (GET, DELETE) or as the JSON body, except
    `header` ones, which travel under the header name given there. Where one is annotated `bytes`, it is the body, and
    the others travel as the query. `ours` marks an endpoint beside the reference.
    """

    method: str
    path: str
    ours: bool = False
    headers: tuple[tuple[str, str], ...] = ()


def http(route: str, *, ours: bool = False, headers: dict[str, str] | None = None) -> Callable[[F], F]:
    """Mark a Protocol method with its endpoint, written as in the reference: `@http("GET /tasks/{task_id}")`.

    Args:
        route: HTTP method and path.
        ours: True for an endpoint that the reference does not have.
        headers: parameter name -> header name, for parameters that travel as request headers.
    """
    method, path = route.split(" ")

    def mark(function: F) -> F:
        function.__endpoint__ = Endpoint(method, path, ours, tuple((headers or {}).items()))  # type: ignore[attr-defined]
        return function

    return mark


def endpoints(room: type) -> dict[str, Endpoint]:
    """Method name -> endpoint, for every marked method of a room's Protocol, in the order they are written."""
    return {
        name: method.__endpoint__
        for base in reversed(room.__mro__)
        for name, method in vars(base).items()
        if hasattr(method, "__endpoint__")
    }

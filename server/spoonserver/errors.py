"""Every failure as the reference's error envelope: Spoon's errors, refused requests, unknown routes, the unforeseen."""

import logging
import math
import traceback
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from spoonkernel.errors import (
    BadRequest,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    SpoonError,
    Unauthorized,
    ValidationFailed,
)
from spoonserver.envelope import error_body

logger = logging.getLogger(__name__)

current_request_id: ContextVar[str] = ContextVar("current_request_id", default="-")
"""The id that the answer carries as `X-Request-Id`, for every line that is logged on its behalf."""

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
MAX_PROBLEMS = 5  # a body can be wrong in thousands of places; the first ones are enough to go on with
MAX_PROBLEM_CHARS = 300  # some of pydantic's sentences quote the value, which may be megabytes long
MAX_FRAMES = 12  # the outer ones are the web framework's, always the same
RETRY_AFTER_S = 1  # what a 429 says when the provider did not say how long


def install(app: FastAPI) -> None:
    """Let every exception that a route can raise leave as an envelope."""
    app.add_exception_handler(SpoonError, _on_spoon_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)


def documented() -> dict[int | str, dict[str, Any]]:
    """The OpenAPI words for failures. "4XX" also keeps FastAPI from announcing its own 422, which is never sent."""
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}
    return {
        "4XX": {"description": "The request cannot be met", "content": content},
        "5XX": {"description": "The server or a provider failed", "content": content},
    }


def error_response(error: SpoonError, headers: dict[str, str] | None = None) -> Response:
    """The envelope with its status, and the headers that HTTP asks for beside a 401 or a 429."""
    extra = dict(headers or {})
    if isinstance(error, RateLimited):
        extra["Retry-After"] = str(math.ceil(error.retry_after_s or RETRY_AFTER_S))
    if isinstance(error, Unauthorized):
        extra["WWW-Authenticate"] = "Bearer"
    body = error_body(error).model_dump_json()
    return Response(body, error.status, extra, media_type="application/json")


def log_unforeseen(problem: BaseException) -> None:
    """Log where it happened and what kind it was, but not its words: they may quote a request, and so a key."""
    chain: list[BaseException] = []
    cause: BaseException | None = problem
    while cause is not None and cause not in chain:  # an exception may well be its own cause
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    kinds = " from ".join(type(one).__name__ for one in chain)
    frames = "".join(traceback.format_tb(problem.__traceback__)[-MAX_FRAMES:])
    logger.error("Unforeseen %s [request %s]\n%s", kinds, current_request_id.get(), frames)


def sentence(problems: Sequence[Any]) -> str:
    """Pydantic's errors as one sentence that names every field as the caller would write it."""
    said = list(dict.fromkeys(_problem(problem) for problem in problems))
    more = f"; and {len(said) - MAX_PROBLEMS} more" if len(said) > MAX_PROBLEMS else ""
    return "; ".join(said[:MAX_PROBLEMS]) + more


def allowed_methods(routes: Iterable[BaseRoute], scope: Scope) -> list[str]:
    """The methods that some route takes at this path; GET brings HEAD with it."""
    found = [
        method
        for method in METHODS
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)
    ]
    return [*found, "HEAD"] if "GET" in found else found


async def _on_spoon_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, SpoonError)  # noqa: S101  # the handler is registered for this class only
    if error.status >= 500:
        said = (request.method, request.url.path, error.code, error, current_request_id.get())
        logger.warning("%s %s: %s %s [request %s]", *said)
    return error_response(error)


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # as above
    return error_response(ValidationFailed(sentence(error.errors())))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # as above
    where = f"{request.method} {request.url.path}"
    if error.status_code == 404:
        return error_response(NotFound(f"No endpoint at {where}; /docs lists them all"))
    if error.status_code == 405:
        allowed = ", ".join(allowed_methods(request.app.router.routes, request.scope))
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": allowed, **_preflight(request, allowed)})
        return error_response(
            MethodNotAllowed(f"{where} does not exist; this path takes {allowed}"), {"Allow": allowed}
        )
    if error.status_code == 413:
        return error_response(PayloadTooLarge(error.detail))
    return error_response(BadRequest(error.detail) if error.status_code < 500 else SpoonError())


def _preflight(request: Request, allowed: str) -> dict[str, str]:
    """What a browser asks before a page of another loopback port may send; the guard has let its origin through."""
    if "access-control-request-method" not in request.headers:
        return {}
    return {
        "Access-Control-Allow-Methods": allowed,
        "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, X-Request-Id",
        "Access-Control-Max-Age": "600",
    }


def _problem(problem: dict[str, Any]) -> str:
    place = _place(problem["loc"][1:])
    if not place:
        return "The body must be a JSON object, sent with Content-Type: application/json"
    if problem["type"] == "missing":
        return f"{place} is required"
    return f"{place}: {problem['msg'].removeprefix('Value error, ')}"[:MAX_PROBLEM_CHARS]


def _place(loc: Sequence[str | int]) -> str:
    """`messages[0].content`. Pydantic also names the branch of a union that it tried, which is no field: cut there."""
    place = ""
    for part in loc:
        if isinstance(part, int):
            place += f"[{part}]"
        elif part.isidentifier():
            place += f".{part}" if place else part
        else:
            break
    return place[:100]

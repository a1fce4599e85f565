"""A route that does only what a chat needs: read the body, check it, call, write the answer.

FastAPI's own handling of a request (dependencies, content types through the e-mail parser, checking the answer again)
takes a fifth of all the time that a relayed chat costs us. Its documentation is the same either way.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, get_type_hints

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from spoonserver.limits import parse_json

PATIENCE_S = 0.25


class LeanRoute(APIRoute):
    """For endpoints like `async def endpoint(request: SomeModel, workbench: WorkbenchDep) -> Model | Response`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        model: type[BaseModel] = get_type_hints(self.endpoint)["request"]
        endpoint, status = self.endpoint, self.status_code or 200

        async def handle(request: Request) -> Response:
            body = _checked(model, request.headers.get("content-type", ""), await request.body())
            async with while_heard(request):
                answer: BaseModel | Response = await endpoint(body, request.app.state.workbench)
            if isinstance(answer, Response):
                return answer
            return Response(answer.model_dump_json(), status, media_type="application/json")

        return handle


@asynccontextmanager
async def while_heard(request: Request) -> AsyncIterator[None]:
    """Cancel the block when its client hangs up, so that the provider behind it stops too.

    Only a block that takes longer than `PATIENCE_S` is watched: a watch costs as much as writing the answer.
    """
    caller = asyncio.current_task()
    assert caller is not None  # noqa: S101  # a route runs in a task
    watch: asyncio.Task[None] | None = None

    async def hear() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        caller.cancel()

    def begin() -> None:
        nonlocal watch
        watch = asyncio.create_task(hear(), name="spoon client watch")

    timer = asyncio.get_running_loop().call_later(PATIENCE_S, begin)
    try:
        yield
    except asyncio.CancelledError:
        if watch is None or not watch.done() or caller.uncancel():
            raise
        raise HTTPException(400, "The client hung up before its answer was there") from None
    finally:
        timer.cancel()
        if watch is not None:
            watch.cancel()


def _checked(model: type[BaseModel], content_type: str, body: bytes) -> BaseModel:
    kind = content_type.partition(";")[0].strip().lower()
    is_json = kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
    try:
        return model.model_validate(parse_json(body) if is_json and body else None)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        raise RequestValidationError([{**problem, "loc": ("body", *problem["loc"])} for problem in problems]) from None

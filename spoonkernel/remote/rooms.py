"""Rooms built from the endpoint marks of `spoonkernel.api`: a method's signature says all that a request needs.

Arguments named in the path go there, `header` ones into headers, the rest into the query (GET, DELETE) or the JSON
body, in camelCase. One annotated `bytes` is the body itself, and the rest the query. The annotation of what it returns
says how to read the answer.
"""

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from datetime import UTC, datetime
from functools import cache
from string import Formatter
from typing import Any, get_args, get_origin, get_type_hints
from urllib.parse import quote

from pydantic import TypeAdapter
from pydantic.alias_generators import to_camel
from pydantic_core import to_jsonable_python

from spoonkernel.api.marks import Endpoint, endpoints
from spoonkernel.errors import StreamTruncated
from spoonkernel.remote.wire import Wire, told_error
from spoonkernel.types.base import Media, Page, format_time

PREFIX = "/api"


def build_room(room: type, wire: Wire) -> Any:
    """An object with every marked method of `room`, each one a request over `wire`."""
    built = type(f"Remote{room.__name__}", (), {"__doc__": room.__doc__})()
    for name, endpoint in endpoints(room).items():
        setattr(built, name, _build_method(getattr(room, name), endpoint, wire))
    return built


def _build_method(declared: Callable[..., Any], endpoint: Endpoint, wire: Wire) -> Callable[..., Any]:
    request, returned = _read_declaration(declared, endpoint)
    if get_origin(returned) is AsyncIterator:
        adapter = TypeAdapter[Any](get_args(returned)[0])

        def stream(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            return _stream(wire, adapter, request(args, kwargs))

        return _documented(stream, declared)

    read = _reader(returned)

    async def call(*args: Any, **kwargs: Any) -> Any:
        return read(await wire.answer(**request(args, kwargs)))

    return _documented(call, declared)


@cache  # reading all annotations takes 50 ms, which every workbench after the first saves
def _read_declaration(declared: Callable[..., Any], endpoint: Endpoint) -> "tuple[_RequestBuilder, Any]":
    """How a method's arguments become a request, and what it returns."""
    return _RequestBuilder(declared, endpoint), get_type_hints(declared)["return"]


class _RequestBuilder:
    """Turns the arguments of one method into the arguments of `Wire`."""

    def __init__(self, declared: Callable[..., Any], endpoint: Endpoint) -> None:
        signature = inspect.signature(declared)
        parameters = [one for one in signature.parameters.values() if one.name != "self"]
        self._signature = signature.replace(parameters=parameters)
        self._changes = next((one.name for one in parameters if one.kind is one.VAR_KEYWORD), None)
        self._needed = {one.name for one in parameters if one.default is one.empty}
        self._endpoint = endpoint
        self._in_path = {name for _, name, _, _ in Formatter().parse(endpoint.path) if name}
        self._headers = dict(endpoint.headers)
        hints = get_type_hints(declared)
        self._content = next((one.name for one in parameters if hints.get(one.name) is bytes), None)

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        given = self._signature.bind(*args, **kwargs).arguments
        # among `changes`, and for what cannot be left out, None is a value: it clears a field. Elsewhere it is the way
        # to leave an argument out
        changes = given.pop(self._changes, {}) if self._changes else {}
        given = {name: value for name, value in given.items() if value is not None or name in self._needed}
        path = self._endpoint.path.format(**{name: quote(str(given.pop(name)), safe="") for name in self._in_path})
        headers = {header: str(given.pop(name)) for name, header in self._headers.items() if name in given}
        content = given.pop(self._content) if self._content else None
        rest = {to_camel(name): value for name, value in {**given, **changes}.items()}
        request: dict[str, Any] = {"method": self._endpoint.method, "path": PREFIX + path, "headers": headers}
        if self._endpoint.method in {"GET", "DELETE"} or self._content:
            request["params"] = {name: _query_text(value) for name, value in rest.items()}
            return request | ({"content": content} if self._content else {})
        return request | ({"json": to_jsonable_python(rest, by_alias=True)} if self._takes_body() else {})

    def _takes_body(self) -> bool:
        return bool(self._signature.parameters.keys() - self._in_path - self._headers.keys())


@cache  # an adapter takes 1 ms of a core to make, and there are forty
def _reader(returned: Any) -> Callable[[Any], Any]:
    """How to turn an answer of `Wire` into what the method promises."""
    if returned is type(None):
        return lambda _: None
    if get_origin(returned) is None and isinstance(returned, type) and issubclass(returned, Page):
        adapter = TypeAdapter[Any](returned)
        return lambda body: adapter.validate_python({"items": body["data"], "pagination": body["pagination"]})
    adapter = TypeAdapter(returned)
    if isinstance(returned, type) and issubclass(returned, Media):
        return lambda body: returned.model_validate(body.model_dump())
    return lambda body: body if isinstance(body, Media) else adapter.validate_python(body["data"])


async def _stream(wire: Wire, adapter: "TypeAdapter[Any]", request: dict[str, Any]) -> AsyncGenerator[Any, None]:
    """The pieces of a stream. `done` is the last piece; a stream without it was cut off."""
    arrived: list[str] = []
    events = wire.events(**request)
    try:
        async for event, data in events:
            if event == "error":
                raise told_error(data)
            arrived.append(data.get("text", ""))
            yield adapter.validate_python(data)
            if event == "done":
                return
    finally:
        await events.aclose()
    raise StreamTruncated("The server's stream ended before its end").with_partial("".join(arrived))


def _query_text(value: Any) -> str:
    if isinstance(value, datetime):
        return format_time(value if value.tzinfo else value.replace(tzinfo=UTC))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _documented(function: Callable[..., Any], declared: Callable[..., Any]) -> Callable[..., Any]:
    function.__name__, function.__doc__ = declared.__name__, declared.__doc__
    function.__qualname__ = declared.__qualname__
    return function

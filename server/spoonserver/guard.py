"""What happens to every request before and after its route: who may ask, how much, and what every answer carries.

A plain ASGI middleware: Starlette's `BaseHTTPMiddleware` puts a task and a queue into every request.
"""

import ipaddress
import re
import uuid
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spoonkernel.errors import BadRequest, Forbidden, PayloadTooLarge, SpoonError
from spoonserver.errors import current_request_id, error_response, log_unforeseen
from spoonserver.limits import MAX_BODY_BYTES, MAX_UPLOAD_BYTES, BodyLimit

SOCKETS_PATH = "/socket.io"
MAX_SOCKET_BODY_BYTES = 64_000  # a subscription is a hundred bytes; Engine.IO reads a whole body before it looks
UPLOAD_PATHS = frozenset({"/api/comfyui/upload", "/api/comfyui/metadata"})
ATTACHMENTS_PATH = re.compile(r"/api/conversations/[^/]+/attachments")
"""Where the body is a file."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

_EVERY_ANSWER = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-site",
    "Cache-Control": "no-store",
}
"""What an answer carries unless its route said otherwise."""


class Guard:
    """Refuses foreign hosts and origins, counts bodies, answers HEAD, and turns the unforeseen into a 500 envelope.

    The host list stops DNS rebinding (a web page whose name suddenly means 127.0.0.1), the origin check stops web
    pages that simply ask: without accounts, an answer for anyone is an answer for every page in the browser.
    """

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str] = (), max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._hosts = frozenset(host.lower().strip("[]") for host in hosts)
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(headers)
        if scope["type"] == "websocket":
            if refusal:
                await send({"type": "websocket.close", "code": 1008, "reason": refusal.message})
            else:
                await self._app(scope, receive, send)
            return
        request_id = _request_id(headers)
        current_request_id.set(request_id)
        answer = _Answer(send, request_id, None if refusal else headers.get("origin"), bare=scope["method"] == "HEAD")
        if refusal:
            await error_response(refusal)(scope, receive, answer.send)
        else:
            await self._serve(_normal(scope), receive, answer)

    async def _serve(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        body = BodyLimit(scope, receive, answer.send, self._most(scope["path"]))
        try:
            await self._app(scope, body.receive, body.send)
        except HTTPException as error:  # a body too large for Socket.IO, which has no error handlers
            await error_response(PayloadTooLarge(error.detail))(scope, receive, body.send)
        except Exception as error:  # noqa: BLE001  # the edge: whatever nobody foresaw ends here
            log_unforeseen(error)
            if not answer.started:
                await error_response(SpoonError())(scope, receive, body.send)

    def _most(self, path: str) -> int:
        """How many bytes a body may have there."""
        if path in UPLOAD_PATHS or ATTACHMENTS_PATH.fullmatch(path):
            return MAX_UPLOAD_BYTES
        return MAX_SOCKET_BODY_BYTES if path.startswith(SOCKETS_PATH) else self._max_body_bytes

    def _refusal(self, headers: Headers) -> SpoonError | None:
        host = headers.get("host", "")
        name = _host_name(host)
        if not name:
            return BadRequest("The request has no valid Host header")
        if not (_is_loopback(name) or name in self._hosts):
            return Forbidden(f"This server does not answer to the name {name[:100]}; add it to the allowed hosts")
        origin = headers.get("origin")
        if origin is None or origin.partition("://")[2].lower() == host.lower():
            return None
        if _is_loopback(urlsplit(origin).hostname or "") if _is_origin(origin) else False:
            return None
        return Forbidden(f"Pages of {origin[:100]} may not use this server")


class _Answer:
    """The way out: adds the headers of every answer, and leaves the body away for HEAD."""

    def __init__(self, send: Send, request_id: str, origin: str | None, *, bare: bool) -> None:
        self._send, self._request_id, self._origin, self._bare = send, request_id, origin, bare
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self._complete(MutableHeaders(raw=message.setdefault("headers", [])))
        elif self._bare and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)

    def _complete(self, headers: MutableHeaders) -> None:
        for name, value in _EVERY_ANSWER.items():
            headers.setdefault(name, value)
        headers["X-Request-Id"] = self._request_id
        headers.add_vary_header("Origin")
        if self._origin:  # checked before: only this very origin, never `*`
            headers["Access-Control-Allow-Origin"] = self._origin
            headers["Access-Control-Expose-Headers"] = "X-Request-Id, Retry-After, Content-Disposition"


def _normal(scope: Scope) -> Scope:
    """HEAD is GET without the body; a slash at the end of an API path means nothing (as in the reference's router)."""
    path = scope["path"]
    return {
        **scope,
        "method": "GET" if scope["method"] == "HEAD" else scope["method"],
        "path": path.rstrip("/") if path.startswith("/api/") else path,
    }


def _request_id(headers: Headers) -> str:
    """The caller's own id where it is a harmless one, else a new one."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


@lru_cache(maxsize=128)  # the same few names come with every request
def _host_name(host: str) -> str:
    """The name in a Host header, without its port and an IPv6 address's brackets; empty for anything malformed."""
    found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?", host)
    return found[1].lower().strip("[]").removesuffix(".") if found else ""


def _is_origin(origin: str) -> bool:
    """An origin as browsers write it. `null` (a sandboxed frame, a file) is none."""
    return re.fullmatch(r"https?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?", origin) is not None


@lru_cache(maxsize=128)
def _is_loopback(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False

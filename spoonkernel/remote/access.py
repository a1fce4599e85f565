"""How a client shows itself to a server. A token goes to that server alone, and over nothing that others can read."""

import ipaddress
from urllib.parse import urlsplit

import httpx

from spoonkernel.config import ServerAccess
from spoonkernel.errors import BadRequest, ProviderConnectionError, SpoonError, Unauthorized

ASK_FOR_ONE = 'pass it as spoonkernel.open(url, token="...") or set SPOON_TOKEN'


def server_address(url: str) -> str:
    """The address of a server as it was given, without `/api` at its end.

    Raises:
        BadRequest: it is no such address, or has a name and password in it, which every error message would repeat.
    """
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise BadRequest(f"Take the name and password out of the address of {parts.hostname}: " + ASK_FOR_ONE)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BadRequest(f"{url!r} is no address of a Spoon server: it looks like http://localhost:3001")
    return url.rstrip("/").removesuffix("/api")


def access_headers(url: str, access: ServerAccess, headers: dict[str, str] | None = None) -> httpx.Headers:
    """What every request carries; printing them masks the token.

    Raises:
        BadRequest: the token would be readable on its way.
    """
    carried = httpx.Headers(headers or {})
    if access.token is None:
        return carried
    parts = urlsplit(url)
    if parts.scheme == "http" and not access.allow_plain and not is_this_machine(parts.hostname or ""):
        raise BadRequest(
            f"{url} has no encryption, so everybody on the way could read the token and use it. Use https://, or an "
            "SSH tunnel to localhost; in a network that you trust SPOON_ALLOW_PLAIN=1 sends it all the same"
        )
    carried["authorization"] = f"Bearer {access.token}"
    return carried


def refusal(url: str, status: int, headers: httpx.Headers, location: str | None = None) -> SpoonError | None:
    """What an answer means that no Spoon server gives to somebody it let in; None for any other."""
    if status == 401 and "authorization" in headers:
        return Unauthorized(f"{url} does not accept this token (any more?): ask for a new one, and {ASK_FOR_ONE}")
    if status == 401:
        return Unauthorized(f"{url} wants a token: {ASK_FOR_ONE}")
    if 300 <= status < 400:
        to = "" if location is None else f" to {urlsplit(location)._replace(query='', fragment='').geturl()}"
        return ProviderConnectionError(f"{url} sends its callers on{to}: open that address itself, if you trust it")
    return None


def is_this_machine(host: str) -> bool:
    """Whether a host's name or address never leaves this machine (RFC 6761, section 6.3; RFC 5735, section 4)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

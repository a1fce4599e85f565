"""Which addresses a provider may have: http or https, and never the link-local ones where clouds keep their secrets."""

import ipaddress
import socket
import ssl
from functools import cache, lru_cache

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

from spoonkernel.errors import BadRequest

MAX_CONNECTIONS = 256  # of one pool

FORBIDDEN = (
    ipaddress.ip_network("169.254.0.0/16"),  # link-local; metadata of AWS, Azure, Google at 169.254.169.254
    ipaddress.ip_network("fe80::/10"),
    ipaddress.ip_network("fd00:ec2::254/128"),  # metadata of AWS over IPv6
    ipaddress.ip_network("100.100.100.200/32"),  # metadata of Alibaba Cloud
)


@lru_cache(maxsize=256)  # asked for each generation
def clean_url(url: str, label: str) -> str:
    """A base URL without its trailing slash.

    Raises `BadRequest` for another scheme than http(s), a missing or forbidden host, a login, a query or a fragment.
    """
    try:
        parsed = httpx.URL(url.strip())
    except httpx.InvalidURL as error:
        raise BadRequest(f"The URL for {label} is not one: {error}") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise BadRequest(f"The URL for {label} must look like https://host or http://host:port")
    if parsed.userinfo or parsed.query or parsed.fragment:
        raise BadRequest(f"The URL for {label} must have no login, ? or # in it; a key belongs in the key's own field")
    if is_forbidden(parsed.host):
        raise BadRequest(f"{parsed.host} is a link-local or metadata address, which Spoon does not call; check the URL")
    return str(parsed).rstrip("/")


def optional_url(url: str | None, label: str) -> str | None:
    """The same for an address that may be left out or blank: then None."""
    return clean_url(url, label) if url and url.strip() else None


@lru_cache(maxsize=1024)  # asked on every request
def is_forbidden(host: str) -> bool:
    """Whether a host is, by its literal address, one that Spoon never calls. A name is judged when it is resolved."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address.sixtofour or address
    return any(address in network for network in FORBIDDEN)


class GuardedResolver(AbstractResolver):
    """The usual resolver, without the addresses that Spoon never calls: a name may point anywhere, and change."""

    def __init__(self) -> None:
        self._resolver = DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        allowed = [entry for entry in found if not is_forbidden(entry["host"])]
        if not allowed:
            raise OSError(None, f"{host} is a link-local or metadata address, which Spoon does not call")
        return allowed

    async def close(self) -> None:
        await self._resolver.close()


@cache
def trusted() -> ssl.SSLContext:
    """The certificates that Spoon trusts, of SSL_CERT_FILE and SSL_CERT_DIR too; reading them takes 20 ms, so once."""
    return httpx.create_ssl_context(trust_env=True)


def new_connector(ssl_context: ssl.SSLContext | None = None) -> aiohttp.TCPConnector:
    """What opens the connections of a pool, or of a websocket: never to a link-local or metadata address."""
    return aiohttp.TCPConnector(limit=MAX_CONNECTIONS, ssl=ssl_context or trusted(), resolver=GuardedResolver())

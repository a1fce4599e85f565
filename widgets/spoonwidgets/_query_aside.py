"""What the pane asks on its own: counts, summaries, thumbnails. It does without where statements are counted.

A server takes 10 statements a minute from elsewhere. Those are its user's; so towards such a server the pane reads the
tables and thumbnails by other requests, which are not counted, and leaves out what only a statement can tell.
"""

from typing import Protocol
from urllib.parse import urlsplit

from pydantic import JsonValue

from spoonkernel.errors import RateLimited
from spoonkernel.portal import OpenWorkbench
from spoonkernel.types.database import QueryResult


class Aside:
    """Asks on the pane's behalf, where that is free."""

    def __init__(self, inner: OpenWorkbench) -> None:
        self._inner = inner
        self.sparing = _may_be_counted(inner)
        """Whether it asks nothing: it was refused once, or the server is another machine's."""

    async def ask(
        self, query: str, *, parameters: dict[str, JsonValue] | None = None, limit: int = 1_000
    ) -> QueryResult | None:
        """The answer; None where statements are counted. Raises what else the kernel says."""
        if self.sparing:
            return None
        try:
            return await self._inner.database.query(query, parameters=parameters, limit=limit)
        except RateLimited:
            self.sparing = True
            return None


class Beside(Protocol):
    """The gallery next to the pane, in the view of the whole workbench."""

    async def show(self, ids: list[str]) -> int:
        """Show these generations there; how many belong to it."""
        ...

    async def selected(self) -> list[str]:
        """The ids of the generations that are selected there."""
        ...


def _may_be_counted(inner: OpenWorkbench) -> bool:
    """Over loopback, also through a tunnel, nothing is counted. Behind a proxy neither, perhaps: we spare in vain."""
    url = getattr(inner, "url", None)  # of a server; an embedded workbench has none
    if not isinstance(url, str):
        return False
    from spoonkernel.remote.access import is_this_machine  # with it comes httpx, which a remote workbench has loaded

    return not is_this_machine(urlsplit(url).hostname or "")

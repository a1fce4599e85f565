"""What a gallery does with generations: find their session, run one again, read many."""

import asyncio
import contextlib
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from spoonkernel.errors import BadRequest, Conflict, NotFound
from spoonkernel.portal import OpenWorkbench
from spoonkernel.types.generations import Generation
from spoonwidgets._base import log

T = TypeVar("T")
SIDE_BY_SIDE = 8


async def find_session(inner: OpenWorkbench, name: str) -> tuple[str, str]:
    """Id and title of the session that has this id, or the newest one with this title."""
    sessions = await inner.sessions.list()
    for session in (one for part in ("id", "title") for one in sessions if getattr(one, part) == name):
        return session.id, session.title
    titles = ", ".join(dict.fromkeys(f'"{session.title}"' for session in sessions[:5]))
    raise NotFound(f'There is no session "{name}"' + (f"; there are {titles}" if titles else ": none was made yet"))


async def run_again(inner: OpenWorkbench, id_: str, *, vary: bool) -> Generation:
    """Ask for the same once more, as a generation of its own; with a seed drawn anew if it shall `vary`."""
    before = await inner.generations.get(id_)
    if before.workflow_id is None:
        raise Conflict("Its workflow was deleted, so it cannot be run again; its graph is in the workflow JSON")
    parameters = {name: value for name, value in before.parameters.items() if not (vary and name.endswith("seed"))}
    return await inner.sessions.generate(
        before.session_id,
        prompt_text=before.prompt_text,
        negative_prompt=before.negative_prompt,
        workflow_id=before.workflow_id,
        parameters=parameters | ({"seed": -1} if vary else {}),
    )


async def read_many(inner: OpenWorkbench, ids: Iterable[str]) -> list[Generation]:
    """These generations in their order, each once, without those that are gone."""
    reading = asyncio.Semaphore(SIDE_BY_SIDE)

    async def read(id_: str) -> Generation | None:
        async with reading:
            with contextlib.suppress(NotFound):
                return await inner.generations.get(id_)
        return None

    found = await asyncio.gather(*(read(id_) for id_ in dict.fromkeys(ids)))
    return [generation for generation in found if generation]


def checked_rating(rating: int | None) -> int | None:
    if rating is not None and not (type(rating) is int and 0 <= rating <= 5):
        raise BadRequest(f"A rating is 1 to 5, 0 for rejected, or none; not {rating!r}")
    return rating


async def tell(functions: Sequence[Callable[[T], object]], what: T) -> None:
    """Call functions of somebody else in a thread, where they may wait; they may be coroutine functions, too."""
    for function in functions:
        try:
            answer = await asyncio.to_thread(function, what)
            if inspect.isawaitable(answer):
                await answer
        except Exception:  # noqa: BLE001  # whatever it raises, the pane and the other functions go on
            log.exception("%r failed", function)

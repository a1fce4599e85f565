"""Thumbnails for the cells that hold the id of a generation."""

import re
from collections.abc import Iterable

from spoonkernel.errors import SpoonError
from spoonkernel.portal import OpenWorkbench
from spoonkernel.types.database import QueryResult
from spoonwidgets._base import Answer
from spoonwidgets._gallery_actions import read_many
from spoonwidgets._gallery_files import Files
from spoonwidgets._query_aside import Aside

PROBED_ROWS = 200
SPARED_IDS = 3
"""So many ids of a column are looked up where each is a request of its own."""
FACES = 60
"""Thumbnails in one message."""
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PATHS = """
SELECT CAST(id AS VARCHAR) AS id, outputs->0->>'thumbnail' AS path FROM comfyui_generations
WHERE id IN (SELECT CAST(unnest($ids) AS UUID))
"""


class Faces:
    """Knows which ids are generations, and where their thumbnails are."""

    def __init__(self, inner: OpenWorkbench, aside: Aside) -> None:
        self._inner, self._aside, self._files = inner, aside, Files(inner)
        self._paths: dict[str, str | None] = {}

    async def columns(self, result: QueryResult) -> list[int]:
        """The places of the columns whose first rows have ids of generations. One statement for all of them."""
        found = {
            place: list(dict.fromkeys(one for row in result.rows[:PROBED_ROWS] if (one := id_of(row.get(name)))))
            for place, (name, type_) in enumerate(zip(result.fields, result.types, strict=False))
            if type_ in ("UUID", "VARCHAR")
        }
        most = SPARED_IDS if self._aside.sparing else PROBED_ROWS
        await self._look(one for ids in found.values() for one in ids[:most])
        return [place for place, ids in found.items() if any(self._paths.get(one) for one in ids)]

    async def read(self, ids: list[str]) -> Answer:
        """What cells show: `thumb` (a place among the buffers), `later` (ask again), or nothing."""
        asked = [str(one).lower() for one in ids[:FACES]]
        await self._look(one for one in asked if ID.fullmatch(one))
        known = [path for one in asked if (path := self._paths.get(one))]
        thumbs = await self._files.thumbs(known) if known else {}
        data, buffers = list[dict[str, object]](), list[bytes]()
        for one in asked:
            path = self._paths.get(one)
            content = thumbs.get(path) if path else None
            if content is not None:
                data.append({"thumb": len(buffers)})
                buffers.append(content)
            else:
                data.append({"later": True} if path and path not in thumbs else {})
        return Answer(data, buffers)

    def forget(self) -> None:
        """A run that was still going may have its picture by now."""
        self._paths = {one: path for one, path in self._paths.items() if path}

    async def _look(self, ids: Iterable[str]) -> None:
        new = [one for one in dict.fromkeys(ids) if one not in self._paths]
        if not new:
            return
        try:
            answer = await self._aside.ask(PATHS, parameters={"ids": [*new]}, limit=len(new))
            if answer:
                found = {row["id"]: row["path"] for row in answer.rows}
            else:
                rows = await read_many(self._inner, new[:FACES])
                found = {row.id: row.outputs[0].thumbnail for row in rows if row.outputs}
        except SpoonError:  # a table without pictures is a table all the same
            return
        self._paths |= dict.fromkeys(new) | found

    def close(self) -> None:
        self._files.close()


def id_of(value: object) -> str | None:
    """The value, where it looks like an id."""
    return value if isinstance(value, str) and ID.fullmatch(value) else None

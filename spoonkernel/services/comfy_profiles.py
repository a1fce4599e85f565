"""ComfyUI profiles: which one is meant, what begins with it, and what its server last told.

With `COMFYUI_URL` set and no comfyui profile, one called "Local ComfyUI" is made at first use. Each profile begins with
the workflows that Spoon brings; one that is deleted stays deleted.
"""

import asyncio
import contextlib
import hashlib
import math
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Any, TypeVar

from sqlalchemy.exc import IntegrityError

from spoonkernel.comfy.client import ComfyClient
from spoonkernel.comfy.jobs import Folder
from spoonkernel.comfy.object_info import ObjectInfo
from spoonkernel.comfy.parameters import extract
from spoonkernel.comfy.templates import shipped
from spoonkernel.config import Config
from spoonkernel.connections import FRESH_S, Connections
from spoonkernel.errors import BadRequest, SpoonError
from spoonkernel.store.profiles import ProfileRepo, ProfileRow
from spoonkernel.store.workflows import WorkflowRepo, WorkflowRow
from spoonkernel.types.base import utc_now

LOCAL_NAME = "Local ComfyUI"
CLASSES_FRESH_S = 60.0  # node classes change when files or custom nodes are added; half a megabyte, so not every time
FACTS_FRESH_S = 10.0  # what a burst of generations shares: version, model files, input pictures
AWAY_S = 1.0  # for so long a server that has not answered is only asked by those who cannot do without
MAX_INPUT_BYTES = 100 * 2**20  # a larger input is not read to be hashed
_NAMESPACE = uuid.UUID("5b6f2f0e-3c5b-4d0c-9c6d-5b1f6a3d7a10")  # ours: ids of rows that must not be made twice

T = TypeVar("T")


@dataclass(slots=True)
class ServerFacts:
    """What one server told. `object_info` is empty and `stats` None while it has not answered yet."""

    object_info: ObjectInfo = field(default_factory=lambda: ObjectInfo(None))
    stats: Mapping[str, Any] | None = None
    told: dict[tuple[str, ...], Any] = field(default_factory=dict)
    """What it said of its files, by question."""
    classes_at: float = -math.inf
    facts_at: float = -math.inf
    away_until: float = -math.inf
    """It has just not answered: what can do without does not make anybody wait for it again."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class ComfyProfiles:
    def __init__(
        self, config: Config, profiles: ProfileRepo, workflows: WorkflowRepo, connections: Connections
    ) -> None:
        self._config, self._profiles, self._workflows = config, profiles, workflows
        self._connections = connections
        self._equipped: dict[str, frozenset[str]] = {}
        self._rows: dict[str, tuple[int, float, ProfileRow]] = {}
        self._facts: dict[tuple[str, str | None], ServerFacts] = {}

    async def all(self) -> Sequence[ProfileRow]:
        """Every comfyui profile, oldest first, each with the workflows it begins with."""
        rows = list(reversed(await self._profiles.list("comfyui")))
        if not rows and self._config.comfyui_url:
            rows = [await self._make_local(self._config.comfyui_url)]
        for row in rows:
            await self._equip(row.id)
        return rows

    async def get(self, profile_id: str | None = None) -> ProfileRow:
        """The profile that is meant; without an id the first one that was made.

        Raises:
            NotFound: no such profile.
            BadRequest: it is for another provider; or there is none at all.
        """
        if profile_id is None:
            rows = await self.all()
            if not rows:
                raise BadRequest(
                    "No ComfyUI is known: make a profile with provider comfyui and its url, or set COMFYUI_URL. "
                    "`spoon comfy-sim` starts a simulated one to try things with"
                )
            return rows[0]
        now = asyncio.get_running_loop().time()
        kept = self._rows.get(profile_id)
        if kept is not None and kept[0] == self._connections.changes and now < kept[1]:
            return kept[2]
        row = await self._profiles.get(profile_id)
        if row.provider != "comfyui":
            raise BadRequest(f"Profile {profile_id} ({row.name}) is for {row.provider}: name one for comfyui")
        await self._equip(row.id)
        self._rows[profile_id] = self._connections.changes, now + FRESH_S, row
        return row

    @property
    def default_url(self) -> str:
        """The address of a profile that names none."""
        return self._connections.comfy_url

    def client(self, row: ProfileRow) -> ComfyClient:
        return self._connections.comfy(row)

    @property
    def allowed_nodes(self) -> Sequence[str]:
        """Node classes that an administrator has allowed although something speaks against them."""
        return self._config.comfyui_allow_nodes

    def is_shipped(self, workflow: WorkflowRow) -> bool:
        """Whether a workflow is one that Spoon brought."""
        return workflow.id in self._equipped.get(workflow.profile_id, ())

    async def object_info(self, row: ProfileRow, *, fresh: bool = False) -> ObjectInfo:
        """The node classes of a profile's server; what it told last where it does not answer now.

        `fresh` asks again whatever is remembered. Never raises for a server that does not answer: what needs it will.
        """
        facts, loop = self._of(row), asyncio.get_running_loop()
        if fresh or facts.away_until < loop.time():
            try:
                await self._read_classes(row, facts, 0.0 if fresh else CLASSES_FRESH_S)
            except SpoonError:
                facts.away_until = loop.time() + AWAY_S
        return facts.object_info

    async def needed_object_info(self, row: ProfileRow) -> ObjectInfo:
        """The same, some seconds old at most, for those who cannot do without. Raises what the client raises."""
        facts = self._of(row)
        await self._read_classes(row, facts, FACTS_FRESH_S)
        return facts.object_info

    async def _read_classes(self, row: ProfileRow, facts: ServerFacts, age_s: float) -> None:
        """Have what is no older than `age_s`. Whoever waits while another one asks takes that answer."""
        loop = asyncio.get_running_loop()
        oldest = loop.time() - age_s
        if facts.classes_at > oldest:
            return
        async with facts.lock:
            if facts.classes_at > oldest:
                return
            asked = loop.time()
            facts.object_info = ObjectInfo(await self.client(row).object_info())
            facts.classes_at = asked

    async def stats(self, row: ProfileRow) -> Mapping[str, Any] | None:
        """`/system_stats` of a profile's server, at most some seconds old; None where it does not tell."""
        facts = await self._current(row)
        return facts.stats

    async def model_files(self, row: ProfileRow, folder: str) -> Mapping[str, Any]:
        """The files of one model folder, at most some seconds old; empty where the server does not tell."""
        return await self._told(row, ("files", folder), lambda: self.client(row).model_files(folder)) or {}

    async def model_hash(self, row: ProfileRow, folder: str, name: str) -> str | None:
        """The hash of a model file, where the server tells hashes."""
        return await self._told(row, ("hash", folder, name), lambda: self.client(row).model_hash(folder, name))

    async def file_hash(self, row: ProfileRow, filename: str, subfolder: str, folder: Folder) -> str | None:
        """SHA-256 of a file as the server has it: whoever else uses it may have put another one there."""

        async def read() -> str:
            digest = hashlib.sha256()
            async with self.client(row).view(filename, subfolder, folder, max_bytes=MAX_INPUT_BYTES) as pieces:
                async for piece in pieces:
                    digest.update(piece)
            return digest.hexdigest()

        return await self._told(row, ("file", filename, subfolder, folder), read)

    def doubt(self, row: ProfileRow) -> None:
        """Ask a server anew for everything: it may have changed since it was asked last."""
        facts = self._of(row)
        facts.classes_at = facts.facts_at = facts.away_until = -math.inf

    async def _told(self, row: ProfileRow, key: tuple[str, ...], ask: Callable[[], Awaitable[T]]) -> T | None:
        """What the server says, some seconds old at most; None where it does not tell."""
        facts = await self._current(row)
        if key not in facts.told:
            try:
                facts.told[key] = await ask()
            except SpoonError:
                return None
        told: T = facts.told[key]
        return told

    async def _current(self, row: ProfileRow) -> ServerFacts:
        facts, loop = self._of(row), asyncio.get_running_loop()
        async with facts.lock:
            if facts.facts_at <= loop.time() - FACTS_FRESH_S:
                facts.told, facts.stats = {}, None
                if facts.away_until < loop.time():
                    try:
                        facts.stats = await self.client(row).system_stats()
                        facts.facts_at = loop.time()
                    except SpoonError:
                        facts.away_until = loop.time() + AWAY_S
        return facts

    def _of(self, row: ProfileRow) -> ServerFacts:
        return self._facts.setdefault((row.id, row.url), ServerFacts())

    async def _make_local(self, url: str) -> ProfileRow:
        now = utc_now()
        profile_id = await self._profiles.unused_id(str(uuid.uuid5(_NAMESPACE, f"{url}#{n}")) for n in count())
        values = {
            "id": profile_id,
            "name": LOCAL_NAME,
            "type": "image",
            "provider": "comfyui",
            "url": url,
            "options": {},
            "input_modalities": ["text", "image"],
            "output_modalities": ["image", "video", "audio"],
            "created_at": now,
            "updated_at": now,
        }
        with contextlib.suppress(IntegrityError):  # another process was faster
            await self._profiles.insert(values)
        return await self._profiles.get(profile_id)

    async def _equip(self, profile_id: str) -> None:
        """Give a profile the workflows that Spoon brings, once."""
        if profile_id in self._equipped:
            return
        now = utc_now()
        rows = [
            {"id": _row_id(profile_id, key), "profile_id": profile_id, "created_at": now, "updated_at": now, **values}
            for key, values in _shipped_values()
        ]
        await self._workflows.insert_missing(rows)
        self._equipped[profile_id] = frozenset(str(row["id"]) for row in rows)


@cache  # looking for what can be set in them takes 50 ms
def _shipped_values() -> list[tuple[str, dict[str, Any]]]:
    """Key and columns of every workflow that Spoon brings."""
    return [
        (
            template.key,
            {
                "name": template.name,
                "description": template.description,
                "workflow_json": template.workflow_json,
                "default_parameters": {},
                "extracted_parameters": [one.to_wire() for one in extract(template.workflow_json, None)],
                "is_default": template.is_default,
            },
        )
        for template in shipped()
    ]


def _row_id(profile_id: str, key: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{profile_id}:{key}"))

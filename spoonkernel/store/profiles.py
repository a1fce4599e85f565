"""Profile rows and the models listed under them. API keys arrive and leave encrypted; only the vault sees the key."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, select

from spoonkernel.errors import NotFound
from spoonkernel.store.columns import canonical_id
from spoonkernel.store.engine import Database, Transaction
from spoonkernel.store.generations import delete_files, delete_generations
from spoonkernel.store.tables import (
    comfyui_files,
    comfyui_generations,
    comfyui_sessions,
    comfyui_workflows,
    profile_models,
    profiles,
    tombstones,
)

ProfileRow = Row[Any]


class ProfileRepo:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, provider: str | None = None) -> Sequence[ProfileRow]:
        query = select(profiles).order_by(profiles.c.created_at.desc(), profiles.c.rev.desc())
        if provider is not None:
            query = query.where(profiles.c.provider == provider)
        return await self._database.read(lambda connection: connection.execute(query).all())

    async def get(self, profile_id: str) -> ProfileRow:
        """Raises `NotFound`."""
        return await self._database.read(lambda connection: _get(connection, profile_id))

    async def unused_id(self, wanted: Iterable[str]) -> str:
        """The first of these ids that no deleted profile had."""
        query = select(tombstones.c.row_id).where(tombstones.c.table_name == profiles.name)
        gone = set(await self._database.read(lambda connection: connection.scalars(query).all()))
        return next(one for one in wanted if one not in gone)

    async def insert(self, values: Mapping[str, Any]) -> None:
        await self._database.write(lambda tx: tx.insert(profiles, **values))

    async def update(self, profile_id: str, values: Mapping[str, Any]) -> None:
        def write(tx: Transaction) -> None:
            _get(tx.connection, profile_id)
            tx.update(profiles, profiles.c.id == canonical_id(profile_id), **values)

        await self._database.write(write)

    async def users(self, profile_id: str) -> dict[str, int]:
        """How many sessions and workflows hang on a profile."""

        def count(connection: Connection) -> dict[str, int]:
            row_id = _get(connection, profile_id).id
            return {
                name: connection.scalar(select(func.count()).where(table.c.profile_id == row_id)) or 0
                for name, table in (("sessions", comfyui_sessions), ("workflows", comfyui_workflows))
            }

        return await self._database.read(count)

    async def delete(self, profile_id: str) -> Sequence[str]:
        """Delete a profile with its models, and its sessions, generations and workflows where there are any.

        Returns the paths of their files in the media folder.
        """

        def write(tx: Transaction) -> Sequence[str]:
            row_id = _get(tx.connection, profile_id).id
            sessions = select(comfyui_sessions.c.id).where(comfyui_sessions.c.profile_id == row_id)
            paths = delete_generations(tx, comfyui_generations.c.session_id.in_(sessions))
            paths += delete_files(tx, comfyui_files.c.profile_id == row_id)
            for table in (comfyui_sessions, comfyui_workflows, profile_models):
                tx.delete(table, table.c.profile_id == row_id)
            tx.delete(profiles, profiles.c.id == row_id)
            return paths

        return await self._database.write(write)

    async def models(self, profile_id: str) -> Sequence[Row[Any]]:
        def read(connection: Connection) -> Sequence[Row[Any]]:
            query = select(profile_models).where(profile_models.c.profile_id == _get(connection, profile_id).id)
            order = profile_models.c.created_at.desc(), profile_models.c.rev.desc(), profile_models.c.model_id
            return connection.execute(query.order_by(*order)).all()

        return await self._database.read(read)

    async def all_models(self) -> Sequence[Row[Any]]:
        """Every listed model with its profile's `profile_name` and `provider`."""
        query = (
            select(profile_models, profiles.c.name.label("profile_name"), profiles.c.provider)
            .join(profiles, profiles.c.id == profile_models.c.profile_id)
            .order_by(profiles.c.created_at.desc(), profile_models.c.created_at.desc(), profile_models.c.model_id)
        )
        return await self._database.read(lambda connection: connection.execute(query).all())

    async def put_model(self, profile_id: str, values: Mapping[str, Any]) -> Row[Any]:
        """List a model, or rename the row that lists it already; returns the row."""

        def write(tx: Transaction) -> Row[Any]:
            row_id = _get(tx.connection, profile_id).id
            here = (profile_models.c.profile_id == row_id) & (profile_models.c.model_id == values["model_id"])
            if not tx.update(profile_models, here, name=values["name"]):
                tx.insert(profile_models, profile_id=row_id, **values)
            return tx.connection.execute(select(profile_models).where(here)).one()

        return await self._database.write(write)

    async def remove_model(self, profile_id: str, model_id: str) -> None:
        """By the provider's id or the row's. Raises `NotFound`."""

        def write(tx: Transaction) -> None:
            named = profile_models.c.model_id == model_id
            if row_id := canonical_id(model_id):
                named |= profile_models.c.id == row_id
            owner = _get(tx.connection, profile_id).id
            if not tx.delete(profile_models, (profile_models.c.profile_id == owner) & named):
                raise NotFound(f"Model {model_id} not found in profile {profile_id}")

        await self._database.write(write)

    async def replace_models(self, profile_id: str, rows: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
        """Make these the profile's models and return how many were added and removed. Rows that stay keep their id."""

        def write(tx: Transaction) -> tuple[int, int]:
            owner = _get(tx.connection, profile_id).id
            query = select(profile_models.c.model_id).where(profile_models.c.profile_id == owner)
            before = set(tx.connection.scalars(query))
            wanted = {row["model_id"]: row for row in rows}
            for model_id in wanted.keys() - before:
                tx.insert(profile_models, profile_id=owner, **wanted[model_id])
            gone = before - wanted.keys()
            if gone:
                tx.delete(profile_models, (profile_models.c.profile_id == owner) & profile_models.c.model_id.in_(gone))
            return len(wanted.keys() - before), len(gone)

        return await self._database.write(write)


def _get(connection: Connection, profile_id: str) -> ProfileRow:
    row_id = canonical_id(profile_id)
    row = connection.execute(select(profiles).where(profiles.c.id == row_id)).first() if row_id else None
    if row is None:
        raise NotFound(f"Profile {profile_id} not found")
    return row

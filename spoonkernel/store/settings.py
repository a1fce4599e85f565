"""Provider settings rows, one a provider."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, select

from spoonkernel.store.engine import Database, Transaction
from spoonkernel.store.tables import provider_settings

SettingsRow = Row[Any]


class SettingsRepo:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self) -> Sequence[SettingsRow]:
        query = select(provider_settings).order_by(
            provider_settings.c.created_at.desc(), provider_settings.c.rev.desc()
        )
        return await self._database.read(lambda connection: connection.execute(query).all())

    async def find(self, provider: str) -> SettingsRow | None:
        query = select(provider_settings).where(provider_settings.c.provider == provider)
        return await self._database.read(lambda connection: connection.execute(query).first())

    async def put(self, provider: str, changes: Mapping[str, Any], *, first: Mapping[str, Any]) -> None:
        """Change the provider's row, or make it of `first` and `changes` together."""

        def write(tx: Transaction) -> None:
            if not tx.update(provider_settings, provider_settings.c.provider == provider, **changes):
                tx.insert(provider_settings, provider=provider, **first, **changes)

        await self._database.write(write)

    async def update(self, provider: str, changes: Mapping[str, Any]) -> None:
        """Change the provider's row if there is one."""
        await self._database.write(
            lambda tx: tx.update(provider_settings, provider_settings.c.provider == provider, **changes)
        )

    async def delete(self, provider: str) -> bool:
        """Whether there was a row."""
        where = provider_settings.c.provider == provider
        return bool(await self._database.write(lambda tx: tx.delete(provider_settings, where)))

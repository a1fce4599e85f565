"""Rotation of the encryption key: every stored API key is encrypted again with the newest one."""

from sqlalchemy import select

from spoonkernel.store.engine import Database, Transaction
from spoonkernel.store.tables import profiles, provider_settings
from spoonkernel.vault import Vault


async def encrypt_again(database: Database, vault: Vault) -> int:
    """Bring every stored API key to the vault's newest encryption key and return how many needed it.

    All or nothing: raises `EncryptionKeyError` without a change when one of them cannot be decrypted.
    """

    def write(tx: Transaction) -> int:
        changed = 0
        for table, owner, name in (
            (profiles, "profiles", profiles.c.id),
            (provider_settings, "settings", provider_settings.c.provider),
        ):
            rows = tx.connection.execute(select(table.c.id, name.label("name"), table.c.api_key)).all()
            for row in rows:
                if row.api_key is None or vault.is_current(row.api_key):
                    continue
                place = f"{owner}:{row.name}"
                sealed = vault.encrypt(vault.decrypt(row.api_key, owner=place), owner=place)
                changed += tx.update(table, table.c.id == row.id, api_key=sealed)
        return changed

    return await database.write(write)

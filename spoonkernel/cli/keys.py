"""`spoon keys rotate`: a new encryption key, and every stored API key encrypted with it."""

import argparse
import asyncio

from spoonkernel.config import Config, read_config
from spoonkernel.errors import BadRequest
from spoonkernel.services.keys import encrypt_again
from spoonkernel.store.engine import Database
from spoonkernel.vault import open_vault, rotate_key_file


def run(args: argparse.Namespace) -> int:
    config = read_config(data=args.data)
    if len(config.encryption_keys) == 1:
        raise BadRequest(
            "SPOON_ENCRYPTION_KEY has one key: put a new one before it, with a comma, restart every server and worker "
            "with both, then run this again"
        )
    if not config.encryption_keys:
        rotate_key_file(config.key_file)
    count = asyncio.run(_encrypt_again(config))
    print(f"{count} stored API {'key is' if count == 1 else 'keys are'} encrypted with the newest encryption key")
    if not config.encryption_keys:
        print(f"Older keys stay in {config.key_file} for backups. Restart servers and notebooks that are running")
    return 0


async def _encrypt_again(config: Config) -> int:
    vault = open_vault(config.encryption_keys, config.key_file)
    async with Database(config.store_url) as database:
        return await encrypt_again(database, vault)

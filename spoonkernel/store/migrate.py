"""Brings a store to the newest revision, one process at a time.

An empty store gets the declared tables at once; Alembic, whose import takes 0.3 s and 8 MB, is for those that are
behind. A test holds that both ways lead to the same schema.
"""

from pathlib import Path

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, insert, inspect, text

from spoonkernel.errors import StoreUnavailable
from spoonkernel.store.migrations import HEAD
from spoonkernel.store.tables import metadata, revision

ADVISORY_LOCK = 0x5B00_0001  # any fixed number: processes that migrate one Postgres queue up on it


def migrate(engine: Engine) -> None:
    """Run what is missing of the history. Other processes that open the same store meanwhile wait.

    Raises:
        StoreUnavailable: the store was written by a newer Spoon.
    """
    with engine.connect() as connection:
        current = _stored_revision(connection)
    if current == HEAD:
        return
    with engine.begin() as connection:  # SQLite: BEGIN IMMEDIATE, so a second process waits here
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        current = _stored_revision(connection)
        if current is None:
            _create(connection)
        elif current != HEAD:
            _upgrade(connection)


def _create(connection: Connection) -> None:
    metadata.create_all(connection)
    connection.execute(insert(revision).values(id=1, value=0))
    stamp = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
    stamp.create(connection)
    connection.execute(insert(stamp).values(version_num=HEAD))


def _stored_revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _upgrade(connection: Connection) -> None:
    """Run what is missing of the history, from the stored revision (or nothing) to the newest."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreUnavailable(
            "The store was written by a newer Spoon than this one: upgrade Spoon, or name another store"
        ) from error

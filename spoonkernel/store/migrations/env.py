"""Alembic's entry: runs on the connection that `store/migrate.py` hands over, inside its transaction."""

from alembic import context

from spoonkernel.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=False)
context.run_migrations()

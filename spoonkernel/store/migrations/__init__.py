"""The one history of the store, for SQLite and Postgres alike (Alembic)."""

HEAD = "0003"
"""The newest revision. A store that is at it needs no Alembic, whose import takes most of a second."""

"""The store: SQLAlchemy Core on SQLite or Postgres, one repository a room. The rows here are the truth."""

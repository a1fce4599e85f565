"""Column types that mean the same on SQLite and Postgres, and come back as the same Python values."""

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, Numeric, String
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator, TypeEngine

from spoonkernel.types.base import format_time

Revision = BigInteger().with_variant(Integer(), "sqlite")
Document = JSON().with_variant(postgresql.JSONB(), "postgresql")
"""A JSON value."""


def canonical_id(text: str) -> str | None:
    """The id as it is stored (lower case, hyphens), or None if it is no UUID: such a row cannot exist."""
    try:
        return str(uuid.UUID(text)) if len(text) in {32, 36} else None
    except ValueError:
        return None


class Id(TypeDecorator[str]):
    """A UUID as its string: `uuid` in Postgres, 36 characters in SQLite."""

    impl = String(36)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.UUID(as_uuid=False))
        return dialect.type_descriptor(String(36))


class Moment(TypeDecorator[datetime]):
    """An aware UTC time in milliseconds: `timestamptz` in Postgres; in SQLite the wire's own text, which sorts."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(DateTime(timezone=True))
        return dialect.type_descriptor(String(24))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value if dialect.name == "postgresql" else format_time(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None or isinstance(value, datetime):
            return value.astimezone(UTC) if value else None
        return datetime.fromisoformat(value)


class Seed(TypeDecorator[int]):
    """A seed of 0 to 2^64-1: too large for either engine's integers, and SQLite's NUMERIC would round it."""

    impl = Numeric(20, 0)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(Numeric(20, 0))
        return dialect.type_descriptor(String(20))

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:
        return value if value is None or dialect.name == "postgresql" else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        return None if value is None else int(value)

"""The tables of conversations. See `tables` for what all tables share."""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from spoonkernel.store.columns import Document, Id, Moment
from spoonkernel.store.schema import id_column, metadata, profile_column, rev_column

conversations = Table(
    "conversations",
    metadata,
    id_column(),
    Column("title", String(255), nullable=False),
    Column("provider", String(50)),
    Column("model", String(255)),
    profile_column(nullable=True),
    Column("system", Text),
    Column("options", Document, nullable=False),
    Column("active_turn_id", Id),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False, index=True),
    rev_column(),
)

conversation_turns = Table(
    "conversation_turns",
    metadata,
    id_column(),
    Column("conversation_id", Id, ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    Column("parent_id", Id),
    Column("role", String(20), nullable=False),
    Column("text", Text, nullable=False),
    Column("attachments", Document, nullable=False),
    Column("state", String(20), nullable=False),
    Column("provider", String(50)),
    Column("model", String(255)),
    Column("profile_id", Id),
    Column("error", Document),
    Column("warnings", Document, nullable=False),
    Column("finish_reason", String(20)),
    Column("usage", Document, nullable=False),
    Column("first_token_ms", Float),
    Column("duration_ms", Float),
    Column("cost_usd", Float),
    Column("heartbeat_at", Moment),
    Column("created_at", Moment, nullable=False),
    rev_column(),
    Index("ix_conversation_turns_conversation_id_created_at", "conversation_id", "created_at"),
)
"""`heartbeat_at`: when the process that writes an answer last said so. No two turns of a conversation have the same
`created_at`, and none is older than its parent."""

conversation_files = Table(
    "conversation_files",
    metadata,
    id_column(),
    Column("conversation_id", Id, ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("content", String(255), nullable=False),
    Column("thumbnail", String(255)),
    Column("filename", String(255), nullable=False),
    Column("content_type", String(100), nullable=False),
    Column("width", Integer),
    Column("height", Integer),
    Column("size_bytes", BigInteger, nullable=False),
    Column("created_at", Moment, nullable=False),
    rev_column(),
)
"""The pictures that were attached to a conversation: what its turns may name. Several turns may name the same one."""

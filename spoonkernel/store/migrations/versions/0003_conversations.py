"""Ratings of generations, and conversations that are kept."""

import sqlalchemy as sa
from alembic import op

from spoonkernel.store.columns import Document, Id, Moment, Revision

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("chat_usage", sa.Column("turn_id", Id(), nullable=True))
    op.add_column("comfyui_generations", sa.Column("rating", sa.Integer(), nullable=True))
    op.create_table(
        "conversations",
        sa.Column("id", Id(), nullable=False),
        sa.Column("title", sa.String(length=255), nullable=False),
        sa.Column("provider", sa.String(length=50), nullable=True),
        sa.Column("model", sa.String(length=255), nullable=True),
        sa.Column("profile_id", Id(), nullable=True),
        sa.Column("system", sa.Text(), nullable=True),
        sa.Column("options", Document, nullable=False),
        sa.Column("active_turn_id", Id(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.Column("rev", Revision, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
    )
    for column in ("profile_id", "rev", "updated_at"):
        op.create_index(op.f(f"ix_conversations_{column}"), "conversations", [column], unique=False)
    _create_turns()
    _create_files()


def _create_turns() -> None:
    op.create_table(
        "conversation_turns",
        sa.Column("id", Id(), nullable=False),
        sa.Column("conversation_id", Id(), nullable=False),
        sa.Column("parent_id", Id(), nullable=True),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("attachments", Document, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("provider", sa.String(length=50), nullable=True),
        sa.Column("model", sa.String(length=255), nullable=True),
        sa.Column("profile_id", Id(), nullable=True),
        sa.Column("error", Document, nullable=True),
        sa.Column("warnings", Document, nullable=False),
        sa.Column("finish_reason", sa.String(length=20), nullable=True),
        sa.Column("usage", Document, nullable=False),
        sa.Column("first_token_ms", sa.Float(), nullable=True),
        sa.Column("duration_ms", sa.Float(), nullable=True),
        sa.Column("cost_usd", sa.Float(), nullable=True),
        sa.Column("heartbeat_at", Moment(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("rev", Revision, nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_conversation_turns_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversation_turns")),
    )
    op.create_index(op.f("ix_conversation_turns_rev"), "conversation_turns", ["rev"], unique=False)
    op.create_index(
        "ix_conversation_turns_conversation_id_created_at", "conversation_turns", ["conversation_id", "created_at"]
    )


def _create_files() -> None:
    op.create_table(
        "conversation_files",
        sa.Column("id", Id(), nullable=False),
        sa.Column("conversation_id", Id(), nullable=False),
        sa.Column("content", sa.String(length=255), nullable=False),
        sa.Column("thumbnail", sa.String(length=255), nullable=True),
        sa.Column("filename", sa.String(length=255), nullable=False),
        sa.Column("content_type", sa.String(length=100), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("rev", Revision, nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_conversation_files_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversation_files")),
    )
    for column in ("conversation_id", "rev"):
        op.create_index(op.f(f"ix_conversation_files_{column}"), "conversation_files", [column], unique=False)

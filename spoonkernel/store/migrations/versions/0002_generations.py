"""What generations need to be watched, reproduced and served: their new columns, their files, their watchers."""

import sqlalchemy as sa
from alembic import op

from spoonkernel.store.columns import Document, Id, Moment, Revision

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NEW_COLUMNS = (
    ("profile_id", Id()),
    ("task_id", Id()),
    ("idempotency_key", sa.String(length=255)),
    ("request_hash", sa.String(length=64)),
    ("progress", sa.Float()),
    ("submitted_at", Moment()),
    ("started_at", Moment()),
    ("watcher_id", Id()),
    ("reproduces", Id()),
    ("batch_index", sa.Integer()),
    ("ui_workflow", Document),
    ("ingredients", Document),
    ("warnings", Document),
)


def upgrade() -> None:
    for name, type_ in NEW_COLUMNS:
        op.add_column("comfyui_generations", sa.Column(name, type_, nullable=True))
    op.create_index(op.f("ix_comfyui_generations_task_id"), "comfyui_generations", ["task_id"], unique=False)
    op.create_index("uq_comfyui_generations_idempotency_key", "comfyui_generations", ["idempotency_key"], unique=True)
    op.create_index("ix_comfyui_generations_session_id_created_at", "comfyui_generations", ["session_id", "created_at"])
    op.create_table(
        "comfyui_files",
        sa.Column("id", Id(), nullable=False),
        sa.Column("generation_id", Id(), nullable=True),
        sa.Column("profile_id", Id(), nullable=False),
        sa.Column("filename", sa.String(length=512), nullable=False),
        sa.Column("subfolder", sa.String(length=512), nullable=False),
        sa.Column("folder", sa.String(length=10), nullable=False),
        sa.Column("content", sa.String(length=255), nullable=True),
        sa.Column("thumbnail", sa.String(length=255), nullable=True),
        sa.Column("content_type", sa.String(length=100), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("file_sha256", sa.String(length=64), nullable=True),
        sa.Column("pixel_sha256", sa.String(length=64), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("rev", Revision, nullable=False),
        sa.ForeignKeyConstraint(
            ["generation_id"],
            ["comfyui_generations.id"],
            name=op.f("fk_comfyui_files_generation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comfyui_files")),
    )
    for column in ("filename", "generation_id", "rev"):
        op.create_index(op.f(f"ix_comfyui_files_{column}"), "comfyui_files", [column], unique=False)
    op.create_table(
        "watchers",
        sa.Column("id", Id(), nullable=False),
        sa.Column("lease_until", Moment(), nullable=False),
        sa.Column("rev", Revision, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watchers")),
    )
    op.create_index(op.f("ix_watchers_rev"), "watchers", ["rev"], unique=False)

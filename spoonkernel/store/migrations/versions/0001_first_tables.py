"""Every table of the first version, with `rev` on each row and tombstones for what is deleted."""

import sqlalchemy as sa
from alembic import op

from spoonkernel.store.columns import Document, Id, Moment, Revision, Seed

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "chat_usage",
        sa.Column("id", Id(), nullable=False),
        sa.Column("provider", sa.String(length=50), nullable=False),
        sa.Column("model", sa.String(length=255), nullable=False),
        sa.Column("profile_id", Id(), nullable=True),
        sa.Column("task_id", Id(), nullable=True),
        sa.Column("prompt_tokens", sa.Integer(), nullable=True),
        sa.Column("completion_tokens", sa.Integer(), nullable=True),
        sa.Column("total_tokens", sa.Integer(), nullable=True),
        sa.Column("first_token_ms", sa.Integer(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("rev", Revision, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_usage")),
    )
    op.create_index(op.f("ix_chat_usage_created_at"), "chat_usage", ["created_at"], unique=False)
    op.create_index("ix_chat_usage_model_created_at", "chat_usage", ["model", "created_at"], unique=False)
    op.create_index(op.f("ix_chat_usage_profile_id"), "chat_usage", ["profile_id"], unique=False)
    op.create_index(op.f("ix_chat_usage_rev"), "chat_usage", ["rev"], unique=False)
    op.create_table(
        "profiles",
        sa.Column("id", Id(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("type", sa.String(length=20), nullable=False),
        sa.Column("provider", sa.String(length=50), nullable=False),
        sa.Column("api_key", sa.LargeBinary(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("options", Document, nullable=False),
        sa.Column("prompt_template", sa.Text(), nullable=True),
        sa.Column("input_modalities", Document, nullable=False),
        sa.Column("output_modalities", Document, nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.Column("rev", Revision, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profiles")),
    )
    op.create_index(op.f("ix_profiles_created_at"), "profiles", ["created_at"], unique=False)
    op.create_index(op.f("ix_profiles_provider"), "profiles", ["provider"], unique=False)
    op.create_index(op.f("ix_profiles_rev"), "profiles", ["rev"], unique=False)
    op.create_table(
        "provider_settings",
        sa.Column("id", Id(), nullable=False),
        sa.Column("provider", sa.String(length=50), nullable=False),
        sa.Column("api_key", sa.LargeBinary(), nullable=True),
        sa.Column("endpoint_url", sa.Text(), nullable=True),
        sa.Column("default_model", sa.String(length=255), nullable=True),
        sa.Column("last_tested", Moment(), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.Column("rev", Revision, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_settings")),
        sa.UniqueConstraint("provider", name=op.f("uq_provider_settings_provider")),
    )
    op.create_index(op.f("ix_provider_settings_rev"), "provider_settings", ["rev"], unique=False)
    op.create_table(
        "revision",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", Revision, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revision")),
    )
    op.create_table(
        "task_attempts",
        sa.Column("id", Id(), nullable=False),
        sa.Column("task_id", Id(), nullable=False),
        sa.Column("limit_key", sa.String(length=64), nullable=False),
        sa.Column("worker_id", sa.String(length=64), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("rev", Revision, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_attempts")),
    )
    op.create_index("ix_task_attempts_limit_key_started_at", "task_attempts", ["limit_key", "started_at"], unique=False)
    op.create_index(op.f("ix_task_attempts_rev"), "task_attempts", ["rev"], unique=False)
    op.create_index(op.f("ix_task_attempts_task_id"), "task_attempts", ["task_id"], unique=False)
    op.create_table(
        "tasks",
        sa.Column("id", Id(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=20), nullable=False),
        sa.Column("provider", sa.String(length=50), nullable=False),
        sa.Column("profile_id", Id(), nullable=True),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("options", Document, nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("progress", sa.Float(), nullable=False),
        sa.Column("retry_count", sa.Integer(), nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.Column("request_hash", sa.String(length=64), nullable=True),
        sa.Column("claimed_by", sa.String(length=64), nullable=True),
        sa.Column("lease_until", Moment(), nullable=True),
        sa.Column("not_before", Moment(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("started_at", Moment(), nullable=True),
        sa.Column("completed_at", Moment(), nullable=True),
        sa.Column("rev", Revision, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_tasks_idempotency_key")),
    )
    op.create_index(op.f("ix_tasks_created_at"), "tasks", ["created_at"], unique=False)
    op.create_index(op.f("ix_tasks_profile_id"), "tasks", ["profile_id"], unique=False)
    op.create_index(op.f("ix_tasks_rev"), "tasks", ["rev"], unique=False)
    op.create_index("ix_tasks_status_created_at", "tasks", ["status", "created_at"], unique=False)
    op.create_table(
        "tombstones",
        sa.Column("rev", Revision, autoincrement=False, nullable=False),
        sa.Column("table_name", sa.String(length=64), nullable=False),
        sa.Column("row_id", Id(), nullable=False),
        sa.PrimaryKeyConstraint("rev", "table_name", "row_id", name=op.f("pk_tombstones")),
    )
    op.create_table(
        "comfyui_sessions",
        sa.Column("id", Id(), nullable=False),
        sa.Column("profile_id", Id(), nullable=False),
        sa.Column("title", sa.String(length=255), nullable=False),
        sa.Column("current_workflow_id", Id(), nullable=True),
        sa.Column("last_parameters", Document, nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.Column("rev", Revision, nullable=False),
        sa.ForeignKeyConstraint(["profile_id"], ["profiles.id"], name=op.f("fk_comfyui_sessions_profile_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comfyui_sessions")),
    )
    op.create_index(op.f("ix_comfyui_sessions_profile_id"), "comfyui_sessions", ["profile_id"], unique=False)
    op.create_index(op.f("ix_comfyui_sessions_rev"), "comfyui_sessions", ["rev"], unique=False)
    op.create_table(
        "comfyui_workflows",
        sa.Column("id", Id(), nullable=False),
        sa.Column("profile_id", Id(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("workflow_json", Document, nullable=False),
        sa.Column("default_parameters", Document, nullable=False),
        sa.Column("extracted_parameters", Document, nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.Column("rev", Revision, nullable=False),
        sa.ForeignKeyConstraint(["profile_id"], ["profiles.id"], name=op.f("fk_comfyui_workflows_profile_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comfyui_workflows")),
    )
    op.create_index(op.f("ix_comfyui_workflows_profile_id"), "comfyui_workflows", ["profile_id"], unique=False)
    op.create_index(op.f("ix_comfyui_workflows_rev"), "comfyui_workflows", ["rev"], unique=False)
    op.create_table(
        "profile_models",
        sa.Column("id", Id(), nullable=False),
        sa.Column("profile_id", Id(), nullable=False),
        sa.Column("model_id", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("rev", Revision, nullable=False),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["profiles.id"], name=op.f("fk_profile_models_profile_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profile_models")),
        sa.UniqueConstraint("profile_id", "model_id", name=op.f("uq_profile_models_profile_id_model_id")),
    )
    op.create_index(op.f("ix_profile_models_rev"), "profile_models", ["rev"], unique=False)
    op.create_table(
        "results",
        sa.Column("id", Id(), nullable=False),
        sa.Column("task_id", Id(), nullable=False),
        sa.Column("type", sa.String(length=20), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("metadata", Document, nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("rev", Revision, nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_results_task_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_results")),
    )
    op.create_index(op.f("ix_results_created_at"), "results", ["created_at"], unique=False)
    op.create_index(op.f("ix_results_rev"), "results", ["rev"], unique=False)
    op.create_index(op.f("ix_results_task_id"), "results", ["task_id"], unique=False)
    op.create_table(
        "comfyui_generations",
        sa.Column("id", Id(), nullable=False),
        sa.Column("session_id", Id(), nullable=False),
        sa.Column("workflow_id", Id(), nullable=True),
        sa.Column("prompt_id", sa.String(length=64), nullable=False),
        sa.Column("prompt_text", sa.Text(), nullable=False),
        sa.Column("negative_prompt", sa.Text(), nullable=True),
        sa.Column("parameters", Document, nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("steps", sa.Integer(), nullable=True),
        sa.Column("cfg_scale", sa.Float(), nullable=True),
        sa.Column("seed", Seed(), nullable=True),
        sa.Column("sampler_name", sa.String(length=255), nullable=True),
        sa.Column("scheduler", sa.String(length=255), nullable=True),
        sa.Column("batch_size", sa.Integer(), nullable=True),
        sa.Column("checkpoint_name", sa.String(length=255), nullable=True),
        sa.Column("loras_used", Document, nullable=False),
        sa.Column("workflow_json", Document, nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("cached", sa.Boolean(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("outputs", Document, nullable=False),
        sa.Column("generation_time_seconds", sa.Float(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("completed_at", Moment(), nullable=True),
        sa.Column("rev", Revision, nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["comfyui_sessions.id"], name=op.f("fk_comfyui_generations_session_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comfyui_generations")),
        sa.UniqueConstraint("prompt_id", name=op.f("uq_comfyui_generations_prompt_id")),
    )
    op.create_index(op.f("ix_comfyui_generations_created_at"), "comfyui_generations", ["created_at"], unique=False)
    op.create_index(op.f("ix_comfyui_generations_rev"), "comfyui_generations", ["rev"], unique=False)
    op.create_index(op.f("ix_comfyui_generations_session_id"), "comfyui_generations", ["session_id"], unique=False)
    op.create_index(op.f("ix_comfyui_generations_status"), "comfyui_generations", ["status"], unique=False)
    op.create_index(op.f("ix_comfyui_generations_workflow_id"), "comfyui_generations", ["workflow_id"], unique=False)
    op.execute("INSERT INTO revision (id, value) VALUES (1, 0)")


def downgrade() -> None:
    raise NotImplementedError("The first revision is the ground: delete the store instead")

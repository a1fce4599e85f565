"""Every table. The eight of the reference by its names, ours beside them.

Each row carries `rev`, the number of the transaction that last wrote it, and each deletion leaves a tombstone with its
own: who remembers the highest `rev` it has seen reads only what changed since.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from spoonkernel.store.columns import Document, Id, Moment, Revision, Seed
from spoonkernel.store.conversation_tables import conversation_files, conversation_turns, conversations
from spoonkernel.store.schema import id_column, metadata, profile_column, rev_column

revision = Table(
    "revision",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", Revision, nullable=False),
)
"""One row: the number of the last write transaction of any process."""

tombstones = Table(
    "tombstones",
    metadata,
    Column("rev", Revision, primary_key=True, autoincrement=False),
    Column("table_name", String(64), primary_key=True),
    Column("row_id", Id, primary_key=True),
)

profiles = Table(
    "profiles",
    metadata,
    id_column(),
    Column("name", String(255), nullable=False),
    Column("description", Text),
    Column("type", String(20), nullable=False),
    Column("provider", String(50), nullable=False, index=True),
    Column("api_key", LargeBinary),
    Column("url", Text),
    Column("options", Document, nullable=False),
    Column("prompt_template", Text),
    Column("input_modalities", Document, nullable=False),
    Column("output_modalities", Document, nullable=False),
    Column("created_at", Moment, nullable=False, index=True),
    Column("updated_at", Moment, nullable=False),
    rev_column(),
)
"""`api_key` is what the vault made of it, never the key."""

profile_models = Table(
    "profile_models",
    metadata,
    id_column(),
    Column("profile_id", Id, ForeignKey("profiles.id", ondelete="CASCADE"), nullable=False),
    Column("model_id", String(255), nullable=False),
    Column("name", String(255), nullable=False),
    Column("created_at", Moment, nullable=False),
    rev_column(),
    UniqueConstraint("profile_id", "model_id"),
)

provider_settings = Table(
    "provider_settings",
    metadata,
    id_column(),
    Column("provider", String(50), nullable=False, unique=True),
    Column("api_key", LargeBinary),
    Column("endpoint_url", Text),
    Column("default_model", String(255)),
    Column("last_tested", Moment),
    Column("status", String(20), nullable=False),
    Column("error_message", Text),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    rev_column(),
)

tasks = Table(
    "tasks",
    metadata,
    id_column(),
    Column("name", String(255), nullable=False),
    Column("type", String(20), nullable=False),
    Column("provider", String(50), nullable=False),
    profile_column(nullable=True),
    Column("prompt", Text, nullable=False),
    Column("options", Document, nullable=False),
    Column("status", String(20), nullable=False),
    Column("error", Text),
    Column("progress", Float, nullable=False),
    Column("retry_count", Integer, nullable=False),
    Column("idempotency_key", String(255), unique=True),
    Column("request_hash", String(64)),
    Column("claimed_by", String(64)),
    Column("lease_until", Moment),
    Column("not_before", Moment),
    Column("created_at", Moment, nullable=False, index=True),
    Column("started_at", Moment),
    Column("completed_at", Moment),
    rev_column(),
    Index("ix_tasks_status_created_at", "status", "created_at"),
)
"""`claimed_by` and `lease_until`: which worker runs it, and until when it must have said so again. `not_before`: when
the next attempt may start."""

task_attempts = Table(
    "task_attempts",
    metadata,
    id_column(),
    Column("task_id", Id, nullable=False, index=True),
    Column("limit_key", String(64), nullable=False),
    Column("worker_id", String(64), nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("outcome", String(20)),
    Column("error", Text),
    rev_column(),
    Index("ix_task_attempts_limit_key_started_at", "limit_key", "started_at"),
)
"""Each time a worker took a task up. `limit_key` is the profile's id, else the provider's name."""

results = Table(
    "results",
    metadata,
    id_column(),
    Column("task_id", Id, ForeignKey("tasks.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("type", String(20), nullable=False),
    Column("content", Text, nullable=False),
    Column("metadata", Document, nullable=False, key="meta"),
    Column("created_at", Moment, nullable=False, index=True),
    rev_column(),
)
"""The column `metadata` is `results.c.meta` here: `metadata` is SQLAlchemy's own name."""

chat_usage = Table(
    "chat_usage",
    metadata,
    id_column(),
    Column("provider", String(50), nullable=False),
    Column("model", String(255), nullable=False),
    profile_column(nullable=True),
    Column("task_id", Id),
    Column("prompt_tokens", Integer),
    Column("completion_tokens", Integer),
    Column("total_tokens", Integer),
    Column("first_token_ms", Integer),
    Column("duration_ms", Integer, nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("created_at", Moment, nullable=False, index=True),
    rev_column(),
    Column("turn_id", Id),
    Index("ix_chat_usage_model_created_at", "model", "created_at"),
)
"""One row a chat answer: what it took. `outcome` is its finish reason, `error`, or `stopped` by the caller. `task_id`
and `turn_id` say what it was an answer for."""

comfyui_workflows = Table(
    "comfyui_workflows",
    metadata,
    id_column(),
    Column("profile_id", Id, ForeignKey("profiles.id"), nullable=False, index=True),
    Column("name", String(255), nullable=False),
    Column("description", Text),
    Column("workflow_json", Document, nullable=False),
    Column("default_parameters", Document, nullable=False),
    Column("extracted_parameters", Document, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    rev_column(),
)

comfyui_sessions = Table(
    "comfyui_sessions",
    metadata,
    id_column(),
    Column("profile_id", Id, ForeignKey("profiles.id"), nullable=False, index=True),
    Column("title", String(255), nullable=False),
    Column("current_workflow_id", Id),
    Column("last_parameters", Document, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    rev_column(),
)

comfyui_generations = Table(
    "comfyui_generations",
    metadata,
    id_column(),
    Column("session_id", Id, ForeignKey("comfyui_sessions.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("workflow_id", Id, index=True),
    Column("prompt_id", String(64), nullable=False, unique=True),
    Column("prompt_text", Text, nullable=False),
    Column("negative_prompt", Text),
    Column("parameters", Document, nullable=False),
    Column("width", Integer),
    Column("height", Integer),
    Column("steps", Integer),
    Column("cfg_scale", Float),
    Column("seed", Seed),
    Column("sampler_name", String(255)),
    Column("scheduler", String(255)),
    Column("batch_size", Integer),
    Column("checkpoint_name", String(255)),
    Column("loras_used", Document, nullable=False),
    Column("workflow_json", Document, nullable=False),
    Column("status", String(20), nullable=False, index=True),
    Column("cached", Boolean, nullable=False),
    Column("error", Text),
    Column("outputs", Document, nullable=False),
    Column("generation_time_seconds", Float),
    Column("created_at", Moment, nullable=False, index=True),
    Column("completed_at", Moment),
    rev_column(),
    Column("profile_id", Id),
    Column("task_id", Id, index=True),
    Column("idempotency_key", String(255)),
    Column("request_hash", String(64)),
    Column("progress", Float),
    Column("submitted_at", Moment),
    Column("started_at", Moment),
    Column("watcher_id", Id),
    Column("reproduces", Id),
    Column("batch_index", Integer),
    Column("ui_workflow", Document),
    Column("ingredients", Document),
    Column("warnings", Document),
    Column("rating", Integer),
    Index("uq_comfyui_generations_idempotency_key", "idempotency_key", unique=True),
    Index("ix_comfyui_generations_session_id_created_at", "session_id", "created_at"),
)
"""`workflow_json` is the graph as it was submitted. `submitted_at`: when ComfyUI had taken it; before that it may be
submitted again. `watcher_id`: which process waits for its end."""

comfyui_files = Table(
    "comfyui_files",
    metadata,
    id_column(),
    Column("generation_id", Id, ForeignKey("comfyui_generations.id", ondelete="CASCADE"), index=True),
    Column("profile_id", Id, nullable=False),
    Column("filename", String(512), nullable=False, index=True),
    Column("subfolder", String(512), nullable=False),
    Column("folder", String(10), nullable=False),
    Column("content", String(255)),
    Column("thumbnail", String(255)),
    Column("content_type", String(100)),
    Column("size_bytes", BigInteger),
    Column("file_sha256", String(64)),
    Column("pixel_sha256", String(64)),
    Column("created_at", Moment, nullable=False),
    rev_column(),
)
"""Every file of a ComfyUI that Spoon knows of: outputs that generations recorded, and uploads (no generation). The
image proxy serves these and no others. `content` and `thumbnail` are paths in the media folder."""

watchers = Table(
    "watchers",
    metadata,
    id_column(),
    Column("lease_until", Moment, nullable=False),
    rev_column(),
)
"""The processes that watch generations. What a process watched is another's to watch once its lease has run out."""

__all__ = [
    "chat_usage",
    "comfyui_files",
    "comfyui_generations",
    "comfyui_sessions",
    "comfyui_workflows",
    "conversation_files",
    "conversation_turns",
    "conversations",
    "metadata",
    "profile_models",
    "profiles",
    "provider_settings",
    "results",
    "revision",
    "task_attempts",
    "tasks",
    "tombstones",
    "watchers",
]

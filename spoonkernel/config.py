"""Everything that can be set from outside, read once at start. An empty value counts as not set."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from platformdirs import user_data_path

from spoonkernel.errors import BadRequest

PROVIDER_KEYS = {"openai": "OPENAI_API_KEY", "claude": "ANTHROPIC_API_KEY", "gemini": "GEMINI_API_KEY"}
"""Each keyed provider's usual environment variable."""

PLAIN_IN_PATHS = "/\\:"
"""What a file's address holds as it is, on Windows too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One workbench's settings. `database_url` and `redis_url` of None mean: the embedded file, the own process."""

    data_dir: Path
    database_url: str | None = field(default=None, repr=False)
    redis_url: str | None = field(default=None, repr=False)
    ollama_url: str = "http://localhost:11434"
    ollama_named: bool = False
    """Whether somebody set `ollama_url`: only then is an Ollama that does not answer a trouble."""
    comfyui_url: str | None = None
    comfyui_allow_nodes: tuple[str, ...] = ()
    """Node classes that workflows may hold although they may run code or the like (`services/node_rules.py`); `*` is
    every class."""
    encryption_keys: tuple[str, ...] = field(default=(), repr=False)
    """Newest first; empty means the key file in the data folder."""
    provider_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    concurrency: int = 8
    """Tasks that one worker runs at once, over all profiles."""
    stop_deadline_s: float = 10.0
    """How long a stopping worker lets running tasks end before it puts them back in the queue."""
    database_queries: bool | None = None
    """Whether the store may be asked in SQL: by nobody, by all who reach the server, or (None) from this machine."""
    query_memory_mb: int = 1_024
    """What one question in SQL may take, the copy of the store included."""
    query_timeout_s: float = 10.0

    @property
    def store_url(self) -> str:
        """The store as SQLAlchemy takes it, which reads `%20` as a blank."""
        return self.database_url or f"sqlite:///{quote(str(self.store_file), safe=PLAIN_IN_PATHS)}"

    @property
    def store_file(self) -> Path:
        """The embedded store."""
        return self.data_dir / "spoon.db"

    @property
    def key_file(self) -> Path:
        """Where the encryption keys lie when `encryption_keys` has none."""
        return self.data_dir / "encryption.key"

    @property
    def media_dir(self) -> Path:
        return self.data_dir / "media"

    @property
    def models_dir(self) -> Path:
        """Where pulled weights of the local engine lie."""
        return self.data_dir / "models"


def read_config(environ: Mapping[str, str] | None = None, *, data: str | Path | None = None) -> Config:
    """The configuration of the environment: the reference's names, `DATABASE_URL`, `REDIS_URL` and `SPOON_*`.

    Args:
        environ: the variables; None takes the process's own.
        data: the data folder; wins over `SPOON_DATA`. Without either it is the user's data folder for `spoon`.

    Raises:
        BadRequest: a setting has a value that it cannot have.
    """
    env = {name: value.strip() for name, value in (os.environ if environ is None else environ).items() if value.strip()}
    folder = Path(data or env.get("SPOON_DATA") or user_data_path("spoon")).expanduser().resolve()
    return Config(
        data_dir=folder,
        database_url=_database_url(env),
        redis_url=_redis_url(env),
        ollama_url=env.get("OLLAMA_URL", "http://localhost:11434").rstrip("/"),
        ollama_named="OLLAMA_URL" in env,
        comfyui_url=env.get("COMFYUI_URL"),
        comfyui_allow_nodes=_listed(env.get("SPOON_COMFYUI_ALLOW_NODES", "")),
        encryption_keys=_listed(env.get("SPOON_ENCRYPTION_KEY", "")),
        provider_keys={name: env[variable] for name, variable in PROVIDER_KEYS.items() if variable in env},
        concurrency=_whole_number(env, "SPOON_CONCURRENCY", 8, least=1),
        stop_deadline_s=float(_whole_number(env, "SPOON_STOP_DEADLINE_S", 10, least=0)),
        database_queries=_yes_or_no(env, "SPOON_DATABASE_QUERIES"),
        query_memory_mb=_whole_number(env, "SPOON_DATABASE_MEMORY_MB", 1_024, least=128),
        query_timeout_s=float(_whole_number(env, "SPOON_DATABASE_TIMEOUT_S", 10, least=1)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAccess:
    """How this process shows itself to a Spoon server."""

    token: str | None = field(default=None, repr=False)
    allow_plain: bool = False
    """Whether a token may go over `http://` to another machine, readable to everybody between."""


def read_server_access(environ: Mapping[str, str] | None = None, *, token: str | None = None) -> ServerAccess:
    """What the environment says; `token` wins over `SPOON_TOKEN`.

    Raises:
        BadRequest: the token has a character that none has.
    """
    env = os.environ if environ is None else environ
    word = (env.get("SPOON_TOKEN", "") if token is None else token).strip()
    if not all("!" <= letter <= "~" for letter in word):
        raise BadRequest("The token holds a character that no token has, such as a space or a line break")
    return ServerAccess(token=word or None, allow_plain=env.get("SPOON_ALLOW_PLAIN", "").strip() == "1")


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _database_url(env: Mapping[str, str]) -> str | None:
    if url := env.get("DATABASE_URL"):
        return url
    if not (host := env.get("DB_HOST")):
        return None
    user, password = quote(env.get("DB_USER", "postgres"), safe=""), quote(env.get("DB_PASSWORD", ""), safe="")
    login = f"{user}:{password}" if password else user
    return f"postgresql://{login}@{host}:{env.get('DB_PORT', '5432')}/{env.get('DB_NAME', 'spoon')}"


def _redis_url(env: Mapping[str, str]) -> str | None:
    if url := env.get("REDIS_URL"):
        return url
    return f"redis://{env['REDIS_HOST']}:{env.get('REDIS_PORT', '6379')}/0" if "REDIS_HOST" in env else None


def _whole_number(env: Mapping[str, str], name: str, default: int, *, least: int) -> int:
    text = env.get(name, str(default))
    if not text.isdigit() or int(text) < least:
        raise BadRequest(f"{name} is {text!r}: it takes a whole number of at least {least}")
    return int(text)


def _yes_or_no(env: Mapping[str, str], name: str) -> bool | None:
    text = env.get(name)
    if text not in {None, "0", "1"}:
        raise BadRequest(f"{name} is {text!r}: it takes 1 (yes) or 0 (no)")
    return None if text is None else text == "1"

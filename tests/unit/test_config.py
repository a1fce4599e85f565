from pathlib import Path

import pytest
from sqlalchemy import make_url

from spoonkernel.config import read_config
from spoonkernel.errors import BadRequest


def test_nothing_set_means_everything_embedded() -> None:
    config = read_config({})
    assert (config.database_url, config.redis_url, config.comfyui_url) == (None, None, None)
    assert config.ollama_url == "http://localhost:11434"
    assert not config.ollama_named


def test_the_names_of_the_reference_work_as_printed() -> None:
    config = read_config(
        {
            "DB_HOST": "db",
            "DB_PORT": "6543",
            "REDIS_HOST": "cache",
            "REDIS_PORT": "7000",
            "OLLAMA_URL": "http://gpu:11434/",
            "COMFYUI_URL": "http://gpu:8188",
        }
    )
    assert config.database_url == "postgresql://postgres@db:6543/spoon"
    assert config.redis_url == "redis://cache:7000/0"
    assert (config.ollama_url, config.ollama_named) == ("http://gpu:11434", True)
    assert config.comfyui_url == "http://gpu:8188"


def test_empty_values_count_as_unset() -> None:
    config = read_config({"DB_HOST": "", "REDIS_URL": " ", "OPENAI_API_KEY": "", "OLLAMA_URL": "", "SPOON_DATA": ""})
    assert config.database_url is None
    assert config.redis_url is None
    assert config.provider_keys == {}
    assert not config.ollama_named


def test_a_url_wins_over_its_parts_and_passwords_are_quoted() -> None:
    assert read_config({"DATABASE_URL": "postgresql://x/y", "DB_HOST": "z"}).database_url == "postgresql://x/y"
    config = read_config({"DB_HOST": "h", "DB_USER": "me", "DB_PASSWORD": "p@ss/word", "DB_NAME": "n"})
    assert config.database_url == "postgresql://me:p%40ss%2Fword@h:5432/n"


def test_keys_of_the_environment_are_found_and_not_shown() -> None:
    config = read_config({"OPENAI_API_KEY": "sk-canary", "ANTHROPIC_API_KEY": "a", "GEMINI_API_KEY": "g"})
    assert dict(config.provider_keys) == {"openai": "sk-canary", "claude": "a", "gemini": "g"}
    assert "canary" not in repr(config)


def test_the_data_folder_of_the_call_wins(tmp_path: Path) -> None:
    assert read_config({"SPOON_DATA": "/elsewhere"}, data=tmp_path).data_dir == tmp_path
    assert read_config({"SPOON_DATA": str(tmp_path)}).data_dir == tmp_path


def test_the_address_of_the_store_leads_to_its_file_whatever_the_folders_are_called(tmp_path: Path) -> None:
    config = read_config({}, data=tmp_path / "what? 100%41 #1 é")
    assert make_url(config.store_url).database == str(config.store_file)


@pytest.mark.parametrize("value", ["zero", "0", "-3", "1.5"])
def test_a_number_that_makes_no_sense_is_named(value: str) -> None:
    with pytest.raises(BadRequest, match="SPOON_CONCURRENCY"):
        read_config({"SPOON_CONCURRENCY": value})


def test_encryption_keys_are_newest_first() -> None:
    assert read_config({"SPOON_ENCRYPTION_KEY": "new, old"}).encryption_keys == ("new", "old")

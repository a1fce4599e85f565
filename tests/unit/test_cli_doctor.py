"""`spoon doctor`: every finding by what is really there."""

import json
import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from spoonkernel.cli import main
from spoonkernel.cli.doctor import EXTRAS, examine
from spoonkernel.config import read_config


def findings(data, **environ):
    return {finding.what: finding for finding in examine(read_config(environ, data=data))}


def test_a_fresh_start_works_and_says_what_could_be_added(tmp_path):
    found = findings(tmp_path / "new", OLLAMA_URL="")
    assert {finding.state for finding in found.values()} <= {"ok", "optional"}
    assert found["Store"].said == "embedded; its file is made at the first start"
    assert found["Encryption key"].said == "is made at the first start"
    assert found["Local models"].fix == "spoon models pull smollm2:135m"
    assert "COMFYUI_URL" in found["ComfyUI"].fix


def test_the_command_ends_with_0_and_prints_fixes(capsys, tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("DB_", "DATABASE_", "REDIS_", "SPOON_"))]:
        monkeypatch.delenv(name)
    assert main(["doctor", "--data", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert said.endswith("Spoon can work.\n")
    assert "-> workers need REDIS_URL" in said


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_a_key_file_that_others_can_read_is_broken(tmp_path, capsys):
    file = tmp_path / "encryption.key"
    file.write_text("A" * 43 + "=")
    file.chmod(0o644)
    assert findings(tmp_path)["Encryption key"].fix == f"chmod 600 '{file}'"
    assert main(["doctor", "--data", str(tmp_path)]) == 1
    assert "Spoon cannot work yet: Encryption key." in capsys.readouterr().out
    file.chmod(0o600)
    assert findings(tmp_path)["Encryption key"].state == "ok"


def test_a_data_folder_that_cannot_be_is_broken(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    found = findings(tmp_path / "file")["Data folder"]
    assert (found.state, found.fix) == ("broken", "make it writable, or name another with --data or SPOON_DATA")


def test_a_damaged_store_is_broken(tmp_path):
    (tmp_path / "spoon.db").write_bytes(b"this is no database" * 100)
    assert findings(tmp_path)["Store"].state == "broken"


def test_nothing_secret_is_shown(tmp_path, capsys, monkeypatch):
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    secrets = {
        "OPENAI_API_KEY": "sk-canary-1",
        "REDIS_URL": f"redis://me:canary-2@127.0.0.1:{port}/0",
        "DATABASE_URL": f"postgresql://me:canary-3@127.0.0.1:{port}/spoon?password=canary-4",
        "COMFYUI_URL": f"http://me:canary-5@127.0.0.1:{port}",
        "SPOON_ENCRYPTION_KEY": "canary-6",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    assert main(["doctor", "--data", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "canary" not in said.out + said.err
    assert "in the environment: OPENAI_API_KEY" in said.out
    assert f"Postgres at 127.0.0.1:{port} refuses or does not answer" in said.out
    assert f"!     Redis            127.0.0.1:{port} refuses or does not answer" in said.out


def test_questions_in_sql_are_installed_missing_or_switched_off(tmp_path, monkeypatch):
    assert findings(tmp_path)["Questions"].said == "installed: %%sql, wb.database, the query pane"
    assert findings(tmp_path, SPOON_DATABASE_QUERIES="0")["Questions"].said == "switched off here"
    monkeypatch.setitem(EXTRAS, "query", ("duckdb_of_nobody", "pytz"))
    found = findings(tmp_path)["Questions"]
    assert (found.state, found.said) == ("optional", "missing: duckdb_of_nobody")
    assert found.fix == "pip install 'spoon-workbench[query]'"


def test_settings_that_make_no_sense_are_told_and_not_raised(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("SPOON_CONCURRENCY", "lots")
    assert main(["doctor", "--data", str(tmp_path)]) == 1
    assert "SPOON_CONCURRENCY is 'lots'" in capsys.readouterr().out


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.path in {"/api/version", "/system_stats"}
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(json.dumps({}).encode())

    def log_message(self, *_: object) -> None:
        pass


def test_servers_that_answer_are_found(tmp_path):
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        found = findings(tmp_path, OLLAMA_URL=url, COMFYUI_URL=url)
        server.shutdown()
    assert (found["Ollama"].state, found["ComfyUI"].state) == ("ok", "ok")

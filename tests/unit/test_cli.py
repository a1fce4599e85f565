"""The `spoon` command without starting anything: arguments, help texts, and what it refuses."""

import argparse
import os
import socket
import subprocess
import sys
import time

import pytest

from spoonkernel.cli import build_parser, main
from spoonkernel.cli.serve import listen
from spoonkernel.errors import BadRequest

COMMANDS = ["lab", "serve", "worker", "models", "doctor"]


def test_help_names_every_command_and_where_to_start(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(command in text for command in COMMANDS)
    assert "Start with `spoon lab`" in text


@pytest.mark.parametrize("command", [[name] for name in COMMANDS] + [["models", "list"], ["models", "pull"]])
def test_every_command_explains_itself_and_each_of_its_options(capsys, command):
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    assert f"usage: spoon {' '.join(command)}" in capsys.readouterr().out
    for action in options(build_parser(), command):
        assert action.help, f"{action.dest} says nothing"


def options(parser: argparse.ArgumentParser, command: list[str]) -> list[argparse.Action]:
    for name in command:
        [below] = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        parser = below.choices[name]
    return [action for action in parser._actions if not isinstance(action, argparse._SubParsersAction)]


def test_help_starts_fast_because_it_loads_nothing_heavy():
    code = (
        "HEAVY = ['httpx', 'sqlalchemy', 'pydantic', 'fastapi', 'uvicorn']\n"
        "import sys; from spoonkernel.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print([name for name in HEAVY if name in sys.modules])"
    )
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert time.perf_counter() - started < 3  # 0.05 s on a quiet machine; the line above is the real test


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "COMMAND"),
        (["cook"], "invalid choice"),
        (["serve", "--port", "99999"], "is not a port"),
        (["serve", "--port", "-1"], "is not a port"),
        (["serve", "--workers", "many"], "not a number of processes"),
        (["models"], "ACTION"),
        (["models", "pull"], "NAME"),
    ],
)
def test_wrong_arguments_end_with_2_and_say_what_is_wrong(capsys, arguments, complaint):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "", "127.0.0.1.evil.example"])
def test_serving_beyond_this_machine_is_refused_with_the_way_to_do_it(capsys, tmp_path, host):
    assert main(["serve", "--host", host, "--port", "0", "--data", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "this version has no login" in said
    assert "ssh -L" in said


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2"])
def test_loopback_addresses_are_listened_on(host):
    with listen(host, 0) as listener:
        assert listener.getsockname()[1] > 0


def test_a_port_in_use_is_named_with_what_to_do():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(
            BadRequest, match=rf"Cannot listen on port {port} of 127.0.0.1: .*--port \(0 takes any free"
        ):
            listen("127.0.0.1", port)


def test_port_from_the_environment_must_be_one(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("PORT", "http")
    assert main(["serve", "--data", str(tmp_path)]) == 1
    assert "PORT is 'http'" in capsys.readouterr().err


@pytest.fixture
def no_redis(monkeypatch):
    for name in ("REDIS_URL", "REDIS_HOST"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("arguments", [["worker"], ["serve", "--port", "0", "--workers", "2"]])
def test_workers_without_redis_are_refused(no_redis, capsys, tmp_path, arguments):
    assert main([*arguments, "--data", str(tmp_path)]) == 1
    assert "set REDIS_URL" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "library", "extra"), [("serve", "uvicorn", "server"), ("lab", "jupyterlab", "lab")]
)
def test_a_missing_extra_is_named_with_its_pip_line(capsys, monkeypatch, command, library, extra):
    monkeypatch.setitem(sys.modules, library, None)
    assert main([command, "--port", "0"]) == 1
    assert f"({library} missing): pip install 'spoon-workbench[{extra}]'" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_one_sentence(capsys, tmp_path):
    (tmp_path / "data").write_text("a file where the folder should be")
    assert main(["lab", "--port", "0", "--data", str(tmp_path / "data")]) == 1
    assert "data/notebooks: Not a directory" in capsys.readouterr().err


def test_the_module_runs_as_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "spoonkernel.cli", "models", "pull", "nothing"],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("spoon: Cannot pull nothing: only smollm2:135m")

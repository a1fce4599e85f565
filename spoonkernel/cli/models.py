"""`spoon models list` and `spoon models pull NAME`."""

import argparse
import asyncio
import sys
from contextlib import aclosing
from pathlib import Path
from typing import TextIO

from spoonkernel.config import read_config
from spoonkernel.providers.weights import KNOWN, list_weights, pull
from spoonkernel.types.models import PullProgress, human_size

BAR = 30  # characters
PLAIN_STEP = 25  # percent between two lines where no terminal shows them


def run(args: argparse.Namespace) -> int:
    models_dir = read_config(data=args.data).models_dir
    if args.action == "pull":
        asyncio.run(_pull(args.name, models_dir))
    else:
        _list(models_dir)
    return 0


def _list(models_dir: Path) -> None:
    found = list_weights(models_dir)
    for name, path in found.items():
        print(f"{name:<32} {human_size(path.stat().st_size):>8}  {path}")
    for name, weights in KNOWN.items():
        if name not in found:
            print(f"{name:<32} {human_size(weights.size_bytes):>8}  not here yet: spoon models pull {name}")


async def _pull(name: str, models_dir: Path) -> None:
    meter = Meter(sys.stdout)
    async with aclosing(pull(name, models_dir)) as pieces:
        try:
            async for piece in pieces:
                meter.show(piece)
        finally:
            meter.end()
    print(f"{name} is ready in {models_dir}")


class Meter:
    """How far a download is: one line that grows on a terminal, a line for each quarter elsewhere (logs, notebooks)."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._live = out, out.isatty()
        self._next, self._drawn = 0, False

    def show(self, piece: PullProgress) -> None:
        total = piece.total_bytes or piece.completed_bytes or 1
        percent = 100 * piece.completed_bytes // total
        text = f"{percent:3}%  {human_size(piece.completed_bytes)} of {human_size(total)}"
        if self._live:
            filled = BAR * percent // 100
            print(
                f"\r{piece.name}  [{'#' * filled}{'.' * (BAR - filled)}] {text}   ", end="", file=self._out, flush=True
            )
            self._drawn = True
        elif percent >= self._next or piece.done:
            print(f"{piece.name} {text}", file=self._out, flush=True)
            self._next = percent - percent % PLAIN_STEP + PLAIN_STEP

    def end(self) -> None:
        """Leave the line that was drawn on."""
        if self._drawn:
            print(file=self._out)

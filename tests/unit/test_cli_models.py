"""`spoon models`: the list, and the progress of a download on a terminal and elsewhere."""

import io

from spoonkernel.cli import main
from spoonkernel.cli.models import Meter
from spoonkernel.types.models import PullProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(out: io.StringIO) -> str:
    meter = Meter(out)
    for completed in (0, 1_000_000, 30_000_000, 31_000_000, 93_000_000):
        meter.show(PullProgress(name="tiny", completed_bytes=completed, total_bytes=100_000_000))
    meter.show(PullProgress(name="tiny", completed_bytes=98_000_000, total_bytes=98_000_000, done=True))
    meter.end()
    return out.getvalue()


def test_elsewhere_there_is_a_line_for_each_quarter_and_one_at_the_end():
    assert shown(io.StringIO()).splitlines() == [
        "tiny   0%  0 B of 100 MB",
        "tiny  30%  30 MB of 100 MB",
        "tiny  93%  93 MB of 100 MB",
        "tiny 100%  98 MB of 98 MB",
    ]


def test_on_a_terminal_one_line_grows():
    said = shown(Terminal())
    assert said.count("\n") == 1
    assert said.count("\r") == 6
    assert f"[{'#' * 9}{'.' * 21}]  30%" in said
    assert said.endswith(f"[{'#' * 30}] 100%  98 MB of 98 MB   \n")


def test_the_list_shows_what_is_here_and_what_can_be_pulled(capsys, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.gguf").write_bytes(b"GGUF" + b"x" * 2_000_000)
    assert main(["models", "list", "--data", str(tmp_path)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.split() == ["mine", "2.0", "MB", str(tmp_path / "models" / "mine.gguf")]
    assert second.endswith("not here yet: spoon models pull smollm2:135m")

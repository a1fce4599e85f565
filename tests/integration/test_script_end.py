"""A script that closes nothing still ends, and leaves the store whole."""

import subprocess
import sys

SCRIPT = """
import spoonkernel
wb = spoonkernel.open(data={data!r})
wb.settings.list().result(10)
print(wb.tasks.create(name="kept", type="text", provider="claude", prompt="p").result(10).status)
{more}
"""


def run(tmp_path, more=""):
    script = SCRIPT.format(data=str(tmp_path / "data"), more=more)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)


def test_script_without_close_ends_by_itself(tmp_path):
    done = run(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "pending\n", "")


def test_script_that_fails_ends_with_its_own_error(tmp_path):
    done = run(tmp_path, more="raise SystemExit('my own words')")
    assert (done.returncode, done.stderr) == (1, "my own words\n")

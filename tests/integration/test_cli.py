"""`spoon models` as a process."""

import os
import subprocess
import sys

from spoonkernel.providers.weights import SMOLLM2


def spoon(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "spoonkernel.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
        env=os.environ | environ,
    )


def test_pull_brings_the_demo_model_and_says_how_far_it_is(tmp_path):
    done = spoon("models", "pull", SMOLLM2.name, "--data", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == [
        "smollm2:135m 100%  98 MB of 98 MB",
        f"smollm2:135m is ready in {tmp_path / 'models'}",
    ]
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["smollm2-135m.gguf"]
    listed = spoon("models", "list", "--data", str(tmp_path)).stdout
    assert listed.split()[:3] == ["smollm2:135m", "98", "MB"]


def test_a_failed_pull_is_one_sentence_on_stderr(tmp_path):
    done = spoon("models", "pull", "gpt-9", "--data", str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1

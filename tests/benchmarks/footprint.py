"""What Spoon costs before it does anything: import, start, idle memory and CPU.

Baselines in the same run: `import pydantic` for the import, a bare FastAPI app on uvicorn for the server. Linux only:
memory and CPU are read from /proc. Bytecode is compiled before anything is timed, as pip does.
"""

import argparse
import compileall
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from processes import app, spoon

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def import_cpu_s(module: str, runs: int) -> float:
    """Median CPU seconds of `import module` over a bare interpreter's own start."""
    return _start_cpu_s(f"import {module}", runs) - _start_cpu_s("pass", runs)


def _start_cpu_s(code: str, runs: int) -> float:
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    taken = []
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True, env=clean)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return statistics.median(taken)


def memory_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES / 1e6


def cpu_s(pid: int) -> float:
    """CPU seconds of the process so far, user and system (fields 14 and 15 of /proc/PID/stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def idle(pid: int, seconds: float) -> tuple[float, float]:
    """Memory in MB and CPU in percent of one core while nothing is asked of the process."""
    before = cpu_s(pid)
    time.sleep(seconds)
    return memory_mb(pid), (cpu_s(pid) - before) / seconds * 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--idle-s", type=float, default=20)
    options = parser.parse_args()
    compileall.compile_dir(str(Path(__file__).parents[2] / "spoonkernel"), quiet=2)
    ours, pydantic = import_cpu_s("spoonkernel", options.runs), import_cpu_s("pydantic", options.runs)
    print(f"import spoonkernel {ours * 1e3:6.0f} ms CPU  {ours / pydantic:5.0%} of pydantic, {pydantic * 1e3:.0f} ms")

    with app("fakes:relay") as bare, tempfile.TemporaryDirectory() as data:
        pid = int(subprocess.check_output(["pgrep", "-f", f"uvicorn.*{bare.rsplit(':', 1)[1]}"]).split()[0])
        bare_mb, bare_cpu = idle(pid, options.idle_s)
        for start in ("first start", "second start"):
            with spoon(Path(data)) as (url, pid, seconds):
                urllib.request.urlopen(f"{url}/api/health").read()
                mb, cpu = idle(pid, options.idle_s)
            print(
                f"spoon serve, {start:12} healthy after {seconds:4.2f} s  {mb:5.0f} MB ({mb / bare_mb:.1f} x a bare "
                f"app's {bare_mb:.0f} MB)  idle {cpu:4.2f} % CPU (bare {bare_cpu:.2f} %)"
            )


if __name__ == "__main__":
    main()

from collections import Counter
from dataclasses import replace

from engine_rig import read_log, rig, worker
from spoonkernel.config import Config


async def test_after_kill_9_every_task_completes_once_and_only_those_running_ran_twice(tmp_path):
    config, log = Config(data_dir=tmp_path, concurrency=5), tmp_path / "runs"
    with worker(config, log) as process:
        async with rig(config, role="submit-only") as spoon:
            ids = [(await spoon.submit(sleep_s=1)).id for _ in range(200)]
            await spoon.until("running", ids[0])
            process.kill()
            process.wait()
            left = await spoon.counts()
            assert left["pending"] > 150
    with worker(replace(config, concurrency=100), log):
        async with rig(config, role="submit-only") as spoon:
            await spoon.until("complete", *ids, timeout_s=60)
            assert await spoon.results_per_task() == {1: 200}
            assert await spoon.counts() == {"complete": 200}
    starts = Counter(task_id for what, task_id, *_ in read_log(log) if what == "start")
    assert set(starts) == set(ids)
    assert sum(count == 2 for count in starts.values()) <= 5
    assert max(starts.values()) <= 2

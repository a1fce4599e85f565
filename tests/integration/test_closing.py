"""What is left of a workbench that was closed."""

import gc
import weakref

from spoonkernel.config import Config
from spoonkernel.workbench import Workbench


async def test_a_closed_workbench_leaves_nothing_in_memory(tmp_path):
    """A notebook may open many in its day, and what queues tasks keeps each function that it was ever given."""
    left = [await opened_and_closed(tmp_path / str(number)) for number in range(2)]
    gc.collect()
    assert [one() for workbench in left for one in workbench] == [None] * 6


async def opened_and_closed(folder) -> list[weakref.ref[object]]:
    folder.mkdir()
    async with Workbench(Config(data_dir=folder)) as workbench:
        profile = await workbench.profiles.create(name="p", type="text", provider="ollama", url="http://127.0.0.1:9")
        await workbench.tasks.list()
        assert profile.name == "p"
        return [weakref.ref(one) for one in (workbench, workbench.tasks, workbench.chat)]

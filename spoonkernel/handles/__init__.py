"""Work that a notebook started: await it, wait for it, watch it, stop it, show it.

run = wb.generate("a lighthouse")     # starts at once, never blocks the cell
await run                             # the row; interrupting the kernel stops the run itself
async for event in run: ...           # what happens, as it happens
run.cancel()
"""

from spoonkernel.handles.generations import GenerationRun
from spoonkernel.handles.handle import Handle, RunStatus
from spoonkernel.handles.opened import LiveWorkbench, OpenWorkbench
from spoonkernel.handles.replies import Reply
from spoonkernel.handles.tasks import TaskRun

__all__ = ["GenerationRun", "Handle", "LiveWorkbench", "OpenWorkbench", "Reply", "RunStatus", "TaskRun"]

from fastapi import Response

from spoonkernel.types.health import Health
from spoonserver.deps import WorkbenchDep
from spoonserver.envelope import Data
from spoonserver.rooms import room

router = room("Health", "")


@router.get("/health", responses={503: {"model": Data[Health], "description": "The store cannot be reached"}})
async def check_health(workbench: WorkbenchDep, response: Response) -> Data[Health]:
    """What is connected. `unhealthy` (503) only when the store cannot be reached."""
    health = await workbench.health.check()
    if health.status == "unhealthy":
        response.status_code = 503
    return Data(data=health)

"""Who does a task, in the words of people: the name of its profile, else its model, else its provider."""

from spoonkernel.errors import SpoonError
from spoonkernel.types.generations import Generation
from spoonkernel.types.tasks import Task
from spoonwidgets._base import Workbench


class Names:
    """Looks profiles and sessions up when it first meets one that it does not know."""

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench
        self._profiles: dict[str, str] = {}
        self._sessions: dict[str, str] = {}

    async def of_task(self, task: Task) -> str:
        """Empty where the task names no profile: its row says the rest itself."""
        profile_id = str(task.options.get("profileId") or task.options.get("profile_id") or "")
        if profile_id and profile_id not in self._profiles:
            self._profiles[profile_id] = await self._profile(profile_id)
        return self._profiles.get(profile_id, "")

    async def of_generation(self, generation: Generation) -> str:
        session_id = generation.session_id
        if session_id not in self._sessions:
            try:
                found = await self._workbench.inner.sessions.list()
            except SpoonError:
                return ""
            self._sessions |= {session.id: session.profile_name for session in found}
            self._sessions.setdefault(session_id, "")
        return self._sessions[session_id]

    async def _profile(self, profile_id: str) -> str:
        try:
            return (await self._workbench.inner.profiles.get(profile_id)).name
        except SpoonError:
            return ""

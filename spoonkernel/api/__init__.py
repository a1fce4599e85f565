"""The map of the product: one Protocol a room, each method carrying its endpoint. Start reading here.

`WorkbenchAPI` is what `spoonkernel.open()` returns, whether it runs embedded or talks to a server. Services satisfy
these Protocols; the remote client, the endpoint table of the README and the coverage tests are built from the marks.
"""

from typing import Protocol

from spoonkernel.api.chat import ChatAPI
from spoonkernel.api.comfyui import ComfyUIAPI
from spoonkernel.api.conversations import ConversationsAPI
from spoonkernel.api.database import DatabaseAPI
from spoonkernel.api.generations import GenerationsAPI
from spoonkernel.api.health import HealthAPI
from spoonkernel.api.marks import Endpoint, endpoints, http
from spoonkernel.api.models import ModelsAPI
from spoonkernel.api.profiles import ProfilesAPI
from spoonkernel.api.results import ResultsAPI
from spoonkernel.api.sessions import SessionsAPI
from spoonkernel.api.settings import SettingsAPI
from spoonkernel.api.tasks import TasksAPI
from spoonkernel.api.workflows import WorkflowsAPI

ROOMS: dict[str, type] = {
    "health": HealthAPI,
    "models": ModelsAPI,
    "settings": SettingsAPI,
    "profiles": ProfilesAPI,
    "chat": ChatAPI,
    "tasks": TasksAPI,
    "results": ResultsAPI,
    "comfyui": ComfyUIAPI,
    "sessions": SessionsAPI,
    "workflows": WorkflowsAPI,
    "generations": GenerationsAPI,
    "conversations": ConversationsAPI,
    "database": DatabaseAPI,
}
"""Room name -> its Protocol: the attributes of a workbench, in the order of the reference."""


class WorkbenchAPI(Protocol):
    """Everything Spoon can do, one room per section of the reference."""

    @property
    def health(self) -> HealthAPI: ...
    @property
    def models(self) -> ModelsAPI: ...
    @property
    def settings(self) -> SettingsAPI: ...
    @property
    def profiles(self) -> ProfilesAPI: ...
    @property
    def chat(self) -> ChatAPI: ...
    @property
    def tasks(self) -> TasksAPI: ...
    @property
    def results(self) -> ResultsAPI: ...
    @property
    def comfyui(self) -> ComfyUIAPI: ...
    @property
    def sessions(self) -> SessionsAPI: ...
    @property
    def workflows(self) -> WorkflowsAPI: ...
    @property
    def generations(self) -> GenerationsAPI: ...
    @property
    def conversations(self) -> ConversationsAPI: ...
    @property
    def database(self) -> DatabaseAPI: ...


__all__ = [
    "ROOMS",
    "ChatAPI",
    "ComfyUIAPI",
    "ConversationsAPI",
    "DatabaseAPI",
    "Endpoint",
    "GenerationsAPI",
    "HealthAPI",
    "ModelsAPI",
    "ProfilesAPI",
    "ResultsAPI",
    "SessionsAPI",
    "SettingsAPI",
    "TasksAPI",
    "WorkbenchAPI",
    "WorkflowsAPI",
    "endpoints",
    "http",
]

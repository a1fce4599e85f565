"""Spoon's panes for Jupyter. Each is a view of a workbench: the work runs on the workbench's own loop.

A pane is imported when it is first named: a notebook that shows a chat does not load the others.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spoonwidgets._workbench_ui import WorkbenchUI, workbench_ui
    from spoonwidgets.chat import Chat
    from spoonwidgets.gallery import Gallery
    from spoonwidgets.params import Params
    from spoonwidgets.profiles import Profiles
    from spoonwidgets.query import Query
    from spoonwidgets.tasks import Tasks

__all__ = ["Chat", "Gallery", "Params", "Profiles", "Query", "Tasks", "WorkbenchUI", "workbench_ui"]

_HOMES = {
    "Chat": "chat",
    "Gallery": "gallery",
    "Params": "params",
    "Profiles": "profiles",
    "Query": "query",
    "Tasks": "tasks",
    "WorkbenchUI": "_workbench_ui",
    "workbench_ui": "_workbench_ui",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'spoonwidgets' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"spoonwidgets.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

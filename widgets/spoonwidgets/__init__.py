"""Spoon's panes for Jupyter. Each is a view of a workbench: the work runs on the workbench's own loop."""

from spoonwidgets.chat import Chat
from spoonwidgets.tasks import Tasks

__all__ = ["Chat", "Tasks"]

"""The way up to the panes: a package that has some says so in the entry points `spoon.panes`."""

from importlib.metadata import entry_points
from typing import Any

from spoonkernel.errors import BadRequest

GROUP = "spoon.panes"


def show_workbench(workbench: Any) -> Any:
    """The whole workbench as one widget.

    Raises:
        BadRequest: the panes are not installed.
    """
    missing = "The panes are not installed: pip install 'spoon-workbench[lab]'"
    found = entry_points(group=GROUP, name="workbench")
    if not found:
        raise BadRequest(missing)
    try:
        make = next(iter(found)).load()
    except ImportError as error:
        raise BadRequest(f"{missing} ({error})") from error
    return make(workbench)

"""Who can answer, as a chat pane asks for it. The list itself is the kernel's (`spoonkernel.handles.choices`)."""

from collections.abc import Iterable

from spoonkernel.errors import NotFound
from spoonkernel.handles.choices import NOBODY, Choice, choices

__all__ = ["NOBODY", "Choice", "choices", "named", "picked"]


def named(listed: Iterable[Choice], name: str) -> Choice:
    """The model of this name, or of `provider/name` where several providers have it."""
    for choice in listed:
        if name in (choice.model, f"{choice.provider}/{choice.model}"):
            return choice
    raise NotFound(f"No model is called {name!r}; `workbench.models.list()` shows those that answer")


def picked(listed: Iterable[Choice], provider: str, model: str | None, profile_id: str | None) -> Choice:
    """The entry that a page's picker means."""
    for choice in listed:
        if (choice.provider, choice.model, choice.profile_id) == (provider, model, profile_id):
            return choice
    raise NotFound(f"{model or provider} is not among the models any more; look again")

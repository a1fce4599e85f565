"""A conversation for readers without its pane: the copy that a notebook keeps, and rows for a table."""

from collections.abc import Iterable
from typing import Any

from spoonkernel.types.conversations import Turn
from spoonwidgets._snapshot import paragraphs, saved_note

UNTYPESET = "tex2jax_ignore mathjax_ignore"
"""JupyterLab sets formulas in HTML outputs, hidden ones too: a long answer's copy would hold the page up for 200 ms."""


def transcript(turns: list[Turn]) -> tuple[str, str]:
    """One branch as HTML, everything escaped, and as plain text."""
    parts = [("You" if turn.role == "user" else turn.model or "", _note(turn), turn.text) for turn in turns]
    text = "\n\n".join(f"{who}: {said}" for who, _, said in parts)
    body = saved_note("Run the cell to continue this chat.") + paragraphs(parts)
    return f'<div class="{UNTYPESET}">{body}</div>', text


def records(turns: Iterable[Turn], *, shown: Iterable[Turn]) -> list[dict[str, Any]]:
    """Turns as flat rows; `shown` are those of the branch that is shown."""
    on_branch = {turn.id for turn in shown}
    return [
        turn.model_dump(exclude={"usage", "attachments", "conversation_id", "error"})
        | turn.usage.model_dump()
        | {
            "error": turn.error.message if turn.error else None,
            "attachments": len(turn.attachments),
            "shown": turn.id in on_branch,
        }
        for turn in turns
    ]


def _note(turn: Turn) -> str:
    tokens = turn.usage.completion_tokens
    match turn.state:
        case "failed":
            return f"failed: {turn.error.message if turn.error else ''}"
        case "stopped":
            return "stopped"
        case _ if turn.role == "user" and turn.attachments:
            return f"with {len(turn.attachments)} pictures" if len(turn.attachments) > 1 else "with a picture"
        case _:
            return f"{tokens} tokens" if tokens is not None else ""

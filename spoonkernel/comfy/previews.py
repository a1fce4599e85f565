"""How many previews go on to people: the newest few of each prompt. A sampler may make dozens of 35 KB a second."""

from dataclasses import dataclass

from spoonkernel.comfy.messages import Preview


@dataclass(slots=True)
class _Turn:
    last_s: float
    kept: Preview | None = None


class PreviewGate:
    """Lets through `max_per_s` previews of each prompt and keeps the newest of the rest until its turn. Pure.

    Times are seconds of any one clock that does not go back, such as the loop's.
    """

    def __init__(self, max_per_s: float = 4.0) -> None:
        self._gap_s = 1.0 / max_per_s
        self._turns: dict[str, _Turn] = {}

    def offer(self, prompt_id: str, preview: Preview, now_s: float) -> Preview | None:
        """The preview if it may be shown now; else None, and it is kept in place of an older one."""
        turn = self._turns.get(prompt_id)
        if turn is None or now_s >= turn.last_s + self._gap_s:
            self._turns[prompt_id] = _Turn(now_s)
            return preview
        turn.kept = preview
        return None

    def due(self, now_s: float) -> list[tuple[str, Preview]]:
        """The kept previews whose turn has come, by prompt id; they count as shown."""
        ready = []
        for prompt_id, turn in self._turns.items():
            if turn.kept is not None and now_s >= turn.last_s + self._gap_s:
                ready.append((prompt_id, turn.kept))
                turn.last_s, turn.kept = now_s, None
        return ready

    def drop(self, prompt_id: str) -> None:
        """Forget a prompt that has ended, with the preview it may still have had."""
        self._turns.pop(prompt_id, None)

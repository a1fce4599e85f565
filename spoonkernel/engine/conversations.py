"""Hears what other processes did to the conversations of a shared store without Redis (see `watch`)."""

from spoonkernel.bus import Bus
from spoonkernel.store.conversations import ConversationRepo
from spoonkernel.types.events import ConversationChanged


class OverheardConversations:
    """Turns rows that others changed into events. `rows` is the one that this process writes with."""

    def __init__(self, rows: ConversationRepo, bus: Bus) -> None:
        self._rows, self._bus = rows, bus
        self._rev = 0

    async def begin(self) -> None:
        """Take the present state as known."""
        self._rev = await self._rows.last_rev()

    async def tell(self) -> None:
        """Publish what happened to rows since the last look."""
        self._rev, changed = await self._rows.changed_since(self._rev)
        for conversation_id, turn_id in changed:
            await self._bus.publish(ConversationChanged(conversation_id=conversation_id, turn_id=turn_id))

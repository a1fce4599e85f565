from typing import Annotated

from fastapi import Query
from pydantic import Field

from spoonkernel.types.chat import ChatReply
from spoonkernel.types.conversations import (
    Attachment,
    Conversation,
    ConversationCreate,
    ConversationDetail,
    ConversationUpdate,
    ReplyRequest,
    Turn,
    TurnCreate,
)
from spoonserver.deps import Content, Limit, Offset, QueryString, WorkbenchDep, content_docs
from spoonserver.envelope import Confirmation, Data
from spoonserver.rooms import room
from spoonserver.sse import EventStream, TextDelta, chat_frames, stream_docs

router = room("Conversations", "/conversations")


class ConversationQuery(QueryString):
    search: Annotated[str, Field(max_length=1_000)] | None = None
    limit: Limit = 20
    offset: Offset = 0


class AttachmentQuery(QueryString):
    filename: Annotated[str, Field(max_length=255)] = ""


@router.get("")
async def list_conversations(
    query: Annotated[ConversationQuery, Query()], workbench: WorkbenchDep
) -> Data[list[Conversation]]:
    """Conversations, the last changed first. `search` looks in titles and texts."""
    return Data(data=await workbench.conversations.list(**query.given()))


@router.post("", status_code=201)
async def create_conversation(conversation: ConversationCreate, workbench: WorkbenchDep) -> Data[Conversation]:
    """A new conversation. Without a title it takes the beginning of its first question."""
    return Data(data=await workbench.conversations.create(**conversation.given()))


@router.get("/{conversation_id}")
async def get_conversation(conversation_id: str, workbench: WorkbenchDep) -> Data[ConversationDetail]:
    """One conversation with every turn of every branch."""
    return Data(data=await workbench.conversations.get(conversation_id))


@router.put("/{conversation_id}")
async def update_conversation(
    conversation_id: str, changes: ConversationUpdate, workbench: WorkbenchDep
) -> Data[Conversation]:
    """Change what is sent: title, model, system prompt, options, or the branch that is shown."""
    return Data(data=await workbench.conversations.update(conversation_id, **changes.given()))


@router.delete("/{conversation_id}")
async def delete_conversation(conversation_id: str, workbench: WorkbenchDep) -> Confirmation:
    """Delete a conversation with its turns and the files attached to them. Answers being written are stopped."""
    await workbench.conversations.delete(conversation_id)
    return Confirmation(message="Conversation deleted")


@router.post("/{conversation_id}/attachments", status_code=201, openapi_extra=content_docs())
async def attach_picture(
    conversation_id: str, query: Annotated[AttachmentQuery, Query()], content: Content, workbench: WorkbenchDep
) -> Data[Attachment]:
    """Keep a picture for a question. The body is the file itself, 50 MB at most; use the answer's `content`."""
    return Data(data=await workbench.conversations.attach(conversation_id, content, **query.given()))


@router.post("/{conversation_id}/turns", status_code=201)
async def add_question(conversation_id: str, question: TurnCreate, workbench: WorkbenchDep) -> Data[Turn]:
    """Add a question after `parentId` and show its branch. Nobody answers yet."""
    return Data(data=await workbench.conversations.say(conversation_id, **question.given()))


@router.post(
    "/{conversation_id}/turns/{turn_id}/reply",
    status_code=200,
    response_class=EventStream,
    responses=stream_docs(delta=TextDelta, done=ChatReply),
)
async def stream_answer(
    conversation_id: str, turn_id: str, workbench: WorkbenchDep, wanted: ReplyRequest | None = None
) -> EventStream:
    """Have a question answered: `delta` with text, then one `done`, or `error`, as `/chat/stream` does it.

    A client that hangs up stops the provider; what had arrived is kept as a `stopped` turn.
    """
    given = wanted.given() if wanted else {}
    return EventStream(chat_frames("", workbench.conversations.reply(conversation_id, turn_id, **given)))


@router.delete("/{conversation_id}/turns/{turn_id}")
async def delete_turn(conversation_id: str, turn_id: str, workbench: WorkbenchDep) -> Data[ConversationDetail]:
    """Delete a turn with everything below it, and answer with what is left."""
    return Data(data=await workbench.conversations.delete_turn(conversation_id, turn_id))

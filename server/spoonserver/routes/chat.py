from spoonkernel.types.chat import ChatReply, ChatRequest
from spoonserver.deps import WorkbenchDep
from spoonserver.envelope import Data
from spoonserver.lean import LeanRoute
from spoonserver.rooms import room
from spoonserver.sse import EventStream, TextDelta, chat_frames, stream_docs

router = room("Chat", "/chat", LeanRoute)


@router.post("")
async def send_chat_message(request: ChatRequest, workbench: WorkbenchDep) -> Data[ChatReply]:
    """Send a conversation, get the whole answer."""
    return Data(data=await workbench.chat.send(**request.given()))


@router.post(
    "/stream",
    status_code=200,
    response_class=EventStream,
    responses=stream_docs(delta=TextDelta, done=ChatReply),
)
async def stream_chat_message(request: ChatRequest, workbench: WorkbenchDep) -> EventStream:
    """The same as server-sent events: `delta` with text, then one `done` with what `/chat` answers, or `error`."""
    return EventStream(chat_frames(request.provider, workbench.chat.stream(**request.given())))

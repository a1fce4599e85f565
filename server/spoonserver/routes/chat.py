from collections.abc import AsyncGenerator, AsyncIterator

from spoonkernel.errors import SpoonError
from spoonkernel.services.chat import Answer
from spoonkernel.types.chat import ChatReply, ChatRequest, Delta
from spoonserver.deps import WorkbenchDep
from spoonserver.envelope import Data
from spoonserver.lean import LeanRoute
from spoonserver.rooms import room
from spoonserver.sse import EventStream, TextDelta, closing, failure, frame, stream_docs

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
    return EventStream(_chat_frames(request.provider, workbench.chat.stream(**request.given())))


async def _chat_frames(provider: str, deltas: AsyncIterator[Delta]) -> AsyncGenerator[bytes, None]:
    answer = Answer(provider)
    async with closing(deltas):
        try:
            async for delta in deltas:
                answer.add(delta)
                if delta.text:
                    yield frame("delta", TextDelta(text=delta.text))
            yield frame("done", answer.reply())
        except Exception as error:  # noqa: BLE001  # the answer has begun: what went wrong is its last event
            yield failure(error, partial=_arrived(error, answer))


def _arrived(error: Exception, answer: Answer) -> str:
    """The text so far. Collecting here knows all of it; an adapter may know of a piece that was never passed on."""
    told = error.partial if isinstance(error, SpoonError) else None
    return told if told is not None else "".join(answer.text)

"""Events: hints that something in the store changed. One class an event; `name` and `room` are the Socket.IO ones.

The store is the truth: who misses an event reads the row again. `seq` counts the events of one process, so that a
listener can tell that it missed some.
"""

from functools import cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, TypeAdapter

from spoonkernel.types.base import CamelWire, Timestamp
from spoonkernel.types.generations import Generation, Output, Rating
from spoonkernel.types.results import Result
from spoonkernel.types.tasks import Task

ALL_TASKS = "tasks"
ALL_GENERATIONS = "generations"
ALL_CONVERSATIONS = "conversations"


class Event(CamelWire):
    """What every event carries. `kind` is the name on the wire."""

    everywhere: ClassVar[bool] = False
    """Whether every socket hears it while there are no accounts."""

    kind: str
    seq: int = 0

    def rooms(self) -> list[str]:
        """The rooms whose members hear it."""
        return []

    def payload(self) -> dict[str, Any]:
        """What is sent to a listener: the event as printed in the reference, plus `seq`."""
        return self.model_dump(mode="json", exclude={"kind"})


class _TaskEvent(Event):
    task_id: str

    def rooms(self) -> list[str]:
        return [task_room(self.task_id), ALL_TASKS]


class TaskCreated(Event):
    everywhere = True
    kind: Literal["task:created"] = "task:created"
    task: Task

    def rooms(self) -> list[str]:
        return [task_room(self.task.id), ALL_TASKS]


class TaskStarted(_TaskEvent):
    kind: Literal["task:started"] = "task:started"
    started_at: Timestamp


class TaskProgress(_TaskEvent):
    """`progress` is 0 to 1."""

    kind: Literal["task:progress"] = "task:progress"
    progress: float
    message: str = ""


class TaskCompleted(_TaskEvent):
    """Sent after the commit. `result` is the first one; `results` all of them."""

    kind: Literal["task:completed"] = "task:completed"
    result: Result | None
    results: list[Result] = Field(default_factory=list)


class TaskFailed(_TaskEvent):
    kind: Literal["task:failed"] = "task:failed"
    error: str


class _GenerationEvent(Event):
    generation_id: str
    session_id: str

    def rooms(self) -> list[str]:
        return [session_room(self.session_id), ALL_GENERATIONS]


class GenerationCreated(Event):
    """Ours: a row was written, `pending`."""

    kind: Literal["generation:created"] = "generation:created"
    generation: Generation

    def rooms(self) -> list[str]:
        return [session_room(self.generation.session_id), ALL_GENERATIONS]


class GenerationStarted(_GenerationEvent):
    """ComfyUI began to execute it."""

    kind: Literal["generation:started"] = "generation:started"
    prompt_id: str


class GenerationProgress(_GenerationEvent):
    """`progress` is that of the whole run, 0 to 1; `node` the title of the node that runs."""

    kind: Literal["generation:progress"] = "generation:progress"
    node: str
    progress: float


class GenerationPreview(_GenerationEvent):
    """Ours: how the picture looks so far, four times a second at most. `image` is base64."""

    kind: Literal["generation:preview"] = "generation:preview"
    content_type: str
    image: str


class GenerationCompleted(_GenerationEvent):
    """Sent after the commit."""

    kind: Literal["generation:completed"] = "generation:completed"
    outputs: list[Output]


class GenerationFailed(_GenerationEvent):
    kind: Literal["generation:failed"] = "generation:failed"
    error: str


class GenerationRated(_GenerationEvent):
    """Ours: somebody rated it, or one of its outputs; `outputs` are their ratings, in order."""

    kind: Literal["generation:rated"] = "generation:rated"
    rating: Rating | None = None
    outputs: list[Rating | None] = Field(default_factory=list)


def rated(generation: Generation) -> GenerationRated:
    """Tells how a generation is rated now."""
    return GenerationRated(
        generation_id=generation.id,
        session_id=generation.session_id,
        rating=generation.rating,
        outputs=[output.rating for output in generation.outputs],
    )


class ConversationChanged(Event):
    """Ours: a conversation was written, or deleted; `turn_id` where it was one turn: asked, answered, or written on.

    An answer that is being written is told every 2 s.
    """

    kind: Literal["conversation:changed"] = "conversation:changed"
    conversation_id: str
    turn_id: str | None = None

    def rooms(self) -> list[str]:
        return [conversation_room(self.conversation_id), ALL_CONVERSATIONS]


class Notification(Event):
    everywhere = True
    kind: Literal["notification"] = "notification"
    type: Literal["info", "warning", "error"] = "info"
    message: str


AnyEvent = Annotated[
    TaskCreated
    | TaskStarted
    | TaskProgress
    | TaskCompleted
    | TaskFailed
    | GenerationCreated
    | GenerationStarted
    | GenerationProgress
    | GenerationPreview
    | GenerationCompleted
    | GenerationFailed
    | GenerationRated
    | ConversationChanged
    | Notification,
    Field(discriminator="kind"),
]


def parse_event(kind: str, payload: dict[str, Any]) -> AnyEvent:
    """An event that came over a wire, from its name and its payload."""
    return _adapter().validate_python({"kind": kind, **payload})


@cache  # made anew for each event it kept a worker's loop from everything else, until its connections timed out
def _adapter() -> TypeAdapter[AnyEvent]:
    return TypeAdapter(AnyEvent)


def task_room(task_id: str) -> str:
    return f"task:{task_id}"


def session_room(session_id: str) -> str:
    return f"session:{session_id}"


def conversation_room(conversation_id: str) -> str:
    return f"conversation:{conversation_id}"

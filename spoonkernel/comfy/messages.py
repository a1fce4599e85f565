"""What a ComfyUI server says over its websocket. Recorded from 0.3.64; 0.38 says the same. Read by `frames`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

PictureFormat = Literal["jpeg", "png", "webp", "gif"]


@dataclass(frozen=True, slots=True)
class Status:
    """How many prompts the server holds, of all clients. The first one of a connection names the client in `sid`."""

    queue_remaining: int
    sid: str | None = None


@dataclass(frozen=True, slots=True)
class FeatureFlags:
    """What the server can do, such as `supports_preview_metadata` and `max_upload_size`."""

    flags: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ExecutionStart:
    prompt_id: str
    timestamp_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ExecutionCached:
    """The nodes whose outputs are still there from an earlier prompt; they will not run."""

    prompt_id: str
    nodes: frozenset[str]


@dataclass(frozen=True, slots=True)
class NodeProgress:
    """One node of a `ProgressState`. `display_node_id` is the node of the graph that stands for an expanded one."""

    node_id: str
    state: str
    """`pending`, `running`, `finished` or `error`."""
    value: float
    max: float
    display_node_id: str | None = None

    @property
    def share(self) -> float:
        """How much of it is done, 0 to 1."""
        return _share(self.value, self.max)


@dataclass(frozen=True, slots=True)
class ProgressState:
    """All nodes that have started so far, each time."""

    prompt_id: str
    nodes: tuple[NodeProgress, ...]


@dataclass(frozen=True, slots=True)
class Executing:
    """A node begins. `node` None is the last message of a prompt, however it ended; its history is written by then.

    `prompt_id` is None in the one that a client gets on connecting in the middle of its own run.
    """

    prompt_id: str | None
    node: str | None
    display_node: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Steps of one node: it starts again at 0 with each node. Servers before mid-2025 name neither prompt nor node."""

    prompt_id: str | None
    node: str | None
    value: float
    max: float

    @property
    def share(self) -> float:
        """How much of the node is done, 0 to 1."""
        return _share(self.value, self.max)


@dataclass(frozen=True, slots=True)
class Executed:
    """A node with output of its own is done. `output` is as in the history: `{"images": [{"filename", ...}]}`."""

    prompt_id: str
    node: str
    display_node: str | None = None
    output: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ExecutionSuccess:
    """All nodes are done. The history is NOT yet written: wait for `Executing(node=None)`."""

    prompt_id: str
    timestamp_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ExecutionError:
    """A node raised. Its traceback and inputs are left out: they hold paths of the server."""

    prompt_id: str
    node_id: str | None
    node_type: str | None
    exception_type: str
    exception_message: str
    timestamp_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ExecutionInterrupted:
    prompt_id: str
    node_id: str | None
    node_type: str | None
    timestamp_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """A picture on the way: a preview of a step, or the result of a SaveImageWebsocket (then a PNG).

    Without `metadata` it names neither prompt nor node, and may be another person's.
    """

    format: PictureFormat
    """Read from the picture's own first bytes."""
    prompt_id: str | None
    node_id: str | None
    metadata: bool
    frame: bytes = field(repr=False)
    offset: int

    @property
    def image(self) -> bytes:
        """The picture. Cut from its frame only here, so that one nobody wants costs no copy."""
        return self.frame[self.offset :]

    @property
    def size_bytes(self) -> int:
        return len(self.frame) - self.offset


@dataclass(frozen=True, slots=True)
class NodeText:
    """A line that a node shows while it works, such as a remote API's waiting time."""

    node_id: str
    text: str
    prompt_id: None = None


Message = (
    Status | FeatureFlags | ExecutionStart | ExecutionCached | ProgressState | Executing | Progress | Executed
) | (ExecutionSuccess | ExecutionError | ExecutionInterrupted)


def prompt_id_of(message: Message | Preview | NodeText) -> str | None:
    """The prompt that a message is about; None for those about the server, and for those that do not say."""
    return None if isinstance(message, Status | FeatureFlags) else message.prompt_id


def _share(value: float, most: float) -> float:
    return min(1.0, max(0.0, value / most)) if most > 0 else 0.0

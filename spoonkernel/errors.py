"""Everything Spoon raises on purpose. `code` and `status` are those of the API reference (and of its additions).

One tree: the server writes any of these to the wire with one handler, and the remote client raises the same class
again from the `code` it reads. A message says what happened, to which thing, and what to do next; it never holds a key.
"""

from typing import Any, ClassVar, Self


class SpoonError(Exception):
    """Something Spoon knows how to explain. Takes only a message; `code` and `status` belong to the class."""

    code: ClassVar[str] = "INTERNAL_ERROR"
    status: ClassVar[int] = 500

    def __init__(self, message: str = "Something inside Spoon failed; the log has the details") -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_s: float | None = None
        self.partial: str | None = None

    def with_partial(self, text: str) -> Self:
        """The same error carrying the text that had arrived before it, so that nothing read so far is lost."""
        self.partial = text
        return self

    def after(self, seconds: float | None) -> Self:
        """The same error carrying how long the other side asks to wait, in seconds."""
        self.retry_after_s = seconds
        return self


class BadRequest(SpoonError):
    """The request makes no sense as it stands."""

    code, status = "BAD_REQUEST", 400


class ValidationFailed(SpoonError):
    """A field is missing or wrong; the message names the field."""

    code, status = "VALIDATION_ERROR", 400


class ProviderRefused(SpoonError):
    """The provider answered and said no (bad key, unknown model, content filter, quota); the message is its own."""

    code, status = "PROVIDER_ERROR", 400
    invalid_key: bool = False
    """Whether it was the key that was refused (401, 403, or Gemini's API_KEY_INVALID); not on the wire."""


class Unauthorized(SpoonError):
    """No valid credentials came with the request."""

    code, status = "UNAUTHORIZED", 401


class Forbidden(SpoonError):
    """The caller may not do this."""

    code, status = "FORBIDDEN", 403


class NotFound(SpoonError):
    """The named thing does not exist."""

    code, status = "NOT_FOUND", 404


class MethodNotAllowed(SpoonError):
    """The endpoint exists, with another HTTP method."""

    code, status = "METHOD_NOT_ALLOWED", 405


class Conflict(SpoonError):
    """The thing is in a state, or in a use, that forbids this."""

    code, status = "CONFLICT", 409


class PayloadTooLarge(SpoonError):
    """The body is larger than the endpoint takes."""

    code, status = "PAYLOAD_TOO_LARGE", 413


class RateLimited(SpoonError):
    """Too many requests; `retry_after_s` says how long to wait where the other side told us."""

    code, status = "RATE_LIMITED", 429


class ProviderConnectionError(SpoonError):
    """Unreachable, timed out, or failing on the provider's own side."""

    code, status = "PROVIDER_CONNECTION_ERROR", 503


class StreamTruncated(ProviderConnectionError):
    """A stream ended without its end marker. `partial` holds the text that did arrive."""

    code = "PROVIDER_STREAM_TRUNCATED"


class SubmitUncertain(ProviderConnectionError):
    """The answer to a submission was lost: ComfyUI may run it. Look its prompt id up; do not send it again."""

    code = "PROVIDER_SUBMIT_UNCERTAIN"


class RunFailed(SpoonError):
    """A generation or a task was started and did not come to a good end; the message is its row's. `row` has the row
    as last read, None where none was written."""

    code = "RUN_FAILED"

    def __init__(self, message: str = "It failed and gave no reason", row: Any = None) -> None:
        super().__init__(message)
        self.row = row


class QueryStopped(SpoonError):
    """A statement ran into its time, memory or size limit, and was stopped."""

    code, status = "QUERY_STOPPED", 400


class StoreUnavailable(SpoonError):
    """The database cannot be reached; nothing was written."""

    code, status = "STORE_UNAVAILABLE", 503


class EncryptionKeyError(SpoonError):
    """A stored provider key cannot be decrypted with the encryption keys at hand. The row itself is untouched."""

    code = "ENCRYPTION_KEY_ERROR"


def _tree(root: type[SpoonError]) -> list[type[SpoonError]]:
    return [root, *(leaf for child in root.__subclasses__() for leaf in _tree(child))]


def from_code(code: str, message: str) -> SpoonError:
    """The error a server meant by `code`; an unknown code is a plain `SpoonError` that keeps the message."""
    by_code = {error.code: error for error in _tree(SpoonError)}
    return by_code.get(code, SpoonError)(message)

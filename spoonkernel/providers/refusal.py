"""What a provider's error answer says, read from any of the four shapes, and which of our errors that is.

Ollama `{"error": "..."}`; OpenAI `{"error": {"message", "type", "param", "code"}}`; Claude
`{"type": "error", "error": {"type", "message", "details": {"error_code"}}}`; Gemini
`{"error": {"code", "message", "status", "details": [{"reason"}, {"retryDelay"}]}}`, at times in a list of one.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from pydantic_core import from_json

from spoonkernel.errors import ProviderConnectionError, ProviderRefused, RateLimited, SpoonError

RETRYABLE = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
NEVER_RETRIED = frozenset({400, 401, 402, 403, 404, 413, 422})  # whatever x-should-retry says
SPENT = frozenset(
    {
        *("insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "billing_error"),
        *("enforced_spend_limit_reached",),
    }
)
"""429s that waiting does not cure: the account is out of money."""
STATUS_OF_WORD = {
    "invalid_request_error": 400,
    "INVALID_ARGUMENT": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "billing_error": 402,
    "permission_error": 403,
    "PERMISSION_DENIED": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "NOT_FOUND": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "RESOURCE_EXHAUSTED": 429,
}
"""The status that an error in the middle of a stream would have had before it; every other word is a 500."""
MAX_SENTENCE = 1_000
REDACTED = "[key]"
SHORTEST_SECRET = 8  # shorter ones are placeholders (`none`, `ollama`), and hiding them would garble the sentence


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error answer. `words` are its machine-readable ones, `param` the field it objects to, `raw` its start."""

    status: int
    sentence: str = ""
    words: frozenset[str] = frozenset()
    param: str | None = None
    wait_s: float | None = None
    should_retry: bool | None = None
    raw: bytes = b""

    @property
    def is_retryable(self) -> bool:
        if self.status in NEVER_RETRIED or self.words & SPENT:
            return False
        return self.status in RETRYABLE if self.should_retry is None else self.should_retry

    def error(self, name: str, host: str, secret: str | None) -> SpoonError:
        """The refusal as one of our errors, in the provider's own words, which never hold the key."""
        said = redact(f"{name}: {self.sentence}", secret)[:MAX_SENTENCE] if self.sentence else ""
        if self.status == 429 and not self.words & SPENT:
            return RateLimited(said or f"{name} takes no more requests for now").after(self.wait_s)
        if self.status == 408 or self.status >= 499:
            said = said or f"{name} at {host} failed on its own side (HTTP {self.status}); try again later"
            return ProviderConnectionError(said).after(self.wait_s)
        told = said or f"{name} at {host} answered HTTP {self.status} without saying why; check its URL"
        refused = ProviderRefused(told)
        refused.invalid_key = self.status in {401, 403} or "API_KEY_INVALID" in self.words
        return refused


def read_refusal(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime | None = None) -> Refusal:
    """A whole error answer. A body that is not JSON of a known shape (a proxy's web page) gives no sentence."""
    try:
        document = from_json(body)
    except ValueError:
        document = None
    inner = _inner(document)
    asked = _seconds(headers.get("retry-after-ms"), 0.001)
    if asked is None:
        asked = _retry_after(headers.get("retry-after"), now or datetime.now(UTC))
    should_retry = {"true": True, "false": False}.get(headers.get("x-should-retry", ""))
    return _refusal(status, inner, wait_s=asked, should_retry=should_retry, raw=body[:MAX_SENTENCE])


def read_stream_error(event: Any) -> Refusal:
    """An error that arrived as an event of a stream that had begun with 200."""
    inner = _inner(event)
    code = inner.get("code")
    status = code if isinstance(code, int) and 400 <= code < 600 else None
    if status is None:
        status = next((STATUS_OF_WORD[word] for word in sorted(_words(inner)) if word in STATUS_OF_WORD), 500)
    return _refusal(status, inner, wait_s=None, should_retry=None, raw=b"")


def redact(text: str, secret: str | None) -> str:
    """The text with the key blotted out, also where a provider echoes it."""
    if secret and len(secret) >= SHORTEST_SECRET:
        return text.replace(secret, REDACTED)
    return text


def _refusal(
    status: int, inner: dict[str, Any], *, wait_s: float | None, should_retry: bool | None, raw: bytes
) -> Refusal:
    param = inner.get("param")
    return Refusal(
        status=status,
        sentence=" ".join(str(inner.get("message") or "").split()),
        words=frozenset(_words(inner)),
        param=param if isinstance(param, str) else None,
        wait_s=_retry_info(inner) if wait_s is None else wait_s,
        should_retry=should_retry,
        raw=raw,
    )


def _inner(document: Any) -> dict[str, Any]:
    """The error object, whichever way it is wrapped."""
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict):
        return {}
    error = document.get("error", document)  # llama.cpp and FastAPI servers put `message` or `detail` at the top
    if isinstance(error, dict):
        return error if "message" in error else error | {"message": document.get("message") or document.get("detail")}
    return {"message": error}


def _words(inner: dict[str, Any]) -> Iterator[str]:
    details = inner.get("details")
    entries = details if isinstance(details, list) else [details]
    values = [inner.get(field) for field in ("type", "code", "status")]
    values += [entry.get(field) for entry in entries if isinstance(entry, dict) for field in ("reason", "error_code")]
    return (value for value in values if isinstance(value, str))


def _retry_info(inner: dict[str, Any]) -> float | None:
    """Gemini's `google.rpc.RetryInfo`: `{"retryDelay": "17s"}` among the details."""
    details = inner.get("details")
    for entry in details if isinstance(details, list) else []:
        delay = entry.get("retryDelay") if isinstance(entry, dict) else None
        if isinstance(delay, str) and re.fullmatch(r"\d+(\.\d+)?s", delay):
            return float(delay[:-1])
    return None


def _retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds, or an HTTP date: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after"""
    seconds = _seconds(value, 1.0)
    if seconds is not None or value is None:
        return seconds
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())


def _seconds(value: str | None, unit: float) -> float | None:
    return float(value) * unit if value and re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value) else None

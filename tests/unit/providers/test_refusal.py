from datetime import UTC, datetime

import pytest

from spoonkernel.errors import ProviderConnectionError, ProviderRefused, RateLimited
from spoonkernel.providers.refusal import read_refusal, read_stream_error, redact

from .conftest import KEY, recorded

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


def refusal(name):
    reply = recorded(name)
    return read_refusal(reply.status, reply.headers, reply.body, now=NOW)


@pytest.mark.parametrize(
    ("name", "kind", "sentence", "retried"),
    [
        ("ollama/chat_404", ProviderRefused, 'Ollama: model "nope" not found, try pulling it first', False),
        ("ollama/notfound", ProviderRefused, "Ollama at there answered HTTP 404 without saying why", False),
        ("openai/error_404", ProviderRefused, "The model `gpt-4-turbo` does not exist", False),
        ("openai/error_429_rate", RateLimited, "Rate limit reached for gpt-6-luna", True),
        ("openai/error_429_quota", ProviderRefused, "You exceeded your current quota", False),
        ("openai/error_500", ProviderConnectionError, "The server had an error", True),
        ("claude/error_404", ProviderRefused, "model: claude-3-opus-20240229", False),
        ("claude/error_429", RateLimited, "rate limit of 50 requests per minute", True),
        ("claude/error_429_spend", ProviderRefused, "enforced spend limit", False),
        ("claude/error_529", ProviderConnectionError, "Overloaded", True),
        ("gemini/error_404", ProviderRefused, "models/gemini-pro is not found", False),
        ("gemini/error_429", RateLimited, "You exceeded your current quota", True),
        ("gemini/error_503", ProviderConnectionError, "The model is overloaded", True),
    ],
)
def test_every_error_answer_becomes_its_own_error(name, kind, sentence, retried):
    read = refusal(name)
    error = read.error(name.partition("/")[0].title(), "there", KEY)
    assert type(error) is kind
    assert sentence in error.message
    assert read.is_retryable is retried


@pytest.mark.parametrize("name", ["openai/error_401", "claude/error_401", "gemini/error_key"])
def test_refused_key_can_be_told_apart_and_is_never_shown(name):
    error = refusal(name).error("It", "there", KEY)
    assert isinstance(error, ProviderRefused)
    assert error.invalid_key
    assert KEY not in error.message


def test_unknown_model_is_not_a_refused_key():
    assert not refusal("openai/error_404").error("It", "there", KEY).invalid_key


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "7", "retry-after-ms": "6500"}, 6.5),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT"}, 30),
        ({"retry-after": "Sun, 22 Nov 2026 11:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({}, None),
    ],
)
def test_wait_is_read_from_the_headers(headers, seconds):
    assert read_refusal(503, headers, b"", now=NOW).wait_s == seconds


def test_wait_is_read_from_geminis_details():
    assert refusal("gemini/error_429").wait_s == 17
    assert refusal("gemini/error_429").error("Gemini", "there", None).retry_after_s == 17


@pytest.mark.parametrize(
    ("status", "said", "retried"), [(503, "false", False), (418, "true", True), (400, "true", False)]
)
def test_x_should_retry_decides_except_over_a_bad_request(status, said, retried):
    assert read_refusal(status, {"x-should-retry": said}, b"").is_retryable is retried


@pytest.mark.parametrize("body", [b"<html><b>Bad gateway</b></html>", b"", b"[]", b"null", b'{"error":null}', b"\xff"])
def test_body_that_explains_nothing_is_not_shown(body):
    message = read_refusal(502, {}, body).error("OpenAI", "proxy.example", None).message
    assert message == "OpenAI at proxy.example failed on its own side (HTTP 502); try again later"


def test_fastapi_servers_are_understood():
    assert read_refusal(422, {}, b'{"detail":"model is required"}').sentence == "model is required"


def test_long_sentence_is_cut_only_after_the_key_is_out():
    body = b'{"error":"' + b"x" * 980 + KEY.encode() + b'"}'
    message = read_refusal(400, {}, body).error("It", "there", KEY).message
    assert "sk-canary" not in message
    assert len(message) <= 1000


def test_placeholder_keys_do_not_garble_sentences():
    assert redact("none of these", "none") == "none of these"


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, 500),
        ({"error": {"type": "invalid_request_error", "message": "m"}}, 400),
        ({"error": {"type": "rate_limit_error", "message": "m"}}, 429),
        ({"error": {"code": 503, "message": "m", "status": "UNAVAILABLE"}}, 503),
        ({"error": "runner died"}, 500),
    ],
)
def test_error_inside_a_stream_has_the_status_it_would_have_had(event, status):
    assert read_stream_error(event).status == status

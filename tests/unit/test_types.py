"""How objects are spelled on the wire."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from spoonkernel import errors
from spoonkernel.types.base import Page, Pagination, format_time, utc_now
from spoonkernel.types.chat import ChatRequest, Message, Usage
from spoonkernel.types.events import Notification, TaskCreated, TaskProgress, parse_event
from spoonkernel.types.models import ModelStatus, human_size
from spoonkernel.types.profiles import ProfileChanges, ProfileCreate, ProfileUpdate
from spoonkernel.types.settings import ProviderSettings
from spoonkernel.types.tasks import Task

NOW = datetime(2024, 12, 14, 10, 30, tzinfo=UTC)


def task(**fields) -> Task:
    known = {"id": "t", "name": "n", "type": "text", "provider": "claude", "prompt": "p", "status": "pending"}
    return Task(**known | {"created_at": NOW} | fields)


def test_times_are_utc_with_milliseconds() -> None:
    assert format_time(NOW) == "2024-12-14T10:30:00.000Z"
    assert format_time(NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))) == "2024-12-14T10:30:00.000Z"
    assert utc_now().microsecond % 1000 == 0


def test_requests_take_both_spellings() -> None:
    camel = ProfileCreate.model_validate({"name": "a", "type": "text", "provider": "openai", "apiKey": "k"})
    snake = ProfileCreate.model_validate({"name": "a", "type": "text", "provider": "openai", "api_key": "k"})
    assert camel == snake
    assert camel.given().keys() == {"name", "type", "provider", "api_key"}


def test_answers_are_spelled_as_the_reference_prints_them() -> None:
    settings = ProviderSettings(id="1", provider="openai", api_key="...", created_at=NOW, updated_at=NOW)
    assert set(settings.model_dump(mode="json")) == {
        "id", "provider", "apiKey", "endpointUrl", "defaultModel", "lastTested", "status", "errorMessage",
        "createdAt", "updatedAt",
    }  # fmt: skip
    assert ModelStatus(name="m", loaded=True, last_used=NOW).model_dump(mode="json") == {
        "name": "m",
        "loaded": True,
        "lastUsed": "2024-12-14T10:30:00.000Z",
    }
    printed = {"id", "name", "type", "provider", "prompt", "options", "status", "error", "created_at", "completed_at"}
    assert printed <= set(task().model_dump(mode="json"))
    assert Pagination(page=1, limit=20, total=3, total_pages=1).model_dump()["totalPages"] == 1


def test_profile_changes_are_the_fields_of_the_update_body() -> None:
    assert set(ProfileChanges.__annotations__) == set(ProfileUpdate.model_fields)


def test_chat_options_may_ride_beside_the_messages() -> None:
    turns = [{"role": "user", "content": "hi"}]
    request = ChatRequest.model_validate(
        {"provider": "openai", "messages": turns, "temperature": 0.2, "options": {"seed": 7, "temperature": 0.9}}
    )
    assert request.options == {"temperature": 0.9, "seed": 7}


def test_a_message_tells_its_words_from_its_images() -> None:
    parts = [
        {"type": "text", "text": "what is "},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
        {"type": "text", "text": "this"},
    ]
    message = Message.model_validate({"role": "user", "content": parts})
    assert (message.text, message.images) == ("what is this", ["data:image/png;base64,AA=="])
    assert Message(role="user", content="hi").images == []


@pytest.mark.parametrize("content", [None, 5, [{"type": "video"}], [{"type": "image_url"}]])
def test_a_message_of_another_shape_is_refused(content) -> None:
    with pytest.raises(ValidationError):
        Message.model_validate({"role": "user", "content": content})


def test_usage_keeps_what_is_known_and_never_guesses() -> None:
    assert Usage().merged(Usage()).total_tokens is None
    assert Usage(prompt_tokens=3).merged(Usage(completion_tokens=4)) == Usage(
        prompt_tokens=3, completion_tokens=4, total_tokens=7
    )
    assert Usage(prompt_tokens=3).merged(Usage(prompt_tokens=5)).completion_tokens is None


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [(0, "0 B"), (999, "999 B"), (98_363_007, "98 MB"), (4_661_224_676, "4.7 GB"), (2_500_000_000_000_000, "2500 TB")],
)
def test_sizes_are_for_people(size_bytes: int, shown: str) -> None:
    assert human_size(size_bytes) == shown


@pytest.mark.parametrize(
    "event",
    [
        TaskCreated(task=task(), seq=4),
        TaskProgress(task_id="t", progress=0.5, message="half", seq=5),
        Notification(message="Model loaded", seq=6),
    ],
)
def test_an_event_survives_the_wire(event) -> None:
    assert parse_event(event.kind, event.payload()) == event


def test_event_payloads_are_as_printed() -> None:
    payload = TaskProgress(task_id="t", progress=0.5, message="Processing...").payload()
    assert payload == {"taskId": "t", "progress": 0.5, "message": "Processing...", "seq": 0}
    assert set(TaskCreated(task=task()).payload()) == {"task", "seq"}


def test_every_error_survives_the_wire_by_its_code() -> None:
    pending, seen = [errors.SpoonError], []
    while pending:
        kind = pending.pop()
        seen.append(kind)
        pending.extend(kind.__subclasses__())
    codes = [kind.code for kind in seen]
    assert len(set(codes)) == len(codes) > 10
    for kind in seen:
        again = errors.from_code(kind.code, "what happened")
        assert type(again) is kind
        assert str(again) == again.message == "what happened"


def test_an_unknown_code_keeps_its_message() -> None:
    assert str(errors.from_code("FROM_THE_FUTURE", "words")) == "words"


def test_a_page_is_walked_like_a_list() -> None:
    page = Page[Task](items=[task()], pagination=Pagination(page=1, limit=20, total=1, total_pages=1))
    assert (len(page), page[0].id, [each.id for each in page.each()]) == (1, "t", ["t"])

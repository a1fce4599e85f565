"""Who may ask how often, and what is on record of it."""

import json
import multiprocessing
import stat
from pathlib import Path
from typing import Any

import pytest

from spoonkernel.config import read_config
from spoonkernel.errors import BadRequest, Forbidden, RateLimited
from spoonkernel.query.frames import Frame
from spoonkernel.services import query_log
from spoonkernel.services.database import Asker, DatabaseService
from spoonkernel.services.query_log import QueryLog, without_keys
from spoonkernel.services.query_rate import Rate

AFAR, NEAR = Asker("10.0.0.7", is_near=False), Asker("127.0.0.1", is_near=True)


class Answering:
    """A child that answers everything alike."""

    async def ask(self, sql: str, parameters: dict[str, Any], *, limit: int, op: str = "query") -> Frame:
        head = {"fields": [], "types": [], "rows": 0, "truncated": False, "duration_ms": 1.0, "sync_ms": 1.0}
        return Frame(head, b"[]")


def service(folder: Path, allowed: bool | None = None) -> DatabaseService:
    return DatabaseService(Answering(), QueryLog(folder / "audit" / "queries.jsonl"), allowed=allowed)  # type: ignore[arg-type]


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "audit" / "queries.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("allowed", "asker", "may"),
    [
        *((None, NEAR, True), (None, AFAR, False), (True, AFAR, True)),
        *((False, NEAR, False), (False, AFAR, False), (True, NEAR, True)),
    ],
)
async def test_who_may_ask(tmp_path, allowed, asker, may):
    database = service(tmp_path, allowed)
    for ask in (database.query, database.arrow, lambda sql, **more: database.tables(**more)):
        if may:
            await ask("select 1", asked_by=asker)
        else:
            with pytest.raises(Forbidden, match="SPOON_DATABASE_QUERIES"):
                await ask("select 1", asked_by=asker)
    assert {line["outcome"] for line in lines(tmp_path)} == {"answered" if may else "FORBIDDEN"}


async def test_from_elsewhere_there_are_ten_a_minute_each(tmp_path):
    database = service(tmp_path, allowed=True)
    for _ in range(10):
        await database.query("select 1", asked_by=AFAR)
    with pytest.raises(RateLimited, match="10 questions in 60 s") as told:
        await database.query("select 1", asked_by=AFAR)
    assert 50 < (told.value.retry_after_s or 0) <= 60
    await database.query("select 1", asked_by=Asker("10.0.0.8", is_near=False))
    for _ in range(30):
        await database.query("select 1", asked_by=NEAR)


def test_a_rate_frees_places_as_time_goes():
    now = [0.0]
    rate = Rate(2, seconds=10, clock=lambda: now[0])
    rate.take("a")
    now[0] = 4
    rate.take("a")
    with pytest.raises(RateLimited) as told:
        rate.take("a")
    assert told.value.retry_after_s == 6
    now[0] = 10
    rate.take("a")
    with pytest.raises(RateLimited):
        rate.take("a")


async def test_the_record_says_who_what_how_long_and_how_it_went(tmp_path):
    database = service(tmp_path)
    await database.query("select\n  $secret", parameters={"secret": "sk-canary-123456789"}, asked_by=NEAR)
    [line] = lines(tmp_path)
    assert line.pop("at").endswith("Z")
    assert line.pop("duration_ms") >= 0
    assert line == {
        "who": "127.0.0.1",
        "query": "select $secret",
        "parameters": ["secret"],
        "outcome": "answered",
        "rows": 0,
    }
    file = tmp_path / "audit" / "queries.jsonl"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("where a = 'sk-canary-0123456789abcdef'", "where a = '[hidden]'"),
        ("where a like '%AIzaSyA-1234567890abcdefg%'", "where a like '%[hidden]%'"),
        ("'eyJhbGciOi.eyJzdWIiOiIx.sig'", "'[hidden]'"),
        ("'a1b2c3d4e5f6a7b8c9d0e1f2a3b4'", "'[hidden]'"),
        ("id = '01a20718-f3b0-7a99-8674-c51aea604ef4'", "id = '01a20718-f3b0-7a99-8674-c51aea604ef4'"),
        ("generation_time_seconds > 12345678901234567890", "generation_time_seconds > 12345678901234567890"),
    ],
)
def test_what_looks_like_a_key_is_not_on_record(text, told):
    assert without_keys(text) == told


def test_the_record_is_put_aside_and_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(query_log, "MAX_FILE_BYTES", 2_000)
    log = QueryLog(tmp_path / "queries.jsonl")
    for number in range(200):
        log.record(who="me", sql=f"select {number}", parameters={}, outcome="answered")
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["queries.jsonl", *(f"queries.jsonl.{n}" for n in range(1, 5))]
    assert all(file.stat().st_size < 2_200 for file in files)
    kept = [json.loads(line)["query"] for file in reversed(files) for line in file.read_text().splitlines()]
    assert kept == [f"select {number}" for number in range(200 - len(kept), 200)]


def write_many(path: Path, who: str) -> None:
    query_log.MAX_FILE_BYTES = 20_000
    log = QueryLog(path)
    for number in range(150):
        log.record(who=who, sql=f"select {number}", parameters={}, outcome="answered")


def test_processes_share_a_record_and_lose_no_line(tmp_path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(tmp_path / "queries.jsonl", who)) for who in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    told = [json.loads(line)["who"] for file in tmp_path.iterdir() for line in file.read_text().splitlines()]
    assert (told.count("a"), told.count("b")) == (150, 150)


def test_the_settings():
    assert read_config({}, data="/x").database_queries is None
    assert read_config({"SPOON_DATABASE_QUERIES": "1"}, data="/x").database_queries is True
    assert read_config({"SPOON_DATABASE_QUERIES": "0"}, data="/x").database_queries is False
    told = read_config({"SPOON_DATABASE_MEMORY_MB": "2048", "SPOON_DATABASE_TIMEOUT_S": "30"}, data="/x")
    assert (told.query_memory_mb, told.query_timeout_s) == (2_048, 30.0)
    for wrong in ({"SPOON_DATABASE_QUERIES": "yes"}, {"SPOON_DATABASE_MEMORY_MB": "1"}):
        with pytest.raises(BadRequest, match=next(iter(wrong))):
            read_config(wrong, data="/x")

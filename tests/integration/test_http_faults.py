"""Services that fail: what their failures look like from outside and in the log."""

import logging

from spoonkernel.errors import RateLimited

KEY = "sk-canary-1234567890"


class Unlucky:
    """A room whose service has a bug, with a key in its mouth."""

    async def list(self) -> None:
        raise RuntimeError(f"failed with {KEY}")


class Busy:
    async def list(self) -> None:
        raise RateLimited("Too many questions").after(2.2)


async def test_the_unforeseen_is_a_500_that_tells_nothing_but_can_be_found_in_the_log(api, workbench, caplog):
    workbench.settings = Unlucky()
    with caplog.at_level(logging.ERROR):
        reply = await api.get("/api/settings", headers={"X-Request-Id": "find-me"})
    told = reply.text + caplog.text
    assert (reply.status_code, reply.json()["code"]) == (500, "INTERNAL_ERROR")
    assert reply.headers["x-request-id"] == "find-me"
    assert "find-me" in caplog.text
    assert "RuntimeError" in caplog.text
    assert KEY not in told


async def test_an_error_that_is_its_own_cause_is_told_like_any_other(api, workbench):
    class Circular:
        async def list(self) -> None:
            error = RuntimeError()
            raise error from error

    workbench.settings = Circular()
    assert (await api.get("/api/settings")).json()["code"] == "INTERNAL_ERROR"


async def test_a_rate_limit_says_when_to_come_back(api, workbench):
    workbench.settings = Busy()
    reply = await api.get("/api/settings")
    assert (reply.status_code, reply.json()["code"]) == (429, "RATE_LIMITED")
    assert reply.headers["retry-after"] == "3"

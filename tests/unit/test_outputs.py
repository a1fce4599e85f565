"""Copying outputs from a server that does not give them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from spoonkernel.comfy.client import ComfyClient
from spoonkernel.comfy.http import Pacing, new_session
from spoonkernel.comfy.jobs import Output
from spoonkernel.engine.outputs import OutputCopier
from spoonkernel.errors import ProviderConnectionError
from spoonkernel.media import MediaFolder
from spoonkernel.providers.address import new_connector

SOUND = bytes.fromhex("524946462400000057415645666d74201000000001000100401f0000401f0000010008006461746100000000")


class Row:
    profile_id = "p"


@asynccontextmanager
async def client(status: int) -> AsyncIterator[ComfyClient]:
    async def view(request: web.Request) -> web.Response:
        return web.Response(body=SOUND) if "good" in request.query["filename"] else web.Response(status=status)

    app = web.Application()
    app.router.add_get("/view", view)
    async with TestServer(app) as server, new_session(new_connector()) as session:
        yield ComfyClient(session, str(server.make_url("")), pacing=Pacing(retries=0))


MADE = [Output("1", "audio", 0, "good.wav"), Output("1", "audio", 1, "bad.wav")]


async def test_a_server_that_fails_is_asked_again_and_nothing_is_left_behind(tmp_path):
    async with client(500) as server:
        with pytest.raises(ProviderConnectionError):
            await OutputCopier(MediaFolder(tmp_path)).copy(server, Row, MADE)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(("status", "last_try"), [(500, True), (404, False), (403, False), (400, False)])
async def test_what_cannot_be_had_is_a_warning_and_the_rest_is_copied(tmp_path, status, last_try):
    async with client(status) as server:
        copied = await OutputCopier(MediaFolder(tmp_path)).copy(server, Row, MADE, last_try=last_try)
    assert [(one.filename, one.content is not None) for one in copied.outputs] == [
        ("good.wav", True),
        ("bad.wav", False),
    ]
    assert len(copied.warnings) == 1
    assert copied.warnings[0].startswith("bad.wav was not copied: ")


async def test_texts_of_a_node_are_no_part_of_its_batch(tmp_path):
    made = [
        Output("1", "text", 0, text="a caption"),
        Output("1", "audio", 0, "good.wav"),
        Output("1", "audio", 1, "good2.wav"),
    ]
    async with client(404) as server:
        copied = await OutputCopier(MediaFolder(tmp_path)).copy(server, Row, made)
    assert [(one.kind, one.index) for one in copied.outputs] == [("text", 0), ("audio", 0), ("audio", 1)]

"""The gallery's Python half, on a real embedded workbench: without a page, and with one that the test plays."""

import asyncio
import base64
import io
import os
import re
import threading

import pytest
from PIL import Image

import comfy_graphs
import spoonkernel
from browser.shelf import TITLE, fill
from spoonkernel.config import read_config
from spoonkernel.errors import BadRequest, NotFound
from spoonkernel.testing.comfy_sim import SimulatedComfyUI
from spoonkernel.types.generations import GenerationTile, TileOutput
from spoonwidgets import Gallery, _gallery_feed, _gallery_files, _gallery_pane
from spoonwidgets._gallery_rows import Entry

COUNT = 9
DEADLINE_S = 10


@pytest.fixture
def data(tmp_path):
    fill(tmp_path / "data", COUNT, side_px=64)
    return tmp_path / "data"


@pytest.fixture
def workbench(data):
    with spoonkernel.open(data=data) as opened:
        yield opened


@pytest.fixture
def gallery(workbench):
    return Gallery(workbench, session=TITLE)


def every(workbench):
    return workbench.generations.list(limit=100).result(DEADLINE_S)


def seeds(rows):
    return [int(row["seed"]) for row in rows]


def hello(view):
    """The state as a new page gets it, without the pictures beside it."""
    return view.ask("hello", {})[0]["state"]


class Heard:
    """Collects what a function is called with, in whatever thread."""

    def __init__(self):
        self.calls, self._news = [], threading.Condition()

    def __call__(self, value):
        with self._news:
            self.calls.append(value)
            self._news.notify_all()

    def wait(self, count):
        with self._news:
            assert self._news.wait_for(lambda: len(self.calls) >= count, DEADLINE_S)
        return self.calls


# -- from code ---------------------------------------------------------------------------------------------------------


def test_selection_is_records_and_pictures(workbench, gallery):
    newest = every(workbench)[:2]
    assert gallery.selected == []
    gallery.select(newest)
    assert gallery.selected == newest
    assert [image.size for image in gallery.images()] == [(64, 64)] * 2
    gallery.select([newest[1].id])
    assert [one.seed for one in gallery.selected] == [4101]


def test_data_frame_is_of_the_selection_or_of_everything(workbench, gallery):
    pytest.importorskip("pandas")
    assert list(gallery.to_pandas()["seed"]) == list(range(4100, 4100 + COUNT))
    gallery.select([every(workbench)[3]])
    frame = gallery.to_pandas()
    assert list(frame["seed"]) == [4103]
    assert {"generation_id", "rating", "cfg_scale", "prompt_text", "content", "created_at"} <= set(frame.columns)


def test_session_is_found_by_title_or_id_and_a_wrong_one_is_named(workbench, gallery):
    [session] = workbench.sessions.list().result(DEADLINE_S)
    assert repr(Gallery(workbench, session=session.id)).startswith(f'<Gallery of "{TITLE}"')
    with pytest.raises(NotFound, match=f'There is no session "Ligthouse"; there are "{TITLE}"'):
        Gallery(workbench, session="Ligthouse")


def test_ratings_are_kept_in_the_store(workbench, gallery):
    first, second, *_ = every(workbench)
    gallery.rate(3, [first]).result(DEADLINE_S)
    gallery.select([second])
    gallery.rate(0).result(DEADLINE_S)
    assert [one.rating for one in every(workbench)[:2]] == [3, 0]
    gallery.rate(None).result(DEADLINE_S)
    assert every(workbench)[1].rating is None
    for wrong in (6, -1, True, 2.5):
        with pytest.raises(BadRequest, match="1 to 5"):
            gallery.rate(wrong).result(DEADLINE_S)


def test_gallery_of_given_generations_shows_those_alone(workbench, page):
    wanted = every(workbench)[2:4]
    view = page(Gallery(workbench, generations=wanted))
    assert seeds(hello(view)["rows"]) == [4102, 4103]


def test_functions_hear_of_selection_and_reuse_even_after_one_that_fails(workbench, gallery, page):
    picked, reused = Heard(), Heard()
    gallery.on_select(lambda _: 1 / 0)
    gallery.on_select(picked)

    @gallery.on_reuse
    async def take(generation):
        reused(generation)

    view = page(gallery)
    rows = hello(view)["rows"]
    view.call("select", refs=[[rows[1]["id"], 0], [rows[0]["id"], 0]])
    assert [one.seed for one in picked.wait(1)[0]] == [4101, 4100]
    assert [one.seed for one in gallery.selected] == [4101, 4100]
    assert view.call("reuse", id=rows[2]["id"]) == {"takers": 1}
    assert reused.wait(1)[0].seed == 4102


# -- what a page gets --------------------------------------------------------------------------------------------------


def test_page_gets_the_newest_at_once_and_the_rest_in_pages(monkeypatch, workbench, page):
    for module, name in ((_gallery_pane, "FIRST"), (_gallery_feed, "FIRST"), (_gallery_pane, "ROWS")):
        monkeypatch.setattr(module, name, 4)
    monkeypatch.setattr(_gallery_feed, "PAGE", 5)
    view = page(Gallery(workbench, session=TITLE))
    rows = hello(view)["rows"]
    assert seeds(rows) == [4100, 4101, 4102, 4103]
    assert set(rows[0]["outputs"][0]) == {"kind", "width", "height", "rating", "size", "thumb", "file"}
    more = True
    while more:
        answer = view.call("rows", created=rows[-1]["created"], id=rows[-1]["id"])
        rows, more = rows + answer["rows"], answer["more"]
    assert seeds(rows) == list(range(4100, 4100 + COUNT))


def test_thumbnails_come_in_one_message_and_only_of_this_gallery(workbench, gallery, page):
    view = page(gallery)
    rows = hello(view)["rows"]
    view._count += 1
    gallery._receive(
        gallery, {"k": "req", "id": view._count, "op": "faces", "args": {"refs": [[row["id"], 0] for row in rows]}}, []
    )
    view.until(lambda: view._count in view._answers)
    message, buffers = view._answers.pop(view._count)
    assert len(buffers) + sum("later" in told for told in message["data"]) == COUNT
    assert all(Image.open(io.BytesIO(thumb)).format == "WEBP" for thumb in buffers)
    assert str(view._count) not in gallery._answers  # pictures are not kept for a page that asks twice
    assert "is not in this gallery" in view.refused("faces", refs=[["0" * 36, 0]])
    assert "is not in this gallery" in view.refused("original", id="nobody", index=0, offset=0)


def test_first_answer_brings_the_thumbnails_that_are_seen_first(monkeypatch, workbench, page):
    monkeypatch.setattr(_gallery_pane, "FIRST_FACES", 3)
    monkeypatch.setattr(_gallery_files, "PATIENCE_S", DEADLINE_S)
    shown = Gallery(workbench, session=TITLE)
    view = page(shown)
    told, thumbs = view.ask("hello", {})
    assert told["state"]["faces"] == [(row["id"], 0) for row in told["state"]["rows"][:3]]
    assert [Image.open(io.BytesIO(thumb)).format for thumb in thumbs] == ["WEBP"] * 3
    assert view.events == []  # what the first answer says is not told before it, too
    shown.sort = "oldest"  # then others are seen first
    assert view.ask("hello", {})[1] == []


async def test_two_views_may_wait_for_the_same_thumbnail(workbench, gallery):
    path = every(workbench)[0].outputs[0].thumbnail

    async def both():
        return await asyncio.gather(gallery._files.thumbs([path]), gallery._files.thumbs([path]))

    one, other = await asyncio.wrap_future(workbench.start(both()))
    assert one == other and one[path]


def test_large_original_comes_in_pieces(monkeypatch, workbench, data, gallery, page):
    assert _gallery_files.PIECE_BYTES < 9_000_000  # a message above about 10 MB ends the kernel's websocket
    monkeypatch.setattr(_gallery_files, "PIECE_BYTES", 1_000)
    content = os.urandom(2_500)
    newest = every(workbench)[0]
    name = newest.outputs[0].content.rpartition("/")[2]
    path = read_config(data=data).media_dir / name
    path.unlink()  # a link to a file of others
    path.write_bytes(content)
    view = page(gallery)
    hello(view)
    pieces = [view.call("original", id=newest.id, index=0, offset=offset) for offset in (0, 1_000, 2_000)]
    assert [len(piece) for piece in pieces] == [1_000, 1_000, 500]
    assert b"".join(pieces) == content
    assert "no copy" in view.refused("original", id=newest.id, index=7, offset=0)


def test_details_and_workflow_of_one(workbench, gallery, page):
    view = page(gallery)
    row = hello(view)["rows"][0]
    assert view.call("details", id=row["id"])["prompt_text"].startswith("lighthouse")
    assert '"EmptyImage"' in view.call("workflow", id=row["id"])["json"]


def test_deleting_takes_the_row_and_its_place_in_the_selection(workbench, gallery, page):
    view = page(gallery)
    rows = hello(view)["rows"]
    view.call("select", refs=[[row["id"], 0] for row in rows[:2]])
    view.call("delete", ids=[rows[0]["id"]])
    view.until(lambda: any(rows[0]["id"] in event["data"]["gone"] for event in view.events))
    assert [one.seed for one in gallery.selected] == [4101]
    assert len(every(workbench)) == COUNT - 1


def test_what_nobody_told_of_is_found_by_looking(monkeypatch, workbench, page):
    monkeypatch.setattr(_gallery_feed, "IDLE_LOOK_S", 0.02)
    view = page(Gallery(workbench, session=TITLE))
    rows = hello(view)["rows"]
    workbench.generations.rate(rows[0]["id"], rating=2).result(DEADLINE_S)  # no event tells of ratings
    view.until(
        lambda: any(row["outputs"][0].get("rating") == 2 for event in view.events for row in event["data"]["rows"])
    )


# -- live --------------------------------------------------------------------------------------------------------------


def told(view, id_):
    return [row for event in view.events if event["k"] == "ev" for row in event["data"]["rows"] if row["id"] == id_]


async def test_a_run_is_followed_from_its_row_to_its_picture_and_can_be_asked_for_again(tmp_path, page):
    async with SimulatedComfyUI(seconds_per_step=0.05) as sim:
        await asyncio.to_thread(_follow_a_run, tmp_path / "data", sim, page)


def _follow_a_run(data, sim, page):
    fill(data, 1, url=sim.url, side_px=64)
    with spoonkernel.open(data=data) as workbench:
        [session] = workbench.sessions.list().result(DEADLINE_S)
        flow = workbench.workflows.create(name="w", profile_id=session.profile_id, workflow_json=comfy_graphs.graph())
        gallery = Gallery(workbench, session=TITLE)
        view = page(gallery)
        hello(view)
        asked = {"prompt_text": "a fox", "workflow_id": flow.result(DEADLINE_S).id, "parameters": {"seed": 2**64 - 1}}
        made = workbench.sessions.generate(session.id, **asked).result(DEADLINE_S)
        view.until(lambda: any(row["status"] == "complete" for row in told(view, made.id)))
        told_rows = told(view, made.id)
        assert any(0 < row.get("progress", 0) < 1 for row in told_rows)
        assert told_rows[-1]["seed"] == str(2**64 - 1)
        assert [event["data"]["preview"] for event in view.events if event["k"] == "hint"][:1] == [made.id]

        view.call("again", ids=[made.id])
        view.call("again", ids=[made.id], vary=True)
        same, varied = sorted(every(workbench)[:2], key=lambda one: one.created_at)
        assert (same.seed, same.prompt_text) == (made.seed, "a fox")
        assert varied.seed != made.seed
        assert varied.parameters.keys() == same.parameters.keys()

        sim.seconds_per_step = 5.0
        view.call("again", ids=[made.id])
        running = every(workbench)[0]
        view.until(lambda: told(view, running.id))
        view.call("cancel", ids=[running.id])
        view.until(lambda: any(row.get("error") == "Cancelled" for row in told(view, running.id)))


# -- the saved copy ----------------------------------------------------------------------------------------------------


def test_saved_copy_is_one_contact_sheet_that_a_repository_can_bear(tmp_path):
    fill(tmp_path / "data", 60, side_px=256)
    with spoonkernel.open(data=tmp_path / "data") as workbench:
        gallery = Gallery(workbench, session=TITLE)
        assert "Run the cell" in gallery.saved()[0]
        gallery.snapshot().result(DEADLINE_S)
        html, text = gallery.saved()
    assert "40 of 60 images. Run the cell to browse all of them." in html
    assert len(html) < 280_000
    sheet = base64.b64decode(re.search(r"base64,([^\"]+)", html).group(1))
    assert Image.open(io.BytesIO(sheet)).size == (8 * 118 - 6, 5 * 118 - 6)
    assert text == f'<Gallery of "{TITLE}", 60 images> (40 of 60 images kept)'


def test_rejected_pictures_are_not_on_the_sheet(workbench, gallery):
    gallery.rate(0, every(workbench)).result(DEADLINE_S)
    gallery.snapshot().result(DEADLINE_S)
    assert "<img" not in gallery.saved()[0]


def test_film_and_sound_have_tiles_and_other_files_have_none():
    kinds = ["text", "video", "image", "file", "audio"]
    tile = GenerationTile(
        id="a",
        session_id="s",
        status="complete",
        prompt_text="",
        outputs=[TileOutput(kind=kind) for kind in kinds],
        created_at="2026-11-14T16:20:00Z",
    )
    assert Entry(tile).shown == [1, 2, 4]

"""What every pane's two halves agree on: answers with bytes, uploads in pieces, hints, and heavy parts on demand."""

import pytest

from spoonkernel.errors import BadRequest, PayloadTooLarge
from spoonwidgets import _uploads
from spoonwidgets._base import Answer, Pane
from spoonwidgets._uploads import Uploads


class Echo(Pane):
    """A pane that does what the test asks for."""

    _esm = "export default { render() {} }"

    def describe(self, parts):
        return {"parts": sorted(parts or ())}

    async def op_pictures(self, ids):
        return Answer({"ids": ids}, [name.encode() for name in ids])

    async def op_measure(self, upload):
        return len(self.take_upload(upload))

    async def op_preview(self):
        self.hint({"of": "run"}, [b"jpeg"])

    async def op_break(self):
        raise RuntimeError("sk-secret in a traceback")


@pytest.fixture
def view(bench, page):
    return page(Echo(bench, height=200, static=False))


def test_answer_carries_json_and_several_buffers(view):
    assert view.ask("pictures", {"ids": ["a", "bc"]}) == ({"ids": ["a", "bc"]}, [b"a", b"bc"])


def test_uploaded_pieces_come_together_in_order_and_only_once(view):
    content = bytes(range(256)) * 10_000  # 2.56 MB: three pieces
    assert view.call("measure", upload=view.upload(content)) == len(content)
    assert "did not arrive whole" in view.refused("measure", upload="file")


def test_pieces_are_put_together_in_the_order_of_their_numbers():
    uploads = Uploads()
    for index in (2, 0, 1):
        uploads.add({"upload": "u", "index": index, "pieces": 3}, [b"abc"[index : index + 1]])
    assert uploads.take("u") == b"abc"


def test_upload_that_lacks_a_piece_is_refused():
    uploads = Uploads()
    uploads.add({"upload": "u", "index": 0, "pieces": 2}, [b"half"])
    with pytest.raises(BadRequest, match="did not arrive whole"):
        uploads.take("u")


@pytest.mark.parametrize(
    "args", [None, {}, {"upload": "u", "index": 2, "pieces": 2}, {"upload": "u", "index": "0", "pieces": 1}]
)
def test_message_that_is_no_piece_is_refused(args):
    with pytest.raises(BadRequest):
        Uploads().add(args, [b"x"])


def test_upload_above_the_limit_is_refused_and_forgotten(monkeypatch):
    monkeypatch.setattr(_uploads, "MAX_UPLOAD_BYTES", 10)
    uploads = Uploads()
    uploads.add({"upload": "u", "index": 0, "pieces": 2}, [b"123456"])
    with pytest.raises(PayloadTooLarge):
        uploads.add({"upload": "u", "index": 1, "pieces": 2}, [b"789012"])
    with pytest.raises(BadRequest):
        uploads.take("u")


def test_uploads_that_nobody_takes_do_not_pile_up():
    uploads = Uploads()
    for number in range(_uploads.MAX_WAITING + 1):
        uploads.add({"upload": str(number), "index": 0, "pieces": 1}, [b"x"])
    with pytest.raises(BadRequest):
        uploads.take("0")
    assert uploads.take(str(_uploads.MAX_WAITING)) == b"x"


def test_hint_goes_out_unnumbered_with_its_bytes(view):
    sent = []
    post = view.pane.send
    view.pane.send = lambda message, buffers=(): (sent.append((message, list(buffers))), post(message, buffers))
    view.call("preview")
    assert ({"k": "hint", "data": {"of": "run"}}, [b"jpeg"]) in sent


def test_heavy_part_is_handed_out_by_name_and_nothing_else_is(view):
    assert b"highlight" in view.call("asset", name="highlight")
    for name in ("../chat", "nothing", ""):
        assert "There is no asset" in view.refused("asset", name=name)


def test_what_goes_wrong_inside_is_told_without_its_details(view):
    refusal = view.refused("break")
    assert "INTERNAL_ERROR" in refusal
    assert "sk-secret" not in refusal


def test_bare_pane_says_so_to_its_views(bench):
    assert Echo(bench, height=200, static=False, bare=True).bare is True

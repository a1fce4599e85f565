import pytest

from spoonkernel.providers.frames import JSONLines, ServerSentEvents, WholeBody

STREAM = 'event: a\ndata: {"x":"à👋"}\n\n: comment\n\nid: 7\ndata:no space\n\ndata: one\ndata: two\n\nevent: empty\n\n'
EVENTS = ['{"x":"à👋"}', "no space", "one\ntwo"]


def cut(cutter, pieces):
    frames = [frame for piece in pieces for frame in cutter.feed(piece)]
    return [frame.decode() for frame in (*frames, *cutter.end())]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_events_are_whole_however_the_bytes_arrive(size, ending):
    body = STREAM.replace("\n", ending).encode()
    assert cut(ServerSentEvents(), [body[at : at + size] for at in range(0, len(body), size)]) == EVENTS


def test_last_event_counts_without_its_blank_line():
    assert cut(ServerSentEvents(), [b"data: 1\n\ndata: 2"]) == ["1", "2"]


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_lines_are_whole_however_the_bytes_arrive(size):
    body = '{"a":"é"}\r\n\n  \n{"b":2}'.encode()
    frames = cut(JSONLines(), [body[at : at + size] for at in range(0, len(body), size)])
    assert [frame.strip() for frame in frames] == ['{"a":"é"}', '{"b":2}']


def test_whole_body_is_one_frame():
    assert cut(WholeBody(), [b'{"a":\n', b"1}"]) == ['{"a":\n1}']

import queue

import pytest

import spoonkernel
from browser.scripted import Bench
from spoonwidgets import workbench_ui

DEADLINE_S = 5


class Page:
    """The other end of a pane's comm: sends requests as a page does and keeps what the pane sends."""

    def __init__(self, pane):
        self.pane, self._heard, self._count = pane, queue.Queue(), 0
        self.events, self._answers = [], {}
        pane.send = lambda message, buffers=(): self._heard.put((message, buffers))

    def call(self, op, **args):
        """The answer's data or bytes; an error is raised as `AssertionError` with its code and message."""
        data, buffers = self.ask(op, args)
        return buffers[0] if buffers else data

    def ask(self, op, args, buffers=()):
        """The answer's data and its buffers; `buffers` go along with the request."""
        self._count += 1
        self.pane._receive(self.pane, {"k": "req", "id": self._count, "op": op, "args": args}, list(buffers))
        self.until(lambda: self._count in self._answers)
        message, answered = self._answers.pop(self._count)
        assert "error" not in message, message["error"]
        return message.get("data"), answered

    def upload(self, content, piece=1_000_000):
        """Send a file in pieces, the last one first; its id."""
        pieces = [content[at : at + piece] for at in range(0, len(content), piece)] or [b""]
        for index, part in reversed(list(enumerate(pieces))):
            self.ask("upload", {"upload": "file", "index": index, "pieces": len(pieces)}, [part])
        return "file"

    def refused(self, op, **args):
        with pytest.raises(AssertionError) as caught:
            self.call(op, **args)
        return str(caught.value)

    def until(self, condition):
        while not condition():
            message, buffers = self._heard.get(timeout=DEADLINE_S)
            if message["k"] == "res":
                self._answers[message["id"]] = (message, buffers)
            else:
                self.events.append(message)

    def text(self, turn_id):
        """A turn's text put together from the events, as a page does."""
        text = ""
        for event in self.events:
            for row in event["data"]["turns"]:
                if row["id"] == turn_id:
                    text = text[: row["at"]] + row["text"]
        return text

    def state(self, turn_id):
        rows = [row for event in self.events for row in event["data"]["turns"] if row["id"] == turn_id]
        return rows[-1]["state"] if rows else None


@pytest.fixture
def bench():
    opened = Bench()
    yield opened
    opened.close()


@pytest.fixture
def page():
    return Page


@pytest.fixture
def workbench(tmp_path, monkeypatch):
    """A real one of its own, with nobody to talk to."""
    for name in ("OPENAI_API_KEY", "COMFYUI_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OLLAMA_URL", "http://127.0.0.1:9")  # whatever runs on this machine
    with spoonkernel.open(data=tmp_path) as opened:
        yield opened


@pytest.fixture
def view(workbench, page):
    """The page of a workbench view that has looked for who answers."""
    ui = workbench_ui(workbench)
    opened = page(ui)
    opened.call("hello")
    opened.until(lambda: any(event["data"].get("looked") for event in opened.events))
    yield opened
    ui.close()

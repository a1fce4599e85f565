"""The magics in a real IPython shell, without a kernel."""

import json
from types import SimpleNamespace

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from live import elsewhere, live
from spoonkernel.handles import Reply
from spoonkernel.portal import Call, PortalWorkbench
from spoonkernel.testing.upstream import Upstream

CHAT = "/api/chat"
END = json.dumps({"model": "m", "message": {"content": "Owls <b>"}, "done": True, "done_reason": "stop"}).encode()


@pytest.fixture
def shell(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("SPOON_DATA", str(tmp_path / "default"))
    InteractiveShell.clear_instance()
    one = InteractiveShell.instance()
    one.run_line_magic("load_ext", "spoonkernel")
    yield one
    for value in list(one.user_ns.values()):
        if isinstance(value, PortalWorkbench):
            value.close()
    one.history_manager.end_session()
    one.history_manager.save_thread.stop()
    InteractiveShell.clear_instance()


@pytest.fixture
def provider():
    with elsewhere(Upstream()) as one:
        one.reply(CHAT, chunks=[END + b"\n"])
        yield one


@pytest.fixture
def wb(tmp_path, provider):
    with live("embedded", tmp_path, ollama_url=provider.url, ollama_named=True) as one:
        yield one


def run(shell, cell):
    """A cell's result, its printed text and its rich outputs."""
    with capture_output() as seen:
        result = shell.run_cell(cell, store_history=True)
    return result, seen.stdout + seen.stderr, [output.data for output in seen.outputs]


def line_of(shell, cell):
    """The one line that a cell fails with."""
    result, text, _ = run(shell, cell)
    assert not result.success
    assert text.startswith("UsageError: ")
    assert text.count("\n") == 1
    return text.removeprefix("UsageError: ").strip()


def test_chat_answers_and_leaves_the_reply(shell, wb, provider):
    shell.user_ns["wb"] = wb
    result, _, shown = run(shell, "%%chat ollama/m --system 'Be brief.'\nWhich birds?\n")
    assert result.success
    assert shown[0]["text/html"].startswith('<div role="status">')
    reply = shell.user_ns["_"]
    assert isinstance(reply, Reply)
    assert shell.user_ns["Out"][1] is reply
    assert (reply.text, reply.done()) == ("Owls <b>", True)
    messages = [(one["role"], one["content"]) for one in provider.requests[-1].json["messages"]]
    assert messages == [("system", "Be brief."), ("user", "Which birds?")]
    assert run(shell, "_.text")[0].result == "Owls <b>"
    assert run(shell, "1 + 1")[0].result == shell.user_ns["_"] == 2  # `_` still moves on


def test_chat_goes_on_with_a_conversation(shell, wb, provider):
    shell.user_ns["wb"] = wb
    assert run(shell, "%%chat ollama/m --conversation 'Night birds'\nWhich birds?")[0].success
    assert run(shell, "%%chat -c 'Night birds'\nAnd in winter?")[0].success
    said = [one["content"] for one in provider.requests[-1].json["messages"]]
    assert said == ["Which birds?", "Owls <b>", "And in winter?"]
    kept = wb.conversations.list().result()
    assert [(one.title, one.provider, one.model, one.turn_count) for one in kept] == [("Night birds", "ollama", "m", 4)]


def test_errors_are_one_line(shell, wb, provider):
    shell.user_ns["wb"] = wb
    provider.reply(CHAT, status=404, body=b'{"error": "model \'m\' not found"}')
    assert run(shell, "%%chat ollama/m\nWhich birds?")[0].success  # takes the reply that every test has
    assert "not found" in line_of(shell, "%%chat ollama/m\nWhich birds?")
    assert shell.user_ns["_"].status == "failed"
    assert line_of(shell, "%%chat --loud\nWhich birds?").startswith("%%chat: unrecognized arguments: --loud. usage:")
    assert line_of(shell, "%%chat 'open\nWhich birds?").startswith("%%chat: No closing quotation")
    assert line_of(shell, "%%chat\n \n") == "%%chat: write the question below the first line"
    assert line_of(shell, "%spoon close") == "%spoon takes `open [url]`, or nothing"
    assert "is no address of a Spoon server" in line_of(shell, "%spoon open nowhere")


def test_which_workbench_is_used(shell, wb, tmp_path, monkeypatch):
    assert run(shell, "%spoon")[2] == [{"text/plain": "No workbench is open: %spoon open [url]"}]
    used = []
    monkeypatch.setattr(Reply, "__init__", lambda _, workbench, begin: used.append(workbench) or 1 / 0)
    ask = "%%chat\nWhich birds?"
    with live("embedded", tmp_path / "other") as other:
        shell.user_ns.update(other=other, mine=wb)
        run(shell, ask)
        shell.user_ns["wb"] = wb
        run(shell, ask)
        assert used == [other, wb]
    shell.user_ns.update(wb="a workbook", mine=None)
    run(shell, ask)  # opens the default one, and takes nobody's name
    assert shell.user_ns["wb"] == "a workbook"
    assert used[-1] not in (wb, other)
    opened = used[-1]
    assert run(shell, "%spoon")[2] == [{"text/plain": repr(opened)}]
    del shell.user_ns["wb"]
    run(shell, "%spoon open")
    assert shell.user_ns["wb"] is not opened
    opened.close()


class Database:
    """The room of a later part, as the magic uses it."""

    def __init__(self, wb, rows):
        self._wb, self._rows, self.asked = wb, rows, []

    def query(self, *, query, parameters=None):
        self.asked.append((query, parameters))

        async def answer():
            fields = list(self._rows[0])
            return SimpleNamespace(rows=self._rows, fields=fields, row_count=len(self._rows), truncated=True)

        return Call(self._wb.start(answer()), "database.query")


def test_sql_shows_a_table_and_keeps_the_result(shell, wb):
    rows = [{"name": f"<b>{number}</b>", "nothing": None, "long": "x" * 1_000} for number in range(60)]
    wb.database = Database(wb, rows)
    shell.user_ns.update(wb=wb, least=5)
    result, _, shown = run(shell, "%%sql --to slow\nSELECT '$least', a FROM runs WHERE a > $least -- $wb\n")
    assert result.success
    assert wb.database.asked == [("SELECT '$least', a FROM runs WHERE a > $least -- $wb", {"least": 5})]
    assert shell.user_ns["slow"] is shell.user_ns["_"]
    assert shell.user_ns["slow"].rows == rows
    table = shown[0]["text/html"]
    assert "<td>&lt;b&gt;0&lt;/b&gt;</td><td></td>" in table
    assert (table.count("<tr>"), "<b>" in table) == (51, False)
    assert "60 rows, there are more; the first 50 are shown" in table
    assert run(shell, "%sql SELECT 1")[0].success
    assert wb.database.asked[-1] == ("SELECT 1", None)


def test_sql_says_what_is_wrong_with_it(shell, wb):
    shell.user_ns["wb"] = wb
    assert line_of(shell, "%%sql --to '1x'\nSELECT 1") == "%%sql: '1x' is no name for a variable"
    assert line_of(shell, "%%sql\n\n") == "%%sql: write one statement below the first line"
    wb.database = None
    assert "cannot answer SQL" in line_of(shell, "%%sql\nSELECT 1")

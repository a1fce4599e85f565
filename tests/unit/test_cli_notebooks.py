"""The user's copies of the shipped notebooks."""

import json

import pytest

from spoonkernel.cli.notebooks import RECORD, copy_notebooks, shipped_notebooks


@pytest.fixture
def shipped(tmp_path):
    folder = tmp_path / "shipped"
    (folder / "pictures").mkdir(parents=True)
    (folder / "01_chat.ipynb").write_text("chat, version 1")
    (folder / "pictures" / "whale.png").write_bytes(b"\x89PNG")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "01_chat-checkpoint.ipynb").write_text("old")
    return folder


@pytest.fixture
def mine(tmp_path):
    return tmp_path / "data" / "notebooks"


def test_notebooks_and_what_they_use_are_copied(shipped, mine):
    assert copy_notebooks(shipped, mine) == []
    files = sorted(path.relative_to(mine).as_posix() for path in mine.rglob("*") if path.is_file())
    assert files == [RECORD, "01_chat.ipynb", "pictures/whale.png"]
    assert (mine / "01_chat.ipynb").read_text() == "chat, version 1"


def test_a_newer_version_replaces_an_unchanged_copy(shipped, mine):
    copy_notebooks(shipped, mine)
    (shipped / "01_chat.ipynb").write_text("chat, version 2")
    assert copy_notebooks(shipped, mine) == []
    assert (mine / "01_chat.ipynb").read_text() == "chat, version 2"
    (shipped / "01_chat.ipynb").write_text("chat, version 3")
    copy_notebooks(shipped, mine)
    assert (mine / "01_chat.ipynb").read_text() == "chat, version 3"


def test_a_changed_copy_is_never_overwritten_and_a_newer_version_is_told(shipped, mine):
    copy_notebooks(shipped, mine)
    (mine / "01_chat.ipynb").write_text("my own")
    assert copy_notebooks(shipped, mine) == []
    (shipped / "01_chat.ipynb").write_text("chat, version 2")
    assert copy_notebooks(shipped, mine) == ["01_chat.ipynb"]
    assert (mine / "01_chat.ipynb").read_text() == "my own"


@pytest.mark.parametrize("record", [None, "{half", "[1, 2]"])
def test_without_a_readable_record_an_existing_file_counts_as_changed(shipped, mine, record):
    mine.mkdir(parents=True)
    (mine / "01_chat.ipynb").write_text("from before")
    if record is not None:
        (mine / RECORD).write_text(record)
    assert copy_notebooks(shipped, mine) == ["01_chat.ipynb"]
    assert (mine / "01_chat.ipynb").read_text() == "from before"


def test_a_file_that_is_already_the_shipped_one_is_kept_up_to_date_from_then_on(shipped, mine):
    mine.mkdir(parents=True)
    (mine / "01_chat.ipynb").write_text("chat, version 1")
    copy_notebooks(shipped, mine)
    assert "01_chat.ipynb" in json.loads((mine / RECORD).read_text())
    (shipped / "01_chat.ipynb").write_text("chat, version 2")
    copy_notebooks(shipped, mine)
    assert (mine / "01_chat.ipynb").read_text() == "chat, version 2"


def test_a_deleted_notebook_comes_back(shipped, mine):
    copy_notebooks(shipped, mine)
    (mine / "01_chat.ipynb").unlink()
    copy_notebooks(shipped, mine)
    assert (mine / "01_chat.ipynb").exists()


def test_a_checkout_or_an_installation_has_its_notebooks():
    folder = shipped_notebooks()
    assert folder is not None
    assert (folder / "01_chat.ipynb").exists()

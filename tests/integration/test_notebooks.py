"""The shipped notebooks run from top to bottom without a browser, over the local model."""

import pathlib

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((pathlib.Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.fixture
def run(demo_data, tmp_path, monkeypatch):
    """Run a notebook as a fresh user would; its cells' outputs come with it."""
    monkeypatch.setenv("SPOON_DATA", str(demo_data))
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))

    def execute(path):
        notebook = nbformat.read(path, as_version=4)
        client = NotebookClient(
            notebook, timeout=100, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
        )
        return client.execute()

    return execute


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_to_its_end_and_says_nothing_on_stderr(run, path):
    notebook = run(path)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    outputs = [output for cell in code for output in cell.outputs]
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []


def test_chat_notebook_ends_with_one_text_for_each_seed(run):
    notebook = run(next(path for path in NOTEBOOKS if path.stem == "01_chat"))
    table = notebook.cells[-1].outputs[0].data["text/markdown"].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ", 1)] for line in table]
    assert [seed for seed, _ in rows] == ["1", "2", "3", "4"]
    assert len({text for _, text in rows}) == 4


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_saved_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert [cell.id for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")] == []

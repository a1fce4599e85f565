"""The shipped notebooks run from top to bottom without a browser, over the local model, and are saved readable."""

import json
import pathlib

import pytest

NOTEBOOKS = sorted((pathlib.Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
LIVE = "application/vnd.jupyter.widget-view+json"
MAX_BYTES = 300_000


@pytest.fixture
def run(demo_data, tmp_path, monkeypatch):
    """Run a notebook as a fresh user would who has fetched the model; its cells' outputs come with it."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "models").symlink_to(demo_data / "models")
    monkeypatch.setenv("SPOON_DATA", str(data))
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))

    def execute(path):
        import nbformat  # takes 3 s, which only the process that runs these tests should spend
        from nbclient import NotebookClient

        notebook = nbformat.read(path, as_version=4)
        client = NotebookClient(
            notebook, timeout=100, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
        )
        return client.execute()

    return execute


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def outputs_after(notebook, beginning):
    """What the cell whose source begins so has shown, as text."""
    cell = next(cell for cell in code_cells(notebook) if "".join(cell["source"]).startswith(beginning))
    return "\n".join(
        "".join(output.get("text") or output["data"].get("text/markdown") or output["data"].get("text/plain", ""))
        for output in cell["outputs"]
    )


def chat_is_kept(notebook):
    assert "First steps 4 turns" in outputs_after(notebook, "for conversation in")


def answers_differ(notebook):
    said = outputs_after(notebook, "plain = Choice").split("ms to the first token")
    assert len(said) == 3
    assert said[1] != said[2]


def picture_is_reproduced(notebook):
    assert outputs_after(notebook, "again = ").startswith("IDENTICAL")
    assert "seed 44 -> 43" in outputs_after(notebook, "again = ")
    assert outputs_after(notebook, "gallery.images()").startswith("<PIL.")


def each_seed_has_its_text(notebook):
    table = outputs_after(notebook, "from IPython.display import Markdown").splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ", 1)] for line in table]
    assert [seed for seed, _ in rows] == ["1", "2", "3", "4"]
    assert len({text for _, text in rows}) == 4


def colleague_sees_the_same(notebook):
    assert outputs_after(notebook, "colleague = ") == "True"
    assert outputs_after(notebook, "[(task.name, task.status)").count("'complete'") == 2


def sweep_is_plotted(notebook):
    assert outputs_after(notebook, "%%sql").count("\n") >= 4
    assert "id | seed | cfg_scale | sampler_name | rating" in outputs_after(notebook, "query = ")
    plotted = outputs_after(notebook, "chart = ").splitlines()
    assert [line.split(" | ")[0] for line in plotted[3:7]] == ["3", "5", "7", "9"]
    assert "mean of rating by cfg_scale" in plotted
    assert "cfg 7 is rated best" in outputs_after(notebook, "best = ")


SHOWS = {
    "01_chat": chat_is_kept,
    "02_compare_models": answers_differ,
    "03_images_and_parameters": picture_is_reproduced,
    "04_tasks_and_results": each_seed_has_its_text,
    "05_team_server": colleague_sees_the_same,
    "06_query": sweep_is_plotted,
}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_to_its_end_shows_what_it_promises_and_says_nothing_on_stderr(run, path):
    notebook = run(path)
    assert all(cell.execution_count for cell in code_cells(notebook))
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    SHOWS[path.stem](notebook)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_saved_with_what_it_shows_and_needs_no_kernel_for_it(path):
    notebook = json.loads(path.read_text())
    cells = code_cells(notebook)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert not any(LIVE in output.get("data", {}) or output["output_type"] == "error" for output in outputs)
    assert any("spoon-static" in "".join(output.get("data", {}).get("text/html", "")) for output in outputs)
    SHOWS[path.stem](notebook)
    assert path.stat().st_size < MAX_BYTES


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_saved_outputs_name_no_folder_of_whoever_saved_them(path):
    text = path.read_text()
    home = str(pathlib.Path.home())
    assert [place for place in (home + "/", "/tmp/", "/Users/", "site-packages") if place in text] == []

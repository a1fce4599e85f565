"""Notebooks with handles run without a browser, and keep what their outputs showed last."""

import html
import json

import nbformat
import papermill
import pytest
from nbclient import NotebookClient

from live import elsewhere
from spoonkernel.testing.comfy_sim import SimulatedComfyUI
from spoonkernel.testing.upstream import Upstream

ANSWER = "Owls **sing**. <img src=x onerror=alert(1)>"
CELLS = [
    "import spoonkernel as spoon\nwb = spoon.open()\n%load_ext spoonkernel",
    "run = wb.generate('a <b>lighthouse</b>', width=64, height=64, steps=60, seed=7)\nrun",
    "row = await run",
    "run",
    "broken = wb.generate('x', steps='<many>')\nbroken",
    "try:\n    broken.result(60)\nexcept spoon.errors.SpoonError as e: assert 'many' in str(e)",
    "reply = wb.ask('Which birds?', provider='ollama', model='m')\ndisplay(reply)\nassert (await reply).response",
    "%%chat ollama/m\nWhich birds?",
    "assert _.text == reply.text",
    "task = wb.run(name='b', type='text', provider='ollama', prompt='x', options={'model': 'm'})\ntask",
    "assert [one async for one in task][-1].results[0].content == reply.text",
]


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    sim, upstream = SimulatedComfyUI(seconds_per_step=0.005), Upstream()
    with elsewhere(sim), elsewhere(upstream):
        end = {"model": "m", "message": {"content": ANSWER}, "done": True, "done_reason": "stop"}
        upstream.reply("/api/chat", chunks=[json.dumps(end).encode() + b"\n"])
        for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
            monkeypatch.setenv(name, str(tmp_path / name.lower()))
        monkeypatch.setenv("SPOON_DATA", str(tmp_path / "data"))
        monkeypatch.setenv("COMFYUI_URL", sim.url)
        monkeypatch.setenv("OLLAMA_URL", upstream.url)
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
        cells.insert(0, nbformat.v4.new_code_cell("who = ''", metadata={"tags": ["parameters"]}))
        yield nbformat.v4.new_notebook(cells=cells, metadata=kernel)


def with_nbclient(notebook, tmp_path):
    return NotebookClient(notebook, timeout=60, resources={"metadata": {"path": tmp_path}}).execute()


def with_papermill(notebook, tmp_path):
    path = tmp_path / "in.ipynb"
    nbformat.write(notebook, path)
    return papermill.execute_notebook(
        str(path), str(tmp_path / "out.ipynb"), parameters={"who": "owls"}, progress_bar=False, cwd=str(tmp_path)
    )


@pytest.mark.parametrize("execute", [with_nbclient, with_papermill])
def test_outputs_end_with_what_came_out(notebook, tmp_path, execute):
    cells = {cell.source: cell for cell in execute(notebook, tmp_path).cells}
    outputs = [cells[source].outputs for source in CELLS]
    assert [out for cell in outputs for out in cell if out.output_type in ("stream", "error")] == []
    assert [len(cell) for cell in outputs] == [0, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0]
    live, late, broken, reply, magic, task = (cell[0].data for cell in outputs if cell)
    for picture in (live, late):
        assert '<img src="data:image/webp;base64,' in picture["text/html"]
        assert html.escape("a <b>lighthouse</b>") in picture["text/html"]
        assert "seed 7" in picture["text/html"]
        assert "complete" in picture["text/plain"]
    assert "&#x27;&lt;many&gt;&#x27;" in broken["text/html"]
    assert "<many>" not in broken["text/html"]
    for answer in (reply, magic, task):
        assert answer["text/markdown"].startswith("Owls **sing**. &lt;img")
        assert answer["text/plain"] == ANSWER

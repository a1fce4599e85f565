"""Run the shipped notebooks and save them with what they show: `python tests/save_notebooks.py [NAME ...]`.

The outputs that stay are those that need no kernel: text, pictures and the panes' own plain copies. They are what
GitHub shows. Needs the small model: it is fetched into a data folder that is thrown away.
"""

import os
import pathlib
import sys
import tempfile

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = pathlib.Path(__file__).parents[1] / "notebooks"
LIVE = "application/vnd.jupyter.widget-view+json"


def run(path: pathlib.Path, folder: pathlib.Path) -> nbformat.NotebookNode:
    """The notebook after a run from top to bottom, in `folder`."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": folder}})
    client.execute()
    return notebook


def keep_static(notebook: nbformat.NotebookNode) -> None:
    """Take away what only a running kernel can show, and what differs from run to run without a meaning."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata.language_info = {"name": "python"}
    for number, cell in enumerate(cell for cell in notebook.cells if cell.cell_type == "code"):
        cell.execution_count = number + 1
        cell.metadata = {}
        kept = [output for output in cell.outputs if LIVE not in output.get("data", {})]
        cell.outputs = _joined(kept)
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = cell.execution_count
            output.pop("transient", None)


def _joined(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Pieces of one stream as one output; of a line that was written over, what stood there at the end."""
    joined: list[nbformat.NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            joined.append(output)
    for output in joined:
        if output.output_type == "stream":
            output.text = "\n".join(line.rsplit("\r", 1)[-1] for line in output.text.split("\n"))
    return joined


def main(names: list[str]) -> None:
    data = tempfile.mkdtemp()
    os.environ["SPOON_DATA"] = os.environ.get("SPOON_DATA", data)
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        if names and path.stem not in names:
            continue
        notebook = run(path, pathlib.Path(data))
        keep_static(notebook)
        nbformat.write(notebook, path)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])

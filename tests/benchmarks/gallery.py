"""The gallery with 1,000 and 10,000 pictures in a real JupyterLab: first thumbnail, scrolling, memory of the page.

`--sql` measures something else: `gallery.show(sql=...)` until the page shows what it chose, in 100,000 pictures or as
many as are named. The same choice typed into the pane's own filter is the baseline.

Rows and files are those of `tests/browser/shelf.py`: real rows in the store, real WebP thumbnails of about 10 kB. The
frames of the same page without any scrolling are the baseline: what is left of a frame on this machine at rest.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from browser.jupyterlab import Lab, Notebook, browser, write_notebook
from browser.shelf import TITLE, fill

OPEN = """
import spoonkernel
from spoonwidgets import Gallery
workbench = spoonkernel.open(data={data!r})
"""
SHOW = f"""
gallery = Gallery(workbench, session={TITLE!r})
gallery
"""
RUN = """async cell => {
  const {content} = window.jupyterapp.shell.currentWidget
  content.activeCellIndex = cell
  content.deselectAll()
  const output = content.widgets[cell].outputArea.node, began = performance.now()
  let ran = 0
  window.jupyterapp.commands.execute('notebook:run-cell').then(() => { ran = performance.now() - began })
  const shown = () => [...output.querySelectorAll('[data-spoon=gallery]')]
    .flatMap(host => [...host.shadowRoot.querySelectorAll('.tile .pic img')]).find(image => image.naturalWidth)
  while (!shown()) await new Promise(requestAnimationFrame)
  const first = performance.now() - began
  while (!ran) await new Promise(requestAnimationFrame)
  return [ran, first]
}"""
SCROLL = """async ([cell, step, frames]) => {
  const output = window.jupyterapp.shell.currentWidget.content.widgets[cell].outputArea.node
  const box = output.querySelector('[data-spoon=gallery]').shadowRoot.querySelector('.tiles')
  const took = []
  let last = performance.now(), tiles = 0
  for (let frame = 0; frame < frames; frame++) {
    box.scrollTop += step
    if (box.scrollTop + box.clientHeight >= box.scrollHeight - 1 || box.scrollTop === 0) step = -step
    await new Promise(requestAnimationFrame)
    const now = performance.now()
    took.push(now - last)
    last = now
    tiles = Math.max(tiles, box.querySelectorAll('.tile').length)
  }
  return [took, tiles]
}"""
WHOLE = """cell => {
  const output = window.jupyterapp.shell.currentWidget.content.widgets[cell].outputArea.node
  const ledger = output.querySelector('[data-spoon=gallery]').shadowRoot.querySelector('.ledger')
  return !/reading the rest/.test(ledger.textContent)
}"""

CHOICE = "cfg_scale = 7 and rating >= 4"
"""As a filter of the gallery and as a condition in SQL."""
CHOSEN = """async ([cell, code, filter, wanted]) => {
  const panel = window.jupyterapp.shell.currentWidget
  const root = panel.content.widgets[cell].outputArea.node.querySelector('[data-spoon=gallery]').shadowRoot
  const shown = () => {
    const ledger = root.querySelector('.ledger')
    return !/reading the rest/.test(ledger.textContent) && +ledger.querySelector('b')?.textContent.replace(/\\D/g, '')
  }
  const began = performance.now()
  if (code) panel.sessionContext.session.kernel.requestExecute({code})
  else {
    const box = root.querySelector('input')
    box.value = filter
    box.dispatchEvent(new InputEvent('input', {bubbles: true}))
  }
  while (shown() !== wanted || !root.querySelector('.tile .pic img')?.naturalWidth) {
    if (performance.now() - began > 60000) return [-1, root.querySelector('.ledger').textContent]
    await new Promise(requestAnimationFrame)
  }
  return [performance.now() - began, '']
}"""


def choose(count: int, rounds: int) -> None:
    """How long a choice among so many takes by SQL, and by the pane's own filter."""
    home = Path(tempfile.mkdtemp(prefix="spoon-gallery-"))
    try:
        fill(home / "data", count)
        with Lab(home / "lab") as lab, browser() as context:
            write_notebook(lab.root / "bench.ipynb", OPEN.format(data=str(home / "data")), SHOW)
            page = context.new_page()
            opened = Notebook(page, lab).open("bench.ipynb")
            opened.run_cell(0)
            page.evaluate(RUN, 1)
            page.wait_for_function(WHOLE, arg=1, timeout=120_000)
            statement = f"SELECT id FROM runs WHERE {CHOICE}"
            wanted = opened.value(f"workbench.database.query({statement!r}, limit=10_000).result().row_count")
            took: dict[str, list[float]] = {"gallery.show(sql=...)": [], "its own filter": []}
            for _ in range(rounds):
                for name, asked, back in (
                    ("gallery.show(sql=...)", [f"gallery.show(sql={statement!r})", ""], ["gallery.show()", ""]),
                    ("its own filter", ["", CHOICE], ["", ""]),
                ):
                    for wish, told in ((asked, wanted), (back, count)):
                        milliseconds, trouble = page.evaluate(CHOSEN, [1, *wish, told])
                        if trouble:
                            raise SystemExit(f"{name} did not show {told:,}: {trouble}")
                        if wish is asked:
                            took[name].append(milliseconds)
            print(f"{wanted:,} of {count:,} pictures, until the page shows them (median of {rounds}, longest)")
            for name, each in took.items():
                print(f"  {name:24}{statistics.median(each):7.0f} ms {max(each):7.0f} ms")
            ours, theirs = (statistics.median(each) for each in took.values())
            print(f"  ratio {ours / theirs:.2f}")
    finally:
        shutil.rmtree(home)


def measure(count: int, rounds: int, frames: int, step_px: int) -> None:
    home = Path(tempfile.mkdtemp(prefix="spoon-gallery-"))
    try:
        fill(home / "data", count)
        with Lab(home / "lab") as lab, browser() as context:
            cells = [OPEN.format(data=str(home / "data")), *[SHOW] * rounds]
            write_notebook(lab.root / "bench.ipynb", *cells)
            page = context.new_page()
            opened = Notebook(page, lab).open("bench.ipynb")
            opened.run_cell(0)
            starts = []
            for cell in range(1, rounds + 1):
                starts.append(page.evaluate(RUN, cell))
                page.wait_for_function(WHOLE, arg=cell)
            print(f"{count:,} pictures")
            for ran, first in starts:
                print(f"  first thumbnail {first:.0f} ms after the cell began, {first - ran:.0f} ms after it ended")
            before = _memory(context, page)
            for name, pixels in (("at rest", 0), ("scrolling", step_px)):
                took, tiles = page.evaluate(SCROLL, [1, pixels, frames])
                ordered = sorted(took)
                p50, p95 = statistics.median(ordered), ordered[int(len(ordered) * 0.95)]
                print(
                    f"  frames {name}: p50 {p50:.1f} ms, p95 {p95:.1f} ms, longest {ordered[-1]:.0f} ms; {tiles} tiles"
                )
            after = _memory(context, page)
            heap, nodes = (f"{one:,.0f} -> {other:,.0f}" for one, other in zip(before, after, strict=True))
            print(f"  page with {rounds} galleries: heap {heap} MB, {nodes} DOM nodes")
    finally:
        shutil.rmtree(home)


def _memory(context, page) -> tuple[float, float]:
    """Megabytes of the JavaScript heap, and DOM nodes, after a collection."""
    talk = context.new_cdp_session(page)
    talk.send("Performance.enable")
    talk.send("HeapProfiler.collectGarbage")
    values = {one["name"]: one["value"] for one in talk.send("Performance.getMetrics")["metrics"]}
    talk.detach()
    return values["JSHeapUsedSize"] / 1e6, values["Nodes"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", nargs="*", type=int, help="1000 and 10000 unless told")
    parser.add_argument("--rounds", type=int, default=3, help="galleries in the notebook, one cell each")
    parser.add_argument("--frames", type=int, default=400)
    parser.add_argument("--step", type=int, default=120, help="pixels a frame")
    parser.add_argument("--sql", action="store_true", help="measure a choice by SQL instead, in 100,000")
    given = parser.parse_args()
    for number in given.counts or ([100_000] if given.sql else [1_000, 10_000]):
        if given.sql:
            choose(number, given.rounds)
            continue
        measure(number, given.rounds, given.frames, given.step)

"""One loaded JupyterLab page and one running kernel, on which test after test finds a notebook of its own.

Loading JupyterLab and starting a kernel that imports Spoon cost 4 to 6 s of CPU, a further notebook on both 0.3 s.
"""

from playwright.sync_api import BrowserContext, Page

from browser.jupyterlab import Lab, Notebook, write_notebook

THEME = "JupyterLab Light"
SIZE = {"width": 1280, "height": 900}
FORGET = """
import ipywidgets as _widgets
for _bench in list(globals().values()):
    if hasattr(_bench, "inner") and callable(getattr(_bench, "close", None)):
        _bench.close()  # before its panes: what it still does would speak through closed ones
_widgets.Widget.close_all()
get_ipython().run_line_magic("reset", "-f")
"""
"""A kernel after this has its modules still, and nothing else: no variable, no pane, no workbench."""
CLOSE = "() => window.jupyterapp.shell.currentWidget.dispose()"  # without asking whether to save


class Desk:
    """`take` and `clear` come in pairs. The page belongs to the desk, the kernel to the lab, which outlives desks."""

    def __init__(self, lab: Lab, context: BrowserContext) -> None:
        self._lab, self._context = lab, context
        self._page: Page | None = None

    def take(self, name: str, *cells: str) -> Notebook:
        """A new notebook, as good as alone on its page and in its kernel."""
        write_notebook(self._lab.root / name, *cells)
        kernel = self._lab.kernel if self._lab.kernel in self._lab.kernels() else None
        self._lab.kernel = self._lab.start_session(name, kernel)
        if self._page:
            taken = Notebook(self._page, self._lab).open_beside(name)
        else:
            self._page = self._context.new_page()
            taken = Notebook(self._page, self._lab).open(name)
        if taken.page.evaluate("() => document.body.dataset.jpThemeName") != THEME:
            taken.theme(THEME)
        return taken

    def holds(self, notebook: Notebook) -> bool:
        return notebook.page is self._page

    def clear(self, notebook: Notebook) -> None:
        """Forget what the notebook did, in the kernel and on the page."""
        notebook.kernel(FORGET)
        notebook.page.evaluate(CLOSE)
        notebook.page.unroute_all()
        notebook.page.set_viewport_size(SIZE)

    def drop(self) -> None:
        """The next one gets a new page and a new kernel: a failed test may have left anything in them."""
        if self._page:
            self._page.close()
        self._page = None
        self._lab.stop_kernels()

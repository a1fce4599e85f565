"""Spoon: chat with models, run tasks and generate images from a notebook.

    import spoonkernel as spoon

    wb = spoon.open()
    reply = await wb.chat.send(provider="local", messages=[{"role": "user", "content": "Hello"}])

Importing this is cheap: the libraries behind it are loaded when a workbench is opened.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from IPython.core.interactiveshell import InteractiveShell

    from spoonkernel.portal import PortalWorkbench

__version__ = "0.1.0"
__all__ = ["__version__", "open"]


def open(
    url: "str | None" = None, *, token: "str | None" = None, data: "str | Path | None" = None
) -> "PortalWorkbench":
    """A workbench, ready to use.

    Args:
        url: a server's address (`http://127.0.0.1:3001`); None runs everything in this process.
        token: what the server knows you by; None takes `SPOON_TOKEN`. It is sent without encryption only to this
            machine, unless `SPOON_ALLOW_PLAIN=1`.
        data: the folder for the store, media and models; None takes `SPOON_DATA`, else the user's data folder.
            It has no meaning together with `url`.

    Each method of a room starts its work at once on the workbench's own event loop and returns something to await.
    """
    from spoonkernel.errors import BadRequest
    from spoonkernel.portal import PortalWorkbench

    if url is not None:
        if data is not None:
            raise BadRequest("open() takes a url or a data folder, not both: the server has its own data")
        from spoonkernel.config import read_server_access
        from spoonkernel.remote import RemoteWorkbench

        return PortalWorkbench(RemoteWorkbench(url, access=read_server_access(token=token)))

    if token is not None:
        raise BadRequest("open() takes a token for a server: give its url too")

    from spoonkernel.config import read_config
    from spoonkernel.workbench import Workbench

    return PortalWorkbench(Workbench(read_config(data=data)))


def load_ipython_extension(shell: "InteractiveShell") -> None:
    """`%load_ext spoonkernel`: the magics `%spoon`, `%%chat` and `%%sql`."""
    from spoonkernel.ipython import SpoonMagics

    shell.register_magics(SpoonMagics(shell))

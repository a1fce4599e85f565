"""A workbench as a notebook holds one, embedded or behind a server, each side on a thread of its own."""

from contextlib import contextmanager

from serving import served
from spoonkernel.config import Config
from spoonkernel.portal import Portal, PortalWorkbench
from spoonkernel.remote import RemoteWorkbench
from spoonkernel.workbench import Workbench
from spoonserver.app import create_app

WAIT_S = 20.0


@contextmanager
def elsewhere(context):
    """Enter an async context manager on a loop in a thread of its own."""
    portal = Portal()
    try:
        opened = portal.start(context.__aenter__()).result(WAIT_S)
        try:
            yield opened
        finally:
            portal.start(context.__aexit__(None, None, None)).result(WAIT_S)
    finally:
        portal.stop()


@contextmanager
def live(kind, folder, **settings):
    """A `PortalWorkbench` of this kind, `embedded` or `remote`."""
    workbench = Workbench(Config(data_dir=folder, stop_deadline_s=0, **settings))
    if kind == "embedded":
        with PortalWorkbench(workbench) as opened:
            yield opened
        return
    with elsewhere(served(create_app(workbench))) as url, PortalWorkbench(RemoteWorkbench(url)) as opened:
        yield opened

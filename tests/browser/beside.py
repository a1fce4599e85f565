"""Servers beside a browser test: the tests are plain functions, so what is asynchronous runs on a loop of its own."""

import contextlib

from spoonkernel.portal import Portal

DEADLINE_S = 70


@contextlib.contextmanager
def beside(server):
    """What an async context manager gives, while the block runs."""
    portal = Portal()
    try:
        opened = portal.start(server.__aenter__()).result(DEADLINE_S)
        try:
            yield opened
        finally:
            portal.start(server.__aexit__(None, None, None)).result(DEADLINE_S)
    finally:
        portal.stop()

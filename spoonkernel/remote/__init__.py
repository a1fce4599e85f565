"""A workbench that lives on a server: the same interface as the embedded one, over HTTP and Socket.IO."""

from spoonkernel.remote.workbench import RemoteWorkbench

__all__ = ["RemoteWorkbench"]

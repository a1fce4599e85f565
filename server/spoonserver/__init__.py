"""Spoon over HTTP and Socket.IO: the API reference on a port. `app.create_app` builds it, `run.serve` runs it."""

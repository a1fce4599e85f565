"""Which nodes run, and in which order: ComfyUI's `comfy_execution/graph.py` and `caching.py` (the classic cache)."""

import hashlib
from collections.abc import Callable
from typing import Any

from spoonkernel.testing.comfy_sim.catalog import Catalog

Graph = dict[str, dict[str, Any]]


def is_link(value: Any) -> bool:
    """Whether an input's value comes from another node."""
    return (
        isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int | float)
    )


def signatures(graph: Graph, catalog: Catalog, changed: Callable[[str, dict[str, Any]], Any]) -> dict[str, str]:
    """What a node's result depends on: its class, its values and, through its links, all before it.

    Args:
        changed: a value of the node itself that makes it run again when it differs (`IS_CHANGED`), else None.
    """
    known: dict[str, str] = {}

    def signature(node_id: str, path: frozenset[str]) -> str:
        if node_id not in graph or node_id in path:
            return f"missing {node_id}"
        if node_id not in known:
            node = graph[node_id]
            parts: list[Any] = [node["class_type"], changed(node["class_type"], node["inputs"])]
            if "UNIQUE_ID" in catalog.hidden(node["class_type"]).values():
                parts.append(node_id)
            for name, value in sorted(node["inputs"].items()):
                before = (signature(value[0], path | {node_id}), value[1]) if is_link(value) else value
                parts.append((name, before))
            known[node_id] = hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()
        return known[node_id]

    return {node_id: signature(node_id, frozenset()) for node_id in graph}


class ExecutionList:
    """The nodes still to run. Give it the output nodes with `add`, then take one after another with `next`."""

    def __init__(self, graph: Graph, catalog: Catalog, is_cached: Callable[[str], bool]) -> None:
        self._graph, self._catalog, self._is_cached = graph, catalog, is_cached
        self._pending: dict[str, None] = {}
        self._blocked_by: dict[str, int] = {}
        self._blocking: dict[str, dict[str, None]] = {}

    def __bool__(self) -> bool:
        return bool(self._pending)

    def add(self, output: str) -> None:
        """An output node with everything before it that is not cached. The output node itself is always there."""
        waiting, links = [output], []
        while waiting:
            node_id = waiting.pop()
            if node_id in self._pending:
                continue
            self._pending[node_id] = None
            self._blocked_by[node_id] = 0
            self._blocking[node_id] = {}
            for value in self._graph[node_id]["inputs"].values():
                if is_link(value):
                    if not self._is_cached(value[0]):
                        waiting.append(value[0])
                    links.append((value[0], node_id))
        for origin, node_id in links:
            if not self._is_cached(origin) and node_id not in self._blocking[origin]:
                self._blocking[origin][node_id] = None
                self._blocked_by[node_id] += 1

    def next(self) -> str:
        """The node to run now, by ComfyUI's preferences: what leads to an output soonest."""
        ready = [node_id for node_id in self._pending if self._blocked_by[node_id] == 0]
        return next((found for rank in (0, 1, 2) for found in ready if self._leads(found, rank)), ready[0])

    def done(self, node_id: str) -> None:
        """A node has run: what waited for it may be ready now."""
        del self._pending[node_id]
        for blocked in self._blocking.pop(node_id):
            self._blocked_by[blocked] -= 1

    def _leads(self, node_id: str, steps: int) -> bool:
        """Whether an output node comes exactly so many links behind it."""
        if steps == 0:
            return self._catalog.is_output(self._graph[node_id]["class_type"])
        return any(self._leads(blocked, steps - 1) for blocked in self._blocking[node_id])

"""The workflows that Spoon brings, one JSON file each: name, description and the graph in API format."""

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class Template:
    """A workflow as it is shipped. `key` is its file's name; it never changes, rows are recognised by it."""

    key: str
    name: str
    description: str
    is_default: bool
    workflow_json: dict[str, Any]


def shipped() -> list[Template]:
    """All of them, by key. Model files in them are usual names; what a server really has is chosen when they run."""
    found = [one for one in files(__name__).iterdir() if one.name.endswith(".json")]
    return [
        Template(key=one.name.removesuffix(".json"), **json.loads(one.read_text(encoding="utf-8")))
        for one in sorted(found, key=lambda one: one.name)
    ]

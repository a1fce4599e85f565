"""The page's types are those of the kernel. `python tests/unit/test_typescript_types.py` writes them."""

import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from spoonkernel.types import conversations, events, generations, profiles, results, sessions, tasks, workflows

TARGET = Path(__file__).parents[2] / "widgets/frontend/src/core/types.ts"
MODELS: list[type[BaseModel]] = [
    conversations.ConversationDetail,
    events.GenerationProgress,
    events.TaskProgress,
    generations.Generation,
    generations.GenerationDiff,
    generations.GenerationWorkflow,
    profiles.Profile,
    results.Result,
    sessions.Session,
    tasks.Task,
    workflows.Workflow,
]
HEAD = (
    "/** Generated from spoonkernel/types by tests/unit/test_typescript_types.py: as the kernel sends them, JSON. */\n"
)
PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def typescript() -> str:
    """Every model as an interface; a 64-bit number, which may be a string of digits, is `number | string`."""
    _, schema = models_json_schema([(model, "serialization") for model in MODELS])
    # its serializer leaves out what is not known, so its schema says nothing: what it takes is what it may send
    bodies = schema["$defs"] | {"WorkflowParameter": workflows.WorkflowParameter.model_json_schema()}
    return HEAD + "".join(_interface(name, body) for name, body in sorted(bodies.items()))


def _interface(name: str, body: dict[str, Any]) -> str:
    if "properties" not in body:
        return f"\nexport type {name} = {_type(body)};\n"
    lines = [
        f"  {field}{'' if _always_sent(field, body) else '?'}: {_type(one)};"
        for field, one in body["properties"].items()
    ]
    return f"\nexport interface {name} {{\n" + "\n".join(lines) + "\n}\n"


def _always_sent(field: str, body: dict[str, Any]) -> bool:
    return body["title"] != "WorkflowParameter" or field in body.get("required", []) or field == "value"


def _type(schema: dict[str, Any]) -> str:  # noqa: PLR0911 - one case a line reads best
    match schema:
        case {"$ref": str(ref)}:
            return "unknown" if ref.endswith("/JsonValue") else ref.rsplit("/", 1)[1]
        case {"const": value}:
            return f'"{value}"'
        case {"enum": list(values)}:
            return " | ".join(f'"{value}"' for value in values)
        case {"anyOf": list(choices)} | {"oneOf": list(choices)}:
            return " | ".join(dict.fromkeys(_type(choice) for choice in choices))
        case {"type": "array", "items": items}:
            inner = _type(items)
            return f"({inner})[]" if " " in inner else f"{inner}[]"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"Record<string, {_type(values)}>"
        case {"type": "object"}:
            return "Record<string, unknown>"
        case {"type": str(name)}:
            return PLAIN[name]
        case {"type": list(names)}:
            return " | ".join(PLAIN[name] for name in names)
        case _:
            return "unknown"


def test_the_types_of_the_page_are_those_of_the_kernel() -> None:
    assert TARGET.read_text() == typescript(), "run: python tests/unit/test_typescript_types.py"


@pytest.mark.parametrize("name", ["Generation", "Turn", "WorkflowParameter", "Profile", "Task"])
def test_what_the_panes_show_has_a_type(name: str) -> None:
    assert f"export interface {name} {{" in typescript()


if __name__ == "__main__":
    TARGET.write_text(typescript())
    sys.stdout.write(f"{TARGET} written\n")

"""`/docs`: the OpenAPI document as one plain page, without scripts and without a request to anywhere else."""

import json
from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
summary { cursor: pointer; padding: .3rem 0 } code, pre { font: .9em ui-monospace, monospace }
details > :not(summary) { margin-left: 1.5rem } pre { overflow-x: auto; padding: .7rem; border: 1px solid #8886 }
.method { display: inline-block; min-width: 4.5rem; font-weight: 600 } table { border-collapse: collapse }
td, th { text-align: left; padding: .2rem 1rem .2rem 0; vertical-align: top }
"""
STYLE_HASH = b64encode(sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; frame-ancestors 'none'; base-uri 'none'"


@router.get("/docs", response_class=HTMLResponse)
async def show_docs(request: Request) -> HTMLResponse:
    """Every endpoint and schema, to read and to link to."""
    return HTMLResponse(page(request.app.openapi()), headers={"Content-Security-Policy": POLICY})


def page(document: dict[str, Any]) -> str:
    """The whole page for an OpenAPI 3.1 document."""
    by_tag: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            by_tag.setdefault(operation["tags"][0], []).append(_operation(path, method, operation))
    schemas = document.get("components", {}).get("schemas", {})
    title = escape(f"{document['info']['title']} API {document['info']['version']}")
    parts = [f"<h2>{escape(tag)}</h2>{''.join(operations)}" for tag, operations in by_tag.items()]
    parts.append("<h2>Schemas</h2>")
    parts += [_schema(name, schema) for name, schema in schemas.items()]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body><h1>{title}</h1>'
        f'<p>For programs: <a href="/openapi.json">openapi.json</a>.</p>{"".join(parts)}</body></html>'
    )


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    head = f'<span class="method">{method.upper()}</span> <code>{escape(path)}</code>'
    told = escape(operation.get("description", ""))
    parts = [f"<p>{told}</p>", _parameters(operation.get("parameters", []))]
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(f"<p>Body, {escape(kind)}: {_type(content.get('schema', {}))}</p>")
    for status, answer in operation["responses"].items():
        kinds = [f"{escape(kind)}: {_type(body.get('schema', {}))}" for kind, body in answer.get("content", {}).items()]
        parts.append(f"<p>{escape(status)} {escape(answer.get('description', ''))} {', '.join(kinds)}</p>")
    return f'<details id="{escape(operation["operationId"])}"><summary>{head}</summary>{"".join(parts)}</details>'


def _parameters(parameters: list[dict[str, Any]]) -> str:
    rows = [
        f"<tr><td><code>{escape(one['name'])}</code></td><td>{escape(one['in'])}"
        f"{', required' if one.get('required') else ''}</td><td>{_type(one['schema'])}</td></tr>"
        for one in parameters
    ]
    return f"<table>{''.join(rows)}</table>" if rows else ""


def _schema(name: str, schema: dict[str, Any]) -> str:
    text = escape(json.dumps(schema, indent=2))
    return f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary><pre>{text}</pre></details>'


def _type(schema: dict[str, Any]) -> str:
    """A schema in one line, with links to the named ones."""
    if reference := schema.get("$ref"):
        name = escape(reference.rsplit("/", 1)[1])
        return f'<a href="#{name}">{name}</a>'
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " or ".join(_type(option) for option in schema[union])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if "enum" in schema:
        return " or ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    return escape(str(schema.get("type", schema.get("const", "anything"))))

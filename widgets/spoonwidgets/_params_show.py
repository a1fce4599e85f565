"""What a params pane shows of its fields and values: on the page, as Python, and in a saved notebook."""

import base64
import html
from itertools import groupby
from typing import Any

from spoonkernel.types.generations import exact
from spoonkernel.types.sessions import Session
from spoonkernel.types.workflows import Workflow
from spoonwidgets._params_fields import Field, nodes_of
from spoonwidgets._params_presets import current, presets_of
from spoonwidgets._params_runs import Runs
from spoonwidgets._params_setup import Place
from spoonwidgets._params_values import Values
from spoonwidgets._snapshot import saved_note, table

KEPT_PICTURE = 200_000
"""Bytes of a picture that a saved notebook may carry."""


def field_rows(workflow: Workflow | None, values: Values) -> dict[str, Any]:
    """The groups of fields and the names of the presets."""
    groups = [
        {"title": title, "note": nodes_of(fields), "fields": [_field_row(one, values) for one in fields]}
        for title, fields in ((title, list(found)) for title, found in groupby(values.fields.values(), _group))
    ]
    return {"groups": groups, "presets": list(presets_of(workflow)) if workflow else []}


def value_rows(workflow: Workflow | None, values: Values) -> dict[str, Any]:
    """The values as they stand in the controls: with drafts where a text does not fit."""
    return {
        "values": {key: exact(value) for key, value in (values.now | values.drafts).items()},
        "errors": values.errors,
        "changed": values.changed(),
        "mode": values.seed_mode,
        "preset": current(workflow, values) if workflow else None,
    }


def as_python(workflow: Workflow, session: Session | None, values: Values) -> str:
    """A call that does what Generate does, naming what differs from the workflow's defaults."""
    plain = values.plain()
    changed = {key: plain[key] for key in values.changed() if key not in values.drafts}
    named = [f"session={session.title!r}"] if session else []
    named.append(f"workflow={workflow.name!r}")
    prompt = changed.pop("prompt", "")
    if "negative_prompt" in changed:
        named.append(f"negative={changed.pop('negative_prompt')!r}")
    named += [f"{key}={value!r}" for key, value in changed.items() if key.isidentifier()]
    if exact_ones := {key: value for key, value in changed.items() if not key.isidentifier()}:
        named.append(f"**{exact_ones!r}")
    lines = "".join(f"    {one},\n" for one in [repr(prompt), *named])
    return f"run = wb.generate(\n{lines})\nawait run"


def snapshot(place: Place, values: Values, runs: Runs, name: str) -> tuple[str, str]:
    """The pane in a saved notebook: what differs from the defaults, and the last picture."""
    if place.workflow is None:
        return "", name
    plain = values.plain()
    rows = [
        [values.fields[key].label, _said(plain[key]), _said(values.default(key))]
        for key in values.changed()
        if key not in values.drafts
    ]
    what = html.escape(place.workflow.name)
    body = f"<p><strong>Params</strong> of {what}: {_count(len(rows), len(values.fields))}</p>"
    body += table(["Value", "Here", "Workflow"], rows) if rows else ""
    if (last := runs.last) is not None and runs.thumbnail and len(runs.thumbnail) <= KEPT_PICTURE:
        data = base64.b64encode(runs.thumbnail).decode()
        seed = "" if last.seed is None else f"seed {last.seed}"
        body += f'<p><img src="data:image/webp;base64,{data}" alt="Last picture, {seed}"><br>{seed}</p>'
    text = "\n".join([name, *(" | ".join(row) for row in rows)])
    return saved_note("Run the cell to change these values.") + body, text


def _group(field: Field) -> str:
    return field.group


def _field_row(field: Field, values: Values) -> dict[str, Any]:
    row = {
        "key": field.key,
        "kind": field.kind,
        "label": field.label,
        "node": field.node,
        "default": exact(values.default(field.key)),
        "min": exact(field.minimum),
        "max": exact(field.maximum),
        "step": field.step,
        "options": list(field.options) or None,
        "integer": field.integer or None,
        "multiline": field.multiline or None,
        "display": field.display,
        "tooltip": field.tooltip,
        "labels": list(field.labels) or None,
    }
    return {name: value for name, value in row.items() if value is not None}


def _count(changed: int, total: int) -> str:
    return f"{changed} of {total} values changed" if changed else "every value at its default"


def _said(value: Any) -> str:
    return "random" if value == -1 else "unknown" if value is None else str(value)

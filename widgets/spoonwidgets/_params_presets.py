"""Named sets of values of a workflow. They lie in its `default_parameters`, under a key that no run takes over by
itself: so they are shared with everybody who has the workflow, and go with it when it is deleted."""

from typing import Any

from spoonkernel.api import WorkbenchAPI
from spoonkernel.errors import BadRequest, NotFound, ValidationFailed
from spoonkernel.types.generations import exact
from spoonkernel.types.workflows import PRESETS, Workflow
from spoonwidgets._params_values import Values

MAX_PRESETS = 100
MAX_NAME = 80


class Presets:
    def __init__(self, workbench: WorkbenchAPI, workflow: Workflow) -> None:
        self._workbench, self._workflow = workbench, workflow

    def values(self, name: str) -> dict[str, Any]:
        found = presets_of(self._workflow)
        if name not in found:
            raise NotFound(f"There is no preset {name!r} any more")
        return found[name]

    async def change(self, action: str, name: str, values: Values) -> Workflow:
        """Save the values under a name, delete a name, or make the values the default; returns the workflow then.

        What was kept is read again first: the API replaces all of it at once, and somebody else may have added some.
        """
        fresh = await self._workbench.workflows.get(self._workflow.id)
        defaults: dict[str, Any] = dict(fresh.default_parameters)
        presets = presets_of(fresh)
        if action == "save":
            presets[_checked(name)] = kept(values)
            if len(presets) > MAX_PRESETS:
                raise ValidationFailed(f"A workflow keeps {MAX_PRESETS} presets: delete one first")
        elif action == "delete":
            presets.pop(name, None)
        elif action == "default":
            defaults = kept(values)
        else:
            raise BadRequest(f"A preset is applied, saved or deleted, not {action!r}")
        defaults.pop(PRESETS, None)
        return await self._workbench.workflows.set_parameters(
            fresh.id, default_parameters=defaults | ({PRESETS: presets} if presets else {})
        )


def presets_of(workflow: Workflow) -> dict[str, dict[str, Any]]:
    """The presets of a workflow by name, in the order in which they were saved."""
    found = workflow.default_parameters.get(PRESETS)
    named = found if isinstance(found, dict) else {}
    return {name: one for name, one in named.items() if isinstance(one, dict)}


def kept(values: Values) -> dict[str, Any]:
    """The values as a workflow keeps them: all of them, so that they mean the same when the default changes. A random
    seed, and a model file that the server lacks, are left to each run."""
    plain = {
        key: value
        for key, value in values.plain().items()
        if not (key == "seed" and value == -1)
        and value is not None
        and not (values.fields[key].is_missing and value == values.fields[key].own)
    }
    if "prompt" in plain:
        plain = {"prompt_text": plain.pop("prompt")} | plain
    return {key: exact(value) for key, value in plain.items()}


def current(workflow: Workflow, values: Values) -> str | None:
    """The preset that says what the values say."""
    now = kept(values)
    return next((name for name, one in presets_of(workflow).items() if one == now), None)


def _checked(name: str) -> str:
    if not 0 < len(name.strip()) <= MAX_NAME:
        raise ValidationFailed(f"A preset's name has 1 to {MAX_NAME} characters.")
    return name.strip()

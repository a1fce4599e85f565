"""What can be done where nothing is set up: a simulated ComfyUI, a small model, servers found on this machine."""

import asyncio
from collections.abc import Callable
from typing import Any

from spoonkernel.errors import NotFound, SpoonError
from spoonkernel.providers.registry import PROVIDERS
from spoonwidgets._base import Workbench, explain, log
from spoonwidgets._directory import Directory, Entry
from spoonwidgets._simulated import NAME, simulated_profile

DEMO_MODEL = "smollm2:135m"


class Offers:
    """The offers of one pane, on the workbench's loop. `changed` is called when `row()` says something new."""

    def __init__(self, workbench: Workbench, directory: Directory, changed: Callable[[], None]) -> None:
        self._workbench, self._directory, self._changed = workbench, directory, changed
        self._pulling: asyncio.Task[None] | None = None
        self._pull: dict[str, Any] | None = None
        self._comfyui: list[str] | None = None

    def row(self) -> dict[str, Any]:
        """What the page shows. `simulated` is the profile of the simulated ComfyUI, where there is one."""
        simulated = self._simulated()
        local = [model for entry in self._directory.of("local") for model in entry.models]
        return {
            "simulated": simulated.id if simulated else None,
            "local": DEMO_MODEL in local,
            "pull": self._pull,
            "comfyui": self._found_comfyui(),
            "ollama": next((len(entry.models) for entry in self._directory.of("ollama") if entry.models), 0),
        }

    async def look(self) -> None:
        """See whether a ComfyUI answers at its usual address."""
        outcome = await self._directory.ask(
            self._workbench.inner.profiles.test_connection(provider="comfyui", url=PROVIDERS["comfyui"].url)
        )
        self._comfyui = outcome.models if outcome.connected else None
        self._changed()

    async def simulate(self) -> str:
        """Start the simulated ComfyUI, or find the one that runs, and have a profile for it; the profile's id.

        Raises:
            ProviderConnectionError: the workbench cannot reach it: it is a server on another machine.
        """
        profile = await simulated_profile(self._workbench.inner)
        await self._directory.look()
        await self._directory.test(self._directory.get(profile.id))
        return profile.id

    async def use_comfyui(self) -> str:
        """Make a profile for the ComfyUI that answers at the usual address; its id."""
        if self._found_comfyui() is None:
            raise NotFound("No ComfyUI answers at its usual address any more")
        profile = await self._workbench.inner.profiles.create(
            name="Local ComfyUI",
            type="image",
            provider="comfyui",
            url=str(PROVIDERS["comfyui"].url),
            input_modalities=["text", "image"],
            output_modalities=["image", "video", "audio"],
        )
        await self._directory.look()
        return profile.id

    def pull(self) -> None:
        """Fetch the small model in the background; `row()["pull"]` says how far it is."""
        if self._pulling is None or self._pulling.done():
            self._pull = {"completed": 0, "total": None, "error": None}
            self._pulling = asyncio.create_task(self._fetch())
            self._changed()

    def cancel_pull(self) -> None:
        if self._pulling:
            self._pulling.cancel()

    async def _fetch(self) -> None:
        try:
            async for piece in self._workbench.inner.models.pull(DEMO_MODEL):
                self._pull = {"completed": piece.completed_bytes, "total": piece.total_bytes, "error": None}
                self._changed()
            await self._directory.look()
            await self._directory.settled()
            self._pull = None
        except asyncio.CancelledError:
            self._pull = None  # the task's own end
        except SpoonError as error:
            self._pull = {"completed": 0, "total": None, "error": explain(error)}
        except Exception:  # noqa: BLE001 - the page must hear of any end
            log.exception("The model could not be fetched")
            self._pull = {"completed": 0, "total": None, "error": explain(SpoonError())}
        finally:
            self._changed()

    def _simulated(self) -> Entry | None:
        return next((entry for entry in self._directory.of("comfyui") if entry.name == NAME), None)

    def _found_comfyui(self) -> dict[str, Any] | None:
        """The ComfyUI at the usual address, unless a profile has it already."""
        usual = str(PROVIDERS["comfyui"].url)
        port = usual.rpartition(":")[2]
        same = {None, usual, f"http://localhost:{port}"}
        if self._comfyui is None or any(entry.url in same for entry in self._directory.of("comfyui")):
            return None
        return {"address": usual.removeprefix("http://"), "checkpoints": len(self._comfyui)}

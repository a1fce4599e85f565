from typing import Annotated

from fastapi import Path

from spoonkernel.types.settings import ConnectionTest, ProviderSettings, SettingsUpdate
from spoonserver.deps import WorkbenchDep
from spoonserver.envelope import Confirmation, Data
from spoonserver.rooms import room

router = room("Settings", "/settings")

Provider = Annotated[str, Path(description="`openai`, `gemini` or `claude`")]


@router.get("")
async def list_settings(workbench: WorkbenchDep) -> Data[list[ProviderSettings]]:
    """Every provider with stored settings, keys masked."""
    return Data(data=await workbench.settings.list())


@router.get("/{provider}")
async def get_settings(provider: Provider, workbench: WorkbenchDep) -> Data[ProviderSettings]:
    """One provider's settings, its key masked."""
    return Data(data=await workbench.settings.get(provider))


@router.put("/{provider}")
async def update_settings(provider: Provider, changes: SettingsUpdate, workbench: WorkbenchDep) -> Confirmation:
    """Store a provider's key, address and default model. The mask keeps the stored key."""
    await workbench.settings.update(provider, **changes.given())
    return Confirmation(message=f"Settings for {provider} updated")


@router.post("/{provider}/test", response_model_exclude_none=True)
async def test_settings(provider: Provider, workbench: WorkbenchDep) -> Data[ConnectionTest]:
    """Ask the provider for its models with the stored key. A test that fails is an answer, not an error."""
    return Data(data=await workbench.settings.test(provider))


@router.delete("/{provider}")
async def delete_settings(provider: Provider, workbench: WorkbenchDep) -> Confirmation:
    """Forget a provider's settings and its key."""
    await workbench.settings.delete(provider)
    return Confirmation(message=f"Settings for {provider} deleted")

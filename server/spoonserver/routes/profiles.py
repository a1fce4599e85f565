from typing import Annotated

from fastapi import Query

from spoonkernel.types.base import ProviderName
from spoonkernel.types.profiles import (
    ConnectionTestRequest,
    ModelSync,
    Profile,
    ProfileCreate,
    ProfileModel,
    ProfileModelCreate,
    ProfileUpdate,
)
from spoonkernel.types.settings import ConnectionTest
from spoonserver.deps import QueryString, WorkbenchDep
from spoonserver.envelope import Confirmation, Data
from spoonserver.rooms import room

router = room("Profiles", "/profiles")


class ProfileQuery(QueryString):
    provider: ProviderName | None = None


class DeleteQuery(QueryString):
    force: bool = False


@router.get("")
async def list_profiles(query: Annotated[ProfileQuery, Query()], workbench: WorkbenchDep) -> Data[list[Profile]]:
    """All profiles, newest first, keys masked."""
    return Data(data=await workbench.profiles.list(provider=query.provider))


@router.post("", status_code=201)
async def create_profile(profile: ProfileCreate, workbench: WorkbenchDep) -> Data[Profile]:
    """Store a connection to a provider. The key is encrypted at rest."""
    return Data(data=await workbench.profiles.create(**profile.given()))


@router.post("/test-connection", response_model_exclude_none=True)
async def test_connection(request: ConnectionTestRequest, workbench: WorkbenchDep) -> Data[ConnectionTest]:
    """Ask a provider for its models, storing nothing."""
    return Data(data=await workbench.profiles.test_connection(**request.given()))


@router.get("/{profile_id}")
async def get_profile(profile_id: str, workbench: WorkbenchDep) -> Data[Profile]:
    """One profile, its key masked."""
    return Data(data=await workbench.profiles.get(profile_id))


@router.put("/{profile_id}")
async def update_profile(profile_id: str, changes: ProfileUpdate, workbench: WorkbenchDep) -> Data[Profile]:
    """Change what is sent. The mask keeps the stored key; a new `url` needs the key sent again."""
    return Data(data=await workbench.profiles.update(profile_id, **changes.given()))


@router.delete("/{profile_id}")
async def delete_profile(
    profile_id: str, query: Annotated[DeleteQuery, Query()], workbench: WorkbenchDep
) -> Confirmation:
    """Forget a profile. One that sessions or workflows use is a conflict, unless `force` deletes them too."""
    await workbench.profiles.delete(profile_id, force=query.force)
    return Confirmation(message="Profile deleted")


@router.get("/{profile_id}/models")
async def list_profile_models(profile_id: str, workbench: WorkbenchDep) -> Data[list[ProfileModel]]:
    """The models listed under a profile."""
    return Data(data=await workbench.profiles.models(profile_id))


@router.post("/{profile_id}/models", status_code=201)
async def add_profile_model(profile_id: str, model: ProfileModelCreate, workbench: WorkbenchDep) -> Data[ProfileModel]:
    """List one more model under a profile."""
    return Data(data=await workbench.profiles.add_model(profile_id, **model.given()))


@router.post("/{profile_id}/models/sync")
async def sync_profile_models(profile_id: str, workbench: WorkbenchDep) -> Data[ModelSync]:
    """Make the profile's models those that the provider lists now."""
    return Data(data=await workbench.profiles.sync_models(profile_id))


@router.delete("/{profile_id}/models/{model_id:path}")
async def remove_profile_model(profile_id: str, model_id: str, workbench: WorkbenchDep) -> Confirmation:
    """Take a model off a profile, by the provider's id for it or by its row's."""
    await workbench.profiles.remove_model(profile_id, model_id)
    return Confirmation(message="Model removed from profile")

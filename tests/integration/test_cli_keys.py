"""`spoon keys rotate` on a real store."""

import os
import subprocess
import sys

from spoonkernel.config import read_config
from spoonkernel.store.engine import Database
from spoonkernel.store.profiles import ProfileRepo
from spoonkernel.vault import make_key, open_vault
from spoonkernel.workbench import Workbench

SECRET = "sk-canary-1234567890"


def rotate(data, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "spoonkernel.cli", "keys", "rotate", "--data", str(data)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | env, timeout=60, check=False)


async def store_two_keys(data, **env: str) -> str:
    async with Workbench(read_config(env, data=data)) as workbench:
        await workbench.settings.update("claude", api_key=SECRET)
        profile = await workbench.profiles.create(name="p", type="text", provider="openai", api_key=SECRET)
        return profile.id


async def test_every_stored_key_is_encrypted_with_the_new_one(tmp_path) -> None:
    profile = await store_two_keys(tmp_path)
    before = (tmp_path / "encryption.key").read_text().split()
    done = rotate(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 stored API keys are encrypted with the newest" in done.stdout
    newest, *older = (tmp_path / "encryption.key").read_text().split()
    assert older == before
    config = read_config({}, data=tmp_path)
    async with Database(config.store_url) as database:
        row = await ProfileRepo(database).get(profile)
    assert open_vault([newest], config.key_file).decrypt(row.api_key, owner=f"profiles:{profile}") == SECRET
    assert SECRET not in done.stdout


async def test_keys_of_the_environment_are_rotated_by_naming_both(tmp_path) -> None:
    old, new = make_key(), make_key()
    await store_two_keys(tmp_path, SPOON_ENCRYPTION_KEY=old)
    alone = rotate(tmp_path, SPOON_ENCRYPTION_KEY=old)
    assert alone.returncode == 1
    assert "put a new one before it" in alone.stderr
    assert "2 stored" in rotate(tmp_path, SPOON_ENCRYPTION_KEY=f"{new},{old}").stdout
    async with Workbench(read_config({"SPOON_ENCRYPTION_KEY": new}, data=tmp_path)) as workbench:
        assert (await workbench.settings.get("claude")).api_key == "sk-...7890"


async def test_a_key_that_cannot_be_decrypted_stops_the_rotation_and_nothing_changes(tmp_path) -> None:
    await store_two_keys(tmp_path, SPOON_ENCRYPTION_KEY=make_key())
    done = rotate(tmp_path, SPOON_ENCRYPTION_KEY=f"{make_key()},{make_key()}")
    assert done.returncode == 1
    assert "another encryption key" in done.stderr
    assert "Traceback" not in done.stderr

import pytest

from spoonkernel.errors import BadRequest, EncryptionKeyError
from spoonkernel.vault import Vault, is_mask, make_key, mask, open_vault, read_key_file, rotate_key_file

SECRET = "sk-canary-1234567890"


def test_a_secret_comes_back_and_never_looks_the_same_twice() -> None:
    vault = Vault([make_key()])
    first, second = (vault.encrypt(SECRET, owner="profiles:1") for _ in range(2))
    assert vault.decrypt(first, owner="profiles:1") == vault.decrypt(second, owner="profiles:1") == SECRET
    assert first != second
    assert SECRET.encode() not in first


def test_a_value_moved_to_another_row_does_not_decrypt() -> None:
    vault = Vault([make_key()])
    value = vault.encrypt(SECRET, owner="profiles:1")
    with pytest.raises(EncryptionKeyError, match="profiles:2 is damaged"):
        vault.decrypt(value, owner="profiles:2")


def test_a_changed_byte_is_noticed() -> None:
    vault = Vault([make_key()])
    value = bytearray(vault.encrypt(SECRET, owner="x"))
    value[-1] ^= 1
    with pytest.raises(EncryptionKeyError):
        vault.decrypt(bytes(value), owner="x")


def test_another_encryption_key_is_named_as_the_trouble_without_telling_the_secret() -> None:
    value = Vault([make_key()]).encrypt(SECRET, owner="profiles:1")
    other = Vault([make_key()])
    with pytest.raises(EncryptionKeyError, match="another encryption key") as caught:
        other.decrypt(value, owner="profiles:1")
    assert SECRET not in str(caught.value)
    assert other.masked(value, owner="profiles:1") == "..."


def test_rotation_reads_old_values_and_writes_with_the_new_key() -> None:
    old, new = make_key(), make_key()
    value = Vault([old]).encrypt(SECRET, owner="x")
    both = Vault([new, old])
    assert both.decrypt(value, owner="x") == SECRET
    assert not both.is_current(value)
    again = both.encrypt(SECRET, owner="x")
    assert both.is_current(again)
    assert Vault([new]).decrypt(again, owner="x") == SECRET


def test_a_value_of_an_unknown_format_is_refused() -> None:
    with pytest.raises(EncryptionKeyError, match="upgrade Spoon"):
        Vault([make_key()]).decrypt(b"\x07" + bytes(60), owner="x")


@pytest.mark.parametrize("key", ["", "short", "not base64 at all!", "A" * 38])
def test_a_malformed_encryption_key_is_refused(key: str) -> None:
    with pytest.raises(BadRequest, match="Encryption key 1 is not 32 bytes"):
        Vault([key])


def test_the_key_file_is_made_once_and_private(tmp_path) -> None:
    path = tmp_path / "folder" / "encryption.key"
    keys = read_key_file(path)
    assert read_key_file(path) == keys
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    read_key_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["encryption.key"]


def test_a_rotated_key_file_keeps_the_old_key_behind_the_new(tmp_path) -> None:
    path = tmp_path / "encryption.key"
    value = open_vault([], path).encrypt(SECRET, owner="x")
    (before,) = read_key_file(path)
    rotate_key_file(path)
    newest, older = read_key_file(path)
    assert older == before != newest
    assert path.stat().st_mode & 0o777 == 0o600
    assert open_vault([], path).decrypt(value, owner="x") == SECRET


def test_keys_of_the_environment_leave_no_file(tmp_path) -> None:
    open_vault([make_key()], tmp_path / "encryption.key")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("sk-abcdefghij7890", "sk-...7890"),
        ("twelve-chars", "twe...hars"),
        ("short-key", "..."),
        ("", None),
        (None, None),
    ],
)
def test_a_mask_tells_little(key: str | None, shown: str | None) -> None:
    assert mask(key) == shown
    assert shown is None or is_mask(shown)


def test_a_key_is_no_mask() -> None:
    assert not is_mask("sk-abcdefghij7890")
    assert not is_mask(None)

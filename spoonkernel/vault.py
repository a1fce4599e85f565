"""Provider keys at rest: AES-256-GCM, one nonce a value, each value bound to its row and marked with its key's id.

There is no default key. The first start writes one to `encryption.key` in the data folder (mode 0600), or
`SPOON_ENCRYPTION_KEY` gives them, newest first. A key is 32 bytes in URL-safe base64. A value is
`version (1 byte) | key id (4) | nonce (12) | ciphertext and tag`.
"""

import base64
import binascii
import hashlib
import os
import re
import secrets
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from spoonkernel.errors import BadRequest, EncryptionKeyError

VERSION = b"\x01"
KEY_BYTES, KEY_ID_BYTES, NONCE_BYTES = 32, 4, 12
HIDDEN = "..."
MASK = re.compile(r"(.{3}\.{3}.{4}|\.{3})", re.DOTALL)
SHORTEST_SHOWN = 12  # a mask of a shorter key would tell most of it


def mask(key: str | None) -> str | None:
    """What people may see of a key: `sk-...7890`, and only `...` where the key is short."""
    if not key:
        return None
    return f"{key[:3]}{HIDDEN}{key[-4:]}" if len(key) >= SHORTEST_SHOWN else HIDDEN


def is_mask(key: str | None) -> bool:
    """Whether this is a mask that somebody sends back, and no key."""
    return key is not None and MASK.fullmatch(key) is not None


def make_key() -> str:
    """A new encryption key as text."""
    return base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode()


class Vault:
    """Encrypts with the first key and decrypts with whichever key wrote the value."""

    def __init__(self, keys: Sequence[str]) -> None:
        """`keys`: newest first, as `make_key` writes them."""
        raw = [_decode(key, number) for number, key in enumerate(keys, start=1)]
        if not raw:
            raise BadRequest("No encryption key was given")
        self._ciphers = {_key_id(key): AESGCM(key) for key in raw}
        self._newest = _key_id(raw[0])

    def encrypt(self, secret: str, *, owner: str) -> bytes:
        """`owner` names the row (`profiles:<id>`): a value moved to another row does not decrypt."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return (
            VERSION + self._newest + nonce + self._ciphers[self._newest].encrypt(nonce, secret.encode(), owner.encode())
        )

    def decrypt(self, value: bytes, *, owner: str) -> str:
        """The secret. Raises `EncryptionKeyError` when none of the keys wrote it, or it was tampered with."""
        key_id, nonce, sealed = _split(value)
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise EncryptionKeyError(
                f"The API key of {owner} was encrypted with another encryption key ({key_id.hex()}). Give that one in "
                "SPOON_ENCRYPTION_KEY or the key file, after the newest, or store the API key again"
            )
        try:
            return cipher.decrypt(nonce, sealed, owner.encode()).decode()
        except InvalidTag as error:
            raise EncryptionKeyError(f"The stored API key of {owner} is damaged: store it again") from error

    def masked(self, value: bytes | None, *, owner: str) -> str | None:
        """What people may see of a stored secret. One that cannot be decrypted any more still has a mask."""
        if value is None:
            return None
        try:
            return mask(self.decrypt(value, owner=owner))
        except EncryptionKeyError:
            return HIDDEN

    def is_current(self, value: bytes) -> bool:
        """Whether the newest key wrote it; what is not current is encrypted again by a rotation."""
        return _split(value)[0] == self._newest


def open_vault(keys: Sequence[str], key_file: Path) -> Vault:
    """The vault of these keys, else of the key file, which is made on first use (0600)."""
    return Vault(keys or read_key_file(key_file))


def read_key_file(path: Path) -> list[str]:
    """The keys of the file, newest first; a new file with a new key when there is none."""
    if not path.exists():
        _write_private(path, make_key() + "\n")
    elif path.stat().st_mode & 0o077:
        path.chmod(0o600)  # restored backups and copies lose the mode
    return path.read_text().split()


def rotate_key_file(path: Path) -> None:
    """Put a new key before the ones in the file. Values are encrypted again by `services.keys`."""
    keys = [make_key(), *read_key_file(path)]
    fresh = path.with_suffix(".new")
    _write_private(fresh, "".join(f"{key}\n" for key in keys))
    fresh.replace(path)


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all, unless it is there already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    try:
        os.link(draft, path)  # fails where another process was first, unlike a rename
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _decode(key: str, number: int) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(key)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEY_BYTES:
        raise BadRequest(
            f"Encryption key {number} is not 32 bytes in URL-safe base64. Make one with: "
            'python -c "from spoonkernel.vault import make_key; print(make_key())"'
        )
    return raw


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"spoon key id" + key).digest()[:KEY_ID_BYTES]


def _split(value: bytes) -> tuple[bytes, bytes, bytes]:
    head = len(VERSION) + KEY_ID_BYTES
    if value[: len(VERSION)] != VERSION:
        raise EncryptionKeyError("A stored API key has a format that this Spoon does not know: upgrade Spoon")
    return value[len(VERSION) : head], value[head : head + NONCE_BYTES], value[head + NONCE_BYTES :]

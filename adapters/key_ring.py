"""A key ring of AES-256-GCM keys, from the environment or a file."""

import base64
import binascii
import re
import secrets
from collections.abc import Mapping, Sequence
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from application.ports.secret_keys import WrappedKey
from domain.errors import SecretsUnreadableError

KEY_BYTES = 32
_NONCE_BYTES = 12
"""What NIST SP 800-38D recommends for GCM; random nonces are safe for 2**32 encryptions with one key."""
_FORMAT = b"\x01"
"""The first byte of all ciphertext, and part of what it is bound to: another format will have another one."""
_WRAPPING, _SEALING = b"artifact-manager data key", b"artifact-manager secret"
_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_SEPARATORS = re.compile(r"[\s,]+")


class KeyRingError(ValueError):
    """A text is no key ring; what is wrong with it, without a key."""


def new_ring_key() -> str:
    """Make a key as a ring has it: `id:key`."""
    return f"{secrets.token_hex(4)}:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"


def parse_key_ring(text: str) -> "AesKeyRing":
    """Read keys `id:base64 of 32 bytes`, separated by commas or white space; the first one is current.

    Raises:
        KeyRingError: There is none, an entry is malformed, or an id is there twice.
    """
    keys: dict[str, bytes] = {}
    for number, entry in enumerate(filter(None, _SEPARATORS.split(text)), start=1):
        key_id, _, encoded = entry.partition(":")
        if not _ID.fullmatch(key_id) or not encoded:
            raise KeyRingError(f"entry {number} must be `id:key`, the id of 1 to 32 letters, digits, `-` and `_`")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != KEY_BYTES:
            raise KeyRingError(f"the key of entry {number} must be {KEY_BYTES} bytes in base64")
        if key_id in keys:
            raise KeyRingError(f"entry {number} has an id that an earlier one has")
        keys[key_id] = key
    if not keys:
        raise KeyRingError("must have at least one key")
    return AesKeyRing(keys)


class AesKeyRing:
    """Wraps data keys by the first of its keys, and unwraps them by any."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._current_id = next(iter(keys))

    def __repr__(self) -> str:
        return f"AesKeyRing({', '.join(self._keys)})"

    @property
    def current_id(self) -> str:
        """The id of the first key."""
        return self._current_id

    @property
    def ids(self) -> frozenset[str]:
        """The ids of all keys."""
        return frozenset(self._keys)

    def make(self, artifact_id: UUID) -> WrappedKey:
        """Make a data key for an artifact."""
        return self._wrap(artifact_id, secrets.token_bytes(KEY_BYTES))

    def open(self, artifact_id: UUID, key: WrappedKey) -> "AesDataKey":
        """Unwrap a data key.

        Raises:
            SecretsUnreadableError: The ring has not the key that wraps it, or it is damaged or another artifact's.
        """
        return AesDataKey(artifact_id, self._unwrap(artifact_id, key))

    def rewrap(self, artifact_id: UUID, key: WrappedKey) -> WrappedKey:
        """Wrap the same data key by the current key.

        Raises:
            SecretsUnreadableError: As for `open`.
        """
        return self._wrap(artifact_id, self._unwrap(artifact_id, key))

    def _wrap(self, artifact_id: UUID, data_key: bytes) -> WrappedKey:
        ring_key = self._keys[self._current_id]
        wrapped = _encrypt(ring_key, data_key, (_WRAPPING, self._current_id.encode(), artifact_id.bytes))
        return WrappedKey(ring_key_id=self._current_id, wrapped=wrapped)

    def _unwrap(self, artifact_id: UUID, key: WrappedKey) -> bytes:
        ring_key = self._keys.get(key.ring_key_id)
        if ring_key is None:
            raise SecretsUnreadableError(
                f"The secrets of this artifact cannot be read or set: the key ring of the service has no key "
                f"'{key.ring_key_id}'."
            )
        data_key = _decrypt(ring_key, key.wrapped, (_WRAPPING, key.ring_key_id.encode(), artifact_id.bytes))
        if data_key is None:
            raise SecretsUnreadableError(
                f"The secrets of this artifact cannot be read or set: key '{key.ring_key_id}' of the service's key "
                "ring is not the one that theirs was wrapped by, or theirs is damaged."
            )
        return data_key


class AesDataKey:
    """Encrypts the secrets of one artifact, each bound to the artifact and its own name."""

    def __init__(self, artifact_id: UUID, key: bytes) -> None:
        self._artifact_id = artifact_id
        self._key = AESGCM(key)

    def __repr__(self) -> str:
        return f"AesDataKey({self._artifact_id})"

    def seal(self, name: str, value: str) -> bytes:
        """Encrypt a value."""
        return _encrypt(self._key, value.encode(), self._bound_to(name))

    def open(self, name: str, sealed: bytes) -> str:
        """Decrypt a value.

        Raises:
            SecretsUnreadableError: It was not sealed under this name with this key, or was changed since.
        """
        value = _decrypt(self._key, sealed, self._bound_to(name))
        if value is None:
            raise SecretsUnreadableError(
                f"The secret '{name}' cannot be read: it was encrypted with a key that is not there any more, "
                "or is damaged. Set it again."
            )
        return value.decode()

    def _bound_to(self, name: str) -> tuple[bytes, ...]:
        return (_SEALING, self._artifact_id.bytes, name.encode())


def _encrypt(key: AESGCM, data: bytes, bound_to: Sequence[bytes]) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return _FORMAT + nonce + key.encrypt(nonce, data, _associated(bound_to))


def _decrypt(key: AESGCM, sealed: bytes, bound_to: Sequence[bytes]) -> bytes | None:
    nonce, encrypted = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    if sealed[:1] != _FORMAT or len(nonce) != _NONCE_BYTES:
        return None
    try:
        return key.decrypt(nonce, encrypted, _associated(bound_to))
    except InvalidTag:
        return None


def _associated(parts: Sequence[bytes]) -> bytes:
    # Each part has its length before it, so that no two lists of parts give the same bytes.
    return _FORMAT + b"".join(len(part).to_bytes(4) + part for part in parts)

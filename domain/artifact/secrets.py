"""The decisions on an artifact's secrets. They see ciphertext alone: what is decided here has been encrypted before."""

from collections.abc import Mapping

import msgspec
from msgspec import UNSET, UnsetType

from domain.artifact.chain import Chain
from domain.artifact.events import SecretsChanged, StoreLocation
from domain.artifact.state import Artifact, OwnStore
from domain.artifact.store_secrets import STORE_SECRETS
from domain.artifact.stores import MAX_STORES
from domain.errors import InvalidArgumentError, StaleFactsError, TooLargeError
from domain.events import Emit, Outcome
from domain.ids import artifact_key
from domain.permissions import Operation, may, require

MAX_SECRETS = 100
"""Secrets of one artifact."""
MAX_SECRET_NAME_BYTES = 256
MAX_SECRET_BYTES = 32 * 1024
"""The largest value of one secret, as UTF-8."""
MAX_SEALED_BYTES = 256 * 1024
"""All secrets of an artifact together, encrypted: its state stays small, and the event of any change fits the log."""


class SecretsChange(msgspec.Struct, frozen=True, kw_only=True):
    """Secrets to set, as ciphertext by name, and names to remove; a replacement removes all that it does not set.

    `store` is what the secrets describe after the change, where it is about those. It was found with the ciphertext of
    `store_basis`, and is right only while the artifact still has just that.
    """

    sealed: Mapping[str, bytes] = msgspec.field(default_factory=dict)
    removed: tuple[str, ...] = ()
    is_replacement: bool = False
    store: StoreLocation | UnsetType | None = UNSET
    store_basis: Mapping[str, bytes] = msgspec.field(default_factory=dict)


def check_secret_name(name: str) -> str:
    """Check the name of a secret.

    Raises:
        InvalidArgumentError: It is empty, too long, or holds control characters or half a character.
    """
    if not name or not name.isprintable() or len(name.encode("utf-8", "surrogatepass")) > MAX_SECRET_NAME_BYTES:
        raise InvalidArgumentError(
            f"The name of a secret must have 1 to {MAX_SECRET_NAME_BYTES} bytes and no control characters."
        )
    return name


def check_secret_value(name: str, value: object) -> str:
    """Check the value of a secret; the error never shows it.

    Raises:
        InvalidArgumentError: It is not text, or not text that UTF-8 can hold.
        TooLargeError: It is too large.
    """
    if not isinstance(value, str):
        raise InvalidArgumentError(f"The secret '{name}' must be text.")
    # Counted without encoding first, because the error of an encoder carries the whole text.
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidArgumentError(f"The secret '{name}' must be text without lone surrogates.")
    if len(value.encode()) > MAX_SECRET_BYTES:
        raise TooLargeError(f"The secret '{name}' is too large; a secret has at most {MAX_SECRET_BYTES} bytes.")
    return value


def secrets_changed(artifact: Artifact | None, change: SecretsChange) -> SecretsChanged | None:
    """Give the event of a change; None when it changes nothing. Of a new artifact there is no state yet.

    Raises:
        InvalidArgumentError: There would be too many secrets, or stores.
        TooLargeError: They would be too large together.
        StaleFactsError: The secrets that describe the store have changed meanwhile.
    """
    current: Mapping[str, bytes] = artifact.secrets if artifact else {}
    stores: Mapping[str, OwnStore] = artifact.stores if artifact else {}
    if change.store is not UNSET:
        if change.store_basis != {name: sealed for name, sealed in current.items() if name in STORE_SECRETS}:
            raise StaleFactsError
        if change.store is not None and change.store.id not in stores and len(stores) >= MAX_STORES:
            raise InvalidArgumentError(f"An artifact can have had {MAX_STORES} stores of its own at most.")
    removed = current.keys() if change.is_replacement else current.keys() & set(change.removed)
    removed = removed - change.sealed.keys()
    left = {**{name: sealed for name, sealed in current.items() if name not in removed}, **change.sealed}
    # Removing is always possible.
    if change.sealed:
        if len(left) > MAX_SECRETS:
            raise InvalidArgumentError(f"An artifact can have {MAX_SECRETS} secrets at most.")
        if sum(len(sealed) for sealed in left.values()) > MAX_SEALED_BYTES:
            raise TooLargeError(f"The secrets of an artifact can have {MAX_SEALED_BYTES} bytes together at most.")
    if not change.sealed and not removed:
        return None
    return SecretsChanged(sealed=dict(change.sealed), removed=tuple(sorted(removed)), store=change.store)


def secrets_emits(artifact: Artifact, change: SecretsChange | None) -> tuple[Emit, ...]:
    """List the events of a change that comes with another command, whose right to it was asked for."""
    event = secrets_changed(artifact, change) if change is not None else None
    if event is None:
        return ()
    key = artifact_key(artifact.id)
    return (Emit(key=key, event=event, workspace=artifact.workspace, artifact_id=artifact.id),)


def decide_change_secrets(chain: Chain, change: SecretsChange) -> Outcome:
    """Set or remove secrets; they belong to the artifact, not to a version, so this is in force at once.

    Raises:
        PermissionDeniedError: The caller may not set secrets here.
        InvalidArgumentError: There would be too many.
        TooLargeError: They would be too large together.
        StaleFactsError: The secrets that describe the store have changed meanwhile.
    """
    require(may(chain.viewer, Operation.SET_SECRET, chain.nodes))
    return Outcome(events=secrets_emits(chain.artifact, change))

"""The decisions on an artifact's secrets. They see ciphertext alone: what is decided here has been encrypted before."""

from collections.abc import Mapping

import msgspec

from domain.artifact.chain import Chain
from domain.artifact.events import SecretsChanged
from domain.artifact.state import Artifact
from domain.errors import InvalidArgumentError, TooLargeError
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
    """Secrets to set, as ciphertext by name, and names to remove; a replacement removes all that it does not set."""

    sealed: Mapping[str, bytes] = msgspec.field(default_factory=dict)
    removed: tuple[str, ...] = ()
    is_replacement: bool = False


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


def secrets_changed(current: Mapping[str, bytes], change: SecretsChange) -> SecretsChanged | None:
    """Give the event of a change; None when it changes nothing.

    Raises:
        InvalidArgumentError: There would be too many secrets.
        TooLargeError: They would be too large together.
    """
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
    return SecretsChanged(sealed=dict(change.sealed), removed=tuple(sorted(removed)))


def secrets_emits(artifact: Artifact, change: SecretsChange | None) -> tuple[Emit, ...]:
    """List the events of a change that comes with another command, whose right to it was asked for."""
    event = secrets_changed(artifact.secrets, change) if change is not None else None
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
    """
    require(may(chain.viewer, Operation.SET_SECRET, chain.nodes))
    return Outcome(events=secrets_emits(chain.artifact, change))

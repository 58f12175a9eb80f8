"""From the secrets that a caller gives to what a decision may see of them."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from msgspec import UNSET, UnsetType

from application.services import Services
from domain.artifact.events import StoreLocation
from domain.artifact.secrets import SecretsChange, check_secret_name, check_secret_value
from domain.artifact.store_secrets import STORE_SECRETS
from domain.artifact.stores import find_location

NONE: Mapping[str, bytes] = {}
"""The secrets of an artifact that is new."""


def check_secrets(given: Mapping[str, Any] | None) -> dict[str, str] | None:
    """Check the argument `secrets`; a null in it stands for a secret that is not there.

    Raises:
        InvalidArgumentError: A name or value is none of a secret. No text shows a value.
        TooLargeError: A value is too large.
    """
    if given is None:
        return None
    return {
        check_secret_name(name): check_secret_value(name, value) for name, value in given.items() if value is not None
    }


async def sealed_change(
    services: Services,
    artifact_id: UUID,
    current: Mapping[str, bytes],
    values: Mapping[str, str],
    *,
    removed: Collection[str] = (),
    is_replacement: bool = False,
) -> SecretsChange:
    """Encrypt secrets to set, and find out which store they describe together with those that stay.

    `current` is the ciphertext that the artifact has.

    Raises:
        InvalidArgumentError: The address of a store is none.
        SecretsUnreadableError: The key of the artifact cannot be unwrapped.
    """
    basis = {name: sealed for name, sealed in current.items() if name in STORE_SECRETS}
    touched = {*values, *removed, *(basis if is_replacement else ())}
    store: StoreLocation | UnsetType | None = UNSET
    if not STORE_SECRETS.isdisjoint(touched):
        # Opened in one go with what is new, so that no secret is ever missing or old in it.
        kept = {} if is_replacement else {name: sealed for name, sealed in basis.items() if name not in touched}
        store = find_location(artifact_id, {**await services.vault.open(artifact_id, kept), **values})
    return SecretsChange(
        sealed=await services.vault.seal(artifact_id, values),
        removed=tuple(removed),
        is_replacement=is_replacement,
        store=store,
        store_basis=basis,
    )

"""From the secrets that a caller gives to what a decision may see of them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from application.services import Services
from domain.artifact.secrets import SecretsChange, check_secret_name, check_secret_value


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


async def replacement(services: Services, artifact_id: UUID, secrets: Mapping[str, str]) -> SecretsChange:
    """Encrypt secrets that take the place of all that the artifact has.

    Raises:
        SecretsUnreadableError: The key of the artifact cannot be unwrapped.
    """
    return SecretsChange(sealed=await services.vault.seal(artifact_id, secrets), is_replacement=True)

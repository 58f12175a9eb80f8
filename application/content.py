"""Checks the manifests and configurations that callers give, within the limits of the settings."""

from application.services import Services
from domain.artifact.content import clean
from domain.events import JsonObject


def cleaned(services: Services, value: JsonObject, argument: str) -> JsonObject:
    """Check size and depth, and replace non-finite numbers; `argument` names the value in errors.

    Raises:
        InvalidArgumentError: It is nested too deep, or is not JSON.
        TooLargeError: It is too large.
    """
    settings = services.settings
    return clean(value, argument=argument, limit_bytes=settings.manifest_bytes, limit_depth=settings.manifest_depth)

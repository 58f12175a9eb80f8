"""Presigned URLs for the parts of an upload."""

from collections.abc import Iterable
from uuid import UUID

from application.services import Services
from application.signed_urls import PartClaims
from domain.events import JsonObject
from domain.stage.state import Stage


def object_key(stage: Stage, upload_id: UUID) -> str:
    """Say where the object of an upload will be."""
    return f"{stage.prefix}/{upload_id}"


def part_urls(
    services: Services,
    stage: Stage,
    upload_id: UUID,
    numbers: Iterable[int],
    *,
    expires_in_seconds: int,
    use_local_url: bool | str,
) -> list[JsonObject]:
    """Give number and URL of parts."""
    key = object_key(stage, upload_id)
    return [
        {
            "part_number": number,
            "url": services.urls.part_url(
                key,
                PartClaims(stage_id=stage.id, upload_id=upload_id, part_number=number),
                expires_in_seconds=expires_in_seconds,
                use_local_url=use_local_url,
            ),
        }
        for number in numbers
    ]

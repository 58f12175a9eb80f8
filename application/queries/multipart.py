"""The queries on uploads in parts: which are open, and what an interrupted one still misses."""

from application.commands.multipart import parse_upload_id, stored_parts
from application.context import CallContext, Reply
from application.parameters import ListMultipartParts, ListMultipartUploads
from application.part_urls import object_key, part_urls
from application.services import Services
from application.signed_urls import parse_base_url
from application.stages import current_stage
from application.targets import load
from domain.errors import NotFoundError, UploadSessionError
from domain.events import JsonObject
from domain.permissions import Operation, may_access_file
from domain.stage.decisions import require_open, require_put
from domain.stage.multipart import ends_at, is_over, require_upload
from domain.stage.state import OpenUpload

_MICRO = 1_000_000


async def list_multipart_uploads(services: Services, context: CallContext, parameters: ListMultipartUploads) -> Reply:
    """List the open uploads of the stage by path; with a token for some files, those of these files."""
    chain = await load(services, context, parameters.artifact_id)
    require_put(chain, ())
    stage = require_open(chain, await current_stage(services, chain))
    now = services.clock.now()
    full_id, viewer = chain.artifact.full_id, chain.viewer
    items = [
        {"upload_id": str(upload_id), **_upload(upload)}
        for upload_id, upload in stage.uploads.items()
        if not is_over(upload, now)
        and (
            not viewer.file_scopes
            or may_access_file(viewer, Operation.PUT_FILE, chain.nodes, full_id=full_id, path=upload.path)
        )
    ]
    return Reply({"items": sorted(items, key=lambda item: (item["path"], item["upload_id"]))})


async def list_multipart_parts(services: Services, context: CallContext, parameters: ListMultipartParts) -> Reply:
    """List the parts of an open upload that are there, and give URLs for the others.

    The URLs last for `expires_in` seconds, at most until the upload ends.
    """
    upload_id = parse_upload_id(parameters.upload_id)
    if isinstance(parameters.use_local_url, str):
        parse_base_url(parameters.use_local_url)
    chain = await load(services, context, parameters.artifact_id)
    staged = await current_stage(services, chain)
    now = services.clock.now()
    upload = require_upload(chain, staged, upload_id, now)
    stage = require_open(chain, staged)
    try:
        found = await stored_parts(services, object_key(stage, upload_id), upload)
    except NotFoundError:
        raise UploadSessionError from None
    there = {part.part_number for part in found}
    missing = part_urls(
        services,
        stage,
        upload_id,
        [number for number in range(1, upload.part_count + 1) if number not in there],
        expires_in_seconds=max(1, min(int(parameters.expires_in), (ends_at(upload) - now) // _MICRO)),
        use_local_url=parameters.use_local_url,
    )
    parts = [{"part_number": part.part_number, "etag": part.etag, "size": part.size_bytes} for part in found]
    return Reply({"upload_id": str(upload_id), **_upload(upload), "parts": parts, "missing": missing})


def _upload(upload: OpenUpload) -> JsonObject:
    return {
        "path": upload.path,
        "part_count": upload.part_count,
        "expires_at": upload.expires_at / _MICRO,
        "ends_at": ends_at(upload) / _MICRO,
    }

"""The commands on uploads in parts: begin, receive a part, complete."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import msgspec

from application.commands.files import check_base, check_free, stored_file
from application.context import CallContext, Reply
from application.parameters import CompletedPart, PutFileCompleteMultipart, PutFileStartMultipart
from application.part_urls import object_key, part_urls
from application.ports.object_store import StoredObject, StoredPart
from application.services import Services
from application.signed_urls import PartClaims, parse_base_url
from application.stages import declared_stage
from application.targets import Prepared, execute, find_with_stage, unit_of
from application.units import States
from domain.artifact.stores import current_store
from domain.artifact.weights import to_milli
from domain.errors import InvalidArgumentError, NotFoundError, PermissionDeniedError, UploadSessionError
from domain.events import Outcome
from domain.ids import stage_key
from domain.paths import parse_path
from domain.stage.decisions import require_open
from domain.stage.etags import multipart_etag
from domain.stage.events import MultipartStarted
from domain.stage.multipart import (
    MAX_PART_BYTES,
    MAX_PARTS,
    Part,
    check_parts,
    decide_complete,
    decide_start,
    is_completed,
    require_part_taken,
    require_upload,
)
from domain.stage.state import OpenUpload

_MICROSECONDS = 1_000_000
_PAGE = 1000
_COMPLETED = {"success": True, "message": "File uploaded successfully"}


async def put_file_start_multipart(
    services: Services, context: CallContext, parameters: PutFileStartMultipart
) -> Reply:
    """Begin an upload in parts and give a URL for each of them; one event."""
    if parameters.part_count <= 0:
        raise InvalidArgumentError("Part count must be greater than 0")
    if parameters.part_count > MAX_PARTS:
        raise InvalidArgumentError(f"The maximum number of parts is {MAX_PARTS:,}.")
    weight = to_milli(parameters.download_weight, "Download weight must be a non-negative number: {weight}")
    path = parse_path(parameters.file_path)
    if isinstance(parameters.use_local_url, str):
        parse_base_url(parameters.use_local_url)
    upload_id = services.ids.uuid7()
    begun: dict[tuple[str | None, str], str] = {}

    async def prepare() -> Prepared:
        loaded = await find_with_stage(services, context, parameters.artifact_id)
        started = MultipartStarted(
            upload_id=upload_id,
            path=path,
            store_upload_id="",
            part_count=parameters.part_count,
            weight_milli=weight,
            expires_at=services.clock.now() + int(parameters.expires_in) * _MICROSECONDS,
        )
        # Decided once beforehand: what is refused begins nothing in the store.
        decide_start(loaded.chain, loaded.stage, started)
        staged = require_open(loaded.chain, loaded.stage)
        await check_free(services, staged, [path])
        store = current_store(loaded.chain.artifacts)
        place = store, object_key(staged, upload_id)
        if place not in begun:
            begun[place] = await services.stores.at(store).create_multipart(place[1])
        started = msgspec.structs.replace(started, store_upload_id=begun[place], store=store)

        def decide(states: States) -> Outcome:
            chain = loaded.target.chain(states.get)
            stage = declared_stage(chain, loaded.keys, states)
            check_base(stage, staged.base)
            return decide_start(chain, stage, started)

        return Prepared(unit_of(context, loaded.keys, decide), loaded.target)

    executed = await execute(services, prepare)
    stage = require_open(executed.chain, executed.stage)
    parts = part_urls(
        services,
        stage,
        upload_id,
        range(1, parameters.part_count + 1),
        expires_in_seconds=int(parameters.expires_in),
        use_local_url=parameters.use_local_url,
    )
    return Reply({"upload_id": str(upload_id), "parts": parts}, executed.done.position)


async def receive_signed_part(
    services: Services, claims: PartClaims, key: str, chunks: AsyncIterator[bytes], size_bytes: int | None
) -> StoredPart:
    """Receive the bytes of one part for a signed URL whose signature was verified; durable when this returns.

    It is no event: a part means nothing until all of them are a file.

    Raises:
        PermissionDeniedError: The upload is over.
        TooLargeError: The part is larger than 5 GiB, or than the largest file that is taken.
    """
    stream = stage_key(claims.stage_id)
    stage = (await services.states.get((stream,)))[stream].state
    upload = require_part_taken(stage, claims.upload_id, claims.part_number)
    try:
        return await services.stores.at(upload.store).put_part(
            key,
            upload.store_upload_id,
            claims.part_number,
            chunks,
            size_bytes=size_bytes,
            limit_bytes=min(MAX_PART_BYTES, services.settings.upload_bytes or MAX_PART_BYTES),
        )
    except NotFoundError:
        raise PermissionDeniedError("The upload URL is no longer valid: its multipart upload is over.") from None


async def put_file_complete_multipart(
    services: Services, context: CallContext, parameters: PutFileCompleteMultipart
) -> Reply:
    """Make the parts of an upload a file of the stage; one event.

    It goes on when the caller is gone; one who asks again with the same parts waits for the same work, or is told that
    it was done.
    """
    upload_id = parse_upload_id(parameters.upload_id)
    parts = _named(parameters.parts)
    etag = multipart_etag([part.etag for part in sorted(parts)])
    now = services.clock.now()
    loaded = await find_with_stage(services, context, parameters.artifact_id)
    if not is_completed(loaded.chain, loaded.stage, upload_id, etag):
        require_upload(loaded.chain, loaded.stage, upload_id, now)
    return await services.completions.join(
        (loaded.chain.artifact.id, upload_id, etag),
        lambda: _complete(services, context, parameters.artifact_id, upload_id, parts, now),
    )


async def _complete(
    services: Services, context: CallContext, artifact_id: str, upload_id: UUID, parts: Sequence[Part], now: int
) -> Reply:
    loaded = await find_with_stage(services, context, artifact_id)
    etag = multipart_etag([part.etag for part in sorted(parts)])
    if loaded.stage is not None and is_completed(loaded.chain, loaded.stage, upload_id, etag):
        return Reply(_COMPLETED, await services.log.position())
    upload = require_upload(loaded.chain, loaded.stage, upload_id, now)
    begun = require_open(loaded.chain, loaded.stage)
    stored = await _assemble(services, object_key(begun, upload_id), upload, parts, etag)
    file = stored_file(stored, upload.path, upload.store)

    async def prepare() -> Prepared:
        loaded = await find_with_stage(services, context, artifact_id)
        if loaded.stage is None or loaded.stage.id != begun.id:
            raise UploadSessionError

        def decide(states: States) -> Outcome:
            chain = loaded.target.chain(states.get)
            return decide_complete(chain, declared_stage(chain, loaded.keys, states), upload_id, file, now)

        return Prepared(unit_of(context, loaded.keys, decide), loaded.target)

    executed = await execute(services, prepare)
    return Reply(_COMPLETED, executed.done.position)


async def _assemble(services: Services, key: str, upload: OpenUpload, parts: Sequence[Part], etag: str) -> StoredObject:
    """Make the object, unless a completion that a crash interrupted has made it already."""
    objects = services.stores.at(upload.store)
    found = await objects.head(key)
    if found is not None and found.etag == etag:
        return found
    try:
        stored = await stored_parts(services, key, upload)
        checked = check_parts(upload, parts, stored, services.settings.upload_bytes)
        return await objects.complete_multipart(key, upload.store_upload_id, checked)
    except NotFoundError:
        raise UploadSessionError from None


async def stored_parts(services: Services, key: str, upload: OpenUpload) -> list[StoredPart]:
    """Look up all parts of an upload that are in the store, by number.

    Raises:
        NotFoundError: The store has no such upload.
    """
    found: list[StoredPart] = []
    while True:
        after = found[-1].part_number if found else 0
        page = await services.stores.at(upload.store).list_parts(key, upload.store_upload_id, after=after, limit=_PAGE)
        found += page
        if len(page) < _PAGE:
            return found


def parse_upload_id(text: str) -> UUID:
    """Read the id of an upload.

    Raises:
        UploadSessionError: It is none that this service gave.
    """
    try:
        return UUID(text)
    except ValueError:
        raise UploadSessionError from None


def _named(parts: Sequence[CompletedPart]) -> list[Part]:
    """Read the parts as clients name them, the ETags with or without their quotes.

    Raises:
        InvalidArgumentError: An ETag is none that a PUT of a part answers.
    """
    found = []
    for part in parts:
        etag = part.etag.strip().strip("\"'").lower()
        try:
            is_digest = len(bytes.fromhex(etag)) == 16 and len(etag) == 32
        except ValueError:
            is_digest = False
        if not is_digest:
            raise InvalidArgumentError(f"Part {part.part_number}: its etag is not one that the PUT of a part answered.")
        found.append(Part(part.part_number, etag))
    return found

"""The commands on the files of a stage: announce, receive, write, remove."""

import base64
import binascii
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

import msgspec

from application.batches import parse_batch
from application.content_types import guess
from application.context import CallContext, Reply
from application.parameters import PutFile, RemoveFile, WriteFile
from application.ports.object_store import StoredObject
from application.services import Services
from application.signed_urls import UploadClaims, parse_base_url
from application.stages import declared_stage
from application.storage_kinds import refuse_branch
from application.targets import Prepared, execute, find_with_stage, lineage, unit_of
from application.text_encodings import check_encoding
from application.units import States, Unit
from domain.artifact.state import Artifact
from domain.artifact.stores import current_store
from domain.artifact.weights import to_milli
from domain.errors import InvalidArgumentError, InvalidPathError, InvalidStateError, StaleFactsError, TooLargeError
from domain.events import Outcome
from domain.ids import Position, artifact_key, stage_key
from domain.paths import parse_path
from domain.stage.decisions import (
    Announcement,
    check_placement,
    decide_announce,
    decide_put,
    decide_remove,
    decide_upload,
    require_announced,
    require_open,
    require_put,
)
from domain.stage.events import StoredFile
from domain.stage.state import Stage
from domain.trees import TreeRoot

MAX_WRITE_BYTES = 32 * 1024 * 1024
"""The largest content of `write_file`; larger files are uploaded."""


def _weights(download_weight: float | list[float], file_path: str | list[str]) -> list[int]:
    count = 1 if isinstance(file_path, str) else len(file_path)
    if not isinstance(download_weight, list):
        return [to_milli(download_weight)] * count
    if len(download_weight) != count:
        raise InvalidArgumentError(
            f"download_weight list length ({len(download_weight)}) must match file_path list length ({count})"
        )
    text = "Download weight must be non-negative: {{weight}} at index {index}"
    return [to_milli(weight, text.format(index=index)) for index, weight in enumerate(download_weight)]


async def put_file(services: Services, context: CallContext, parameters: PutFile) -> Reply:
    """Announce files and give URLs to PUT them to; one event a call."""
    refuse_branch(parameters.branch)
    paths = parse_batch(parameters.file_path)
    weights = _weights(parameters.download_weight, parameters.file_path)
    fresh = [services.ids.uuid7() for _ in paths]
    items = [Announcement(*item) for item in zip(paths, fresh, weights, strict=True)]
    if isinstance(parameters.use_local_url, str):
        parse_base_url(parameters.use_local_url)

    async def prepare() -> Prepared:
        loaded = await find_with_stage(services, context, parameters.artifact_id)
        require_put(loaded.chain, paths)
        staged = require_open(loaded.chain, loaded.stage)
        await check_free(services, staged, paths)
        # Asked before there are URLs to which nothing can be uploaded.
        await services.stores.require(current_store(loaded.chain.artifacts))

        def decide(states: States) -> Outcome:
            chain = loaded.target.chain(states.get)
            stage = declared_stage(chain, loaded.keys, states)
            check_base(stage, staged.base)
            return decide_announce(chain, stage, items)

        return Prepared(unit_of(context, loaded.keys, decide), loaded.target)

    executed = await execute(services, prepare)
    stage = require_open(executed.chain, executed.stage)
    urls = [_upload_url(services, context, parameters, stage, path) for path in paths]
    if isinstance(parameters.file_path, str):
        return Reply(urls[0], executed.done.position)
    return Reply(dict(zip(parameters.file_path, urls, strict=True)), executed.done.position)


def check_base(stage: Stage | None, base: TreeRoot | None) -> None:
    """Refuse facts about the files that a stage starts from when it starts from others by now.

    Raises:
        StaleFactsError: It does.
    """
    if stage is not None and stage.base != base:
        raise StaleFactsError


def _upload_url(services: Services, context: CallContext, parameters: PutFile, stage: Stage, path: str) -> str:
    upload_id = stage.files[path].upload_id
    return services.urls.put_url(
        f"{stage.prefix}/{upload_id}",
        UploadClaims(
            artifact_id=stage.artifact_id,
            stage_id=stage.id,
            path=path,
            upload_id=upload_id,
            actor=context.actor.user_id,
            on_behalf_of=context.actor.on_behalf_of,
        ),
        expires_in_seconds=int(parameters.expires_in),
        use_local_url=parameters.use_local_url,
    )


async def check_free(services: Services, stage: Stage, paths: Sequence[str]) -> None:
    """Refuse paths that would be a file and a directory at once, beside the files that the stage starts from.

    Raises:
        InvalidPathError: It names the file that is in the way.
    """
    check_placement(stage, paths)
    if stage.base is None:
        return
    conflict = await services.trees.find_conflict(stage.base, paths, set(stage.removed))
    if conflict is not None:
        raise InvalidPathError(f"'{conflict}' cannot be both a file and a directory in one version.")


def stored_file(stored: StoredObject, path: str, store: str | None) -> StoredFile:
    """Describe an object as the file of a path; `store` is where it was put."""
    return StoredFile(
        key=stored.key,
        size_bytes=stored.size_bytes,
        etag=stored.etag,
        modified_at=stored.modified_at,
        content_type=guess(path),
        crc32=stored.crc32,
        sha256=stored.sha256,
        store=store,
    )


class Received(NamedTuple):
    """An upload that is in its stage, and the position of its event."""

    file: StoredFile
    position: Position


async def receive_upload(
    services: Services,
    context: CallContext,
    artifact_id: str,
    path: str,
    chunks: AsyncIterator[bytes],
    size_bytes: int | None,
    download_weight: float | None = None,
) -> Received:
    """Receive a file from a caller with the right to put it; it is in the stage when this returns.

    Raises:
        PermissionDeniedError: The caller may not put files here.
        InvalidStateError: Nothing is staged.
    """
    parsed = parse_path(path)
    weight = None if download_weight is None else to_milli(download_weight)
    loaded = await find_with_stage(services, context, artifact_id)
    require_put(loaded.chain, [parsed])
    begun = require_open(loaded.chain, loaded.stage, "Artifact must be in staging mode to upload files")
    await check_free(services, begun, [parsed])
    upload_id = services.ids.uuid7()
    store = current_store(loaded.chain.artifacts)
    stored = await services.stores.at(store).put_stream(
        f"{begun.prefix}/{upload_id}", chunks, size_bytes=size_bytes, limit_bytes=services.settings.upload_bytes
    )
    file = stored_file(stored, parsed, store)

    async def prepare() -> Prepared:
        loaded = await find_with_stage(services, context, artifact_id)
        staged = loaded.stage
        if staged is None or staged.id != begun.id:
            raise InvalidStateError("The stage was committed or discarded during the upload.")
        await check_free(services, staged, [parsed])

        def decide(states: States) -> Outcome:
            chain = loaded.target.chain(states.get)
            stage = declared_stage(chain, loaded.keys, states)
            check_base(stage, staged.base)
            return decide_put(chain, stage, parsed, upload_id, file, weight)

        return Prepared(unit_of(context, loaded.keys, decide), loaded.target)

    executed = await execute(services, prepare)
    return Received(file, executed.done.position)


async def receive_signed_upload(
    services: Services, claims: UploadClaims, correlation_id: str, chunks: AsyncIterator[bytes], size_bytes: int | None
) -> Received:
    """Receive the bytes for a signed URL whose signature was verified; they are in the stage when this returns.

    The event names who got the URL, for nothing is known of who holds it.

    Raises:
        PermissionDeniedError: The stage is closed, or the path is not announced any more.
    """
    key, owner_key = stage_key(claims.stage_id), artifact_key(claims.artifact_id)
    states = await services.states.get((key, owner_key))
    stage = require_announced(states[key].state, claims.path, claims.upload_id)
    artifact: Artifact = states[owner_key].state
    store = current_store(await lineage(services, artifact))
    stored = await services.stores.at(store).put_stream(
        f"{stage.prefix}/{services.ids.uuid7()}",
        chunks,
        size_bytes=size_bytes,
        limit_bytes=services.settings.upload_bytes,
    )
    file = stored_file(stored, claims.path, store)

    def decide(states: States) -> Outcome:
        return decide_upload(states.get(key), claims.path, claims.upload_id, file, artifact.workspace)

    unit = Unit(
        keys=(key,),
        decide=decide,
        actor=claims.actor,
        on_behalf_of=claims.on_behalf_of,
        correlation_id=correlation_id,
    )
    done = await services.writer.execute(unit)
    return Received(file, done.position)


async def write_file(services: Services, context: CallContext, parameters: WriteFile) -> Reply:
    """Write a file into the stage from the call itself."""
    refuse_branch(parameters.branch)
    data = _content(parameters)
    if len(data) > MAX_WRITE_BYTES:
        raise TooLargeError(f"The content has {len(data)} bytes; write_file takes at most {MAX_WRITE_BYTES}.")

    async def chunks() -> AsyncIterator[bytes]:
        if data:
            yield data

    loaded = await find_with_stage(services, context, parameters.artifact_id)
    require_put(loaded.chain, [parse_path(parameters.file_path)])
    require_open(
        loaded.chain,
        loaded.stage,
        "Artifact must be in staging mode. Call edit(artifact_id, stage=True) first.",
    )
    received = await receive_upload(
        services, context, parameters.artifact_id, parameters.file_path, chunks(), len(data)
    )
    return Reply({"success": True, "bytes_written": len(data)}, received.position)


def _content(parameters: WriteFile) -> bytes:
    content = parameters.content
    match parameters.format:
        case "text":
            if not isinstance(content, str):
                raise InvalidArgumentError("When format='text', content must be a string.")
            return encode_text(content, parameters.encoding)
        case "base64":
            if not isinstance(content, str):
                raise InvalidArgumentError("When format='base64', content must be a base64 string.")
            try:
                return base64.b64decode(content, validate=True)
            except (binascii.Error, ValueError):
                raise InvalidArgumentError("When format='base64', content must be a base64 string.") from None
        case "binary":
            if not isinstance(content, bytes | bytearray):
                raise InvalidArgumentError("When format='binary', content must be bytes or bytearray.")
            return bytes(content)
        case "json":
            if isinstance(content, str):
                return encode_text(content, parameters.encoding)
            try:
                return encode_text(msgspec.json.format(msgspec.json.encode(content), indent=2).decode(), "utf-8")
            except (TypeError, ValueError):
                raise InvalidArgumentError("When format='json', content must be JSON or a JSON text.") from None


def encode_text(text: str, encoding: str) -> bytes:
    """Encode text.

    Raises:
        InvalidArgumentError: The encoding is unknown, or cannot express the text.
    """
    check_encoding(encoding)
    try:
        return text.encode(encoding)
    except UnicodeError:
        raise InvalidArgumentError(f"The content cannot be written in the encoding {encoding!r}.") from None


async def remove_file(services: Services, context: CallContext, parameters: RemoveFile) -> Reply:
    """Take a file out of the stage, or mark a committed one to go at commit. One that is nowhere changes nothing."""
    refuse_branch(parameters.branch)
    path = parse_path(parameters.file_path)

    async def prepare() -> Prepared:
        loaded = await find_with_stage(services, context, parameters.artifact_id)
        base = loaded.stage.base if loaded.stage else None
        is_committed = await services.trees.lookup(base, path) is not None

        def decide(states: States) -> Outcome:
            chain = loaded.target.chain(states.get)
            stage = declared_stage(chain, loaded.keys, states)
            check_base(stage, base)
            return decide_remove(chain, stage, path, is_committed=is_committed)

        return Prepared(unit_of(context, loaded.keys, decide), loaded.target)

    executed = await execute(services, prepare)
    return Reply(None, executed.done.position)

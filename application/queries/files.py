"""The queries on files: URLs, listings and content."""

import base64
import codecs
from collections.abc import Sequence
from typing import Any

import msgspec

from application.batches import parse_batch
from application.content_types import guess
from application.context import CallContext, Reply
from application.parameters import GetFile, ListFiles, ReadFile
from application.services import Services
from application.signed_urls import ReadClaims
from application.storage_kinds import refuse_branch
from application.text_encodings import check_encoding
from application.versions import Files, find_files, open_files
from domain.access import AccessedFile, AccessKind
from domain.errors import InvalidArgumentError, RangeNotSatisfiableError
from domain.events import JsonObject
from domain.ids import Position
from domain.paths import parse_directory, parse_path
from domain.permissions import Operation
from domain.stage.events import StoredFile

DEFAULT_READ_BYTES = 65_536
MAX_READ_BYTES = 10_485_760
_MICRO = 1_000_000


async def record_download(
    services: Services,
    context: CallContext,
    files: Files,
    paths: Sequence[str],
    kind: AccessKind,
    *,
    is_counted: bool,
) -> Position:
    """Record that files are given out, durably, before they are."""
    artifact = files.chain.artifact
    weights = artifact.download_weights
    accessed = tuple(AccessedFile(path=path, weight_milli=weights.get(path, 0)) for path in paths)
    return await services.accesses.record_download(
        context.actor,
        artifact.id,
        workspace=artifact.workspace,
        kind=kind,
        version=files.version,
        files=accessed,
        weight_milli=sum(file.weight_milli for file in accessed) if is_counted else 0,
        is_counted=is_counted,
        correlation_id=context.correlation_id,
    )


def download_url(
    services: Services, path: str, file: StoredFile, *, expires_in_seconds: float, use_local_url: bool | str
) -> str:
    """Make a signed URL that gives out a file to whoever holds it."""
    claims = ReadClaims(
        path=path,
        size_bytes=file.size_bytes,
        etag=file.etag,
        modified_at=file.modified_at,
        content_type=file.content_type or guess(path),
        store=file.store,
        version_id=file.version_id,
    )
    return services.urls.get_url(
        file.key, claims, expires_in_seconds=int(expires_in_seconds), use_local_url=use_local_url
    )


async def get_file(services: Services, context: CallContext, parameters: GetFile) -> Reply:
    """Give URLs to download files from; counts a download unless silent; one event a call."""
    refuse_branch(parameters.branch)
    paths: list[str] = list(parse_batch(parameters.file_path))
    files = await open_files(
        services, context, parameters.artifact_id, parameters.version, parameters.stage, Operation.GET_FILE, paths
    )
    found = await find_files(services, files, paths)
    urls = [
        download_url(
            services,
            path,
            found[path],
            expires_in_seconds=parameters.expires_in,
            use_local_url=parameters.use_local_url,
        )
        for path in paths
    ]
    await record_download(services, context, files, paths, AccessKind.URL, is_counted=not parameters.silent)
    if isinstance(parameters.file_path, str):
        return Reply(urls[0])
    return Reply(dict(zip(parameters.file_path, urls, strict=True)))


async def list_files(services: Services, context: CallContext, parameters: ListFiles) -> Reply:
    """List one directory by name: files with size and time, and sub-directories. An unknown one is empty."""
    refuse_branch(parameters.branch)
    directory = parse_directory(parameters.dir_path)
    files = await open_files(
        services, context, parameters.artifact_id, parameters.version, parameters.stage, Operation.LIST_FILES
    )
    pending = _pending(files, directory) if parameters.include_pending else []
    entries = await services.trees.list_directory(
        files.tree,
        directory,
        limit=parameters.limit + parameters.offset if pending else parameters.limit,
        offset=0 if pending else parameters.offset,
        overlay_upserts=files.uploaded(),
        overlay_removed=files.removed(),
    )
    prefix = f"{directory}/" if directory else ""
    listed = [_entry(files, prefix, entry.name, entry.file) for entry in entries]
    if parameters.include_pending and files.stage is not None:
        for item in listed:
            if item["type"] == "file":
                item["pending"] = False
        listed = sorted([*listed, *pending], key=lambda item: str(item["name"]))
        if pending:
            listed = listed[parameters.offset : parameters.offset + parameters.limit]
    return Reply(listed)


def _entry(files: Files, prefix: str, name: str, file: StoredFile | None) -> JsonObject:
    if file is None:
        return {"type": "directory", "name": name}
    entry: JsonObject = {
        "type": "file",
        "name": name,
        "size": file.size_bytes,
        "last_modified": file.modified_at / _MICRO,
        "etag": file.etag,
    }
    if files.stage is not None and (staged := files.stage.files.get(prefix + name)) and staged.weight_milli:
        entry["download_weight"] = staged.weight_milli / 1000
    return entry


def _pending(files: Files, directory: str) -> list[JsonObject]:
    """List the announced files below a directory that were not uploaded yet, by their full path."""
    if files.stage is None:
        return []
    prefix = f"{directory}/" if directory else ""
    entries: list[JsonObject] = []
    for path, staged in files.stage.files.items():
        if staged.file is None and path.startswith(prefix):
            entry: JsonObject = {
                "type": "file",
                "name": path,
                "size": 0,
                "last_modified": None,
                "etag": None,
                "pending": True,
            }
            if staged.weight_milli:
                entry["download_weight"] = staged.weight_milli / 1000
            entries.append(entry)
    return entries


async def read_file(services: Services, context: CallContext, parameters: ReadFile) -> Reply:
    """Read a part of a file into the answer. Recorded as an access, counted as no download."""
    refuse_branch(parameters.branch)
    if parameters.format == "binary" and not context.accepts_bytes:
        raise InvalidArgumentError("format='binary' cannot be answered as JSON; use format='base64'.")
    check_encoding(parameters.encoding)
    limit = DEFAULT_READ_BYTES if parameters.limit is None else parameters.limit
    if limit <= 0:
        raise InvalidArgumentError("Limit must be a positive integer.")
    if limit > MAX_READ_BYTES:
        raise InvalidArgumentError(f"Limit cannot exceed 10MB ({MAX_READ_BYTES} bytes).")
    path = parse_path(parameters.file_path)
    files = await open_files(
        services, context, parameters.artifact_id, parameters.version, parameters.stage, Operation.GET_FILE, [path]
    )
    file = (await find_files(services, files, [path]))[path]
    if parameters.offset > file.size_bytes:
        raise RangeNotSatisfiableError(f"The offset {parameters.offset} lies beyond the end ({file.size_bytes} bytes).")
    length = min(limit, file.size_bytes - parameters.offset)
    objects = services.stores.at(file.store)
    data = await objects.get(file.key, start=parameters.offset, length=length) if length else b""
    content = _content(parameters, data, is_whole=parameters.offset + length == file.size_bytes)
    await record_download(services, context, files, [path], AccessKind.READ_FILE, is_counted=False)
    return Reply({"name": path, "content": content})


def _content(parameters: ReadFile, data: bytes, *, is_whole: bool) -> Any:  # noqa: ANN401 - JSON of any shape.
    if parameters.format == "binary":
        return data
    if parameters.format == "base64":
        return base64.b64encode(data).decode("ascii")
    try:
        # A character that the limit has cut is left for the next read.
        text = codecs.getincrementaldecoder(parameters.encoding)().decode(data, final=is_whole)
    except UnicodeError:
        raise InvalidArgumentError(
            f"The file is not text in the encoding {parameters.encoding!r}; use format='base64'."
        ) from None
    if parameters.format == "text":
        return text
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise InvalidArgumentError("The content is not JSON, or the limit has cut it; use format='text'.") from None

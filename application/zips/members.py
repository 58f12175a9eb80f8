"""Members of archives that are files of an artifact: found by name, and read by ranges, without unpacking anything."""

import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import NamedTuple

from application.content_types import guess
from application.context import CallContext
from application.file_access import OpenFile
from application.ports.object_store import ObjectStore
from application.services import Services
from application.zips.entries import Entry
from application.zips.indexes import ArchiveIndex
from application.zips.layout import DEFLATED, FLAG_ENCRYPTED, LOCAL_HEADER, LOCAL_SIGNATURE, STORED
from domain.access import AccessedFile, AccessKind
from domain.errors import FileMissingError, UnreadableArchiveError
from domain.paths import parse_path

MAX_DEFLATE_RATIO = 1032
"""More than this the method cannot give, so a member that declares more is a lie."""
FREE_BYTES = 256 * 1024 * 1024
MAX_RATIO = 200
"""A member that unpacks to more than `FREE_BYTES` may not be larger than its packed bytes by more than this."""
OUTPUT_BYTES = 512 * 1024
"""Unpacked bytes leave in pieces of this size."""

_SLACK_BYTES = 64
_METHODS = {1: "shrink", 6: "implode", 9: "deflate64", 12: "bzip2", 14: "lzma", 93: "zstd", 95: "xz", 99: "AES"}


class ZipMember(NamedTuple):
    """A member that the caller may have. Nothing is recorded until `record` is called."""

    services: Services
    archive: OpenFile
    path: str
    entry: Entry
    start: int

    @property
    def content_type(self) -> str:
        """The media type, by the member's name."""
        return guess(self.path)

    @property
    def etag(self) -> str:
        """The bare entity tag: it changes with the archive, so with whatever may change the member."""
        return f"{self.archive.etag}-{self.entry.offset:x}-{self.entry.crc32:08x}"

    @property
    def size_bytes(self) -> int:
        """The unpacked size."""
        return self.entry.size_bytes

    @property
    def modified_at(self) -> int:
        """When the archive was stored, in microseconds: a member may be replaced by an older one."""
        return self.archive.modified_at

    @property
    def takes_ranges(self) -> bool:
        """Whether a part can be read without what stands before it."""
        return self.entry.method == STORED

    @property
    def _objects(self) -> ObjectStore:
        return self.services.stores.at(self.archive.file.store)

    async def stream(self, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Give the unpacked bytes in chunks. Of a member that takes no ranges only the whole can be had.

        The last chunk of the whole is given only after its size and checksum were found right.

        Raises:
            UnreadableArchiveError: The bytes are not what the archive declares.
        """
        entry = self.entry
        length = entry.size_bytes - start if length is None else length
        is_whole = start == 0 and length == entry.size_bytes
        if entry.method == DEFLATED:
            chunks = self._inflated()
        else:
            chunks = self._objects.stream(self.archive.file.key, start=self.start + start, length=length)
        size = crc32 = 0
        held = b""
        async with aclosing(chunks):
            async for chunk in chunks:
                size += len(chunk)
                if size > length:
                    raise _different(self.path)
                crc32 = zlib.crc32(chunk, crc32)
                if held:
                    yield held
                held = chunk
        if size != length or (is_whole and crc32 != entry.crc32):
            raise _different(self.path)
        if held:
            yield held

    async def record(self, context: CallContext) -> None:
        """Record that the member was given out. It counts as no download of the artifact."""
        artifact = self.archive.files.chain.artifact
        await self.services.accesses.record_download(
            context.actor,
            artifact.id,
            workspace=artifact.workspace,
            kind=AccessKind.ZIP_MEMBER,
            version=self.archive.files.version,
            files=(AccessedFile(path=f"{self.archive.path}/~/{self.path}"),),
            weight_milli=0,
            is_counted=False,
            correlation_id=context.correlation_id,
        )

    async def _inflated(self) -> AsyncGenerator[bytes, None]:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        packed = self._objects.stream(self.archive.file.key, start=self.start, length=self.entry.packed_bytes)
        async with aclosing(packed):
            async for piece in packed:
                left = piece
                while True:
                    try:
                        chunk = await self.services.zip_indexes.run(inflater.decompress, left, OUTPUT_BYTES)
                    except zlib.error:
                        raise _different(self.path) from None
                    left = inflater.unconsumed_tail
                    if chunk:
                        yield chunk
                    if inflater.eof or (not left and len(chunk) < OUTPUT_BYTES):
                        break
                if inflater.unused_data:
                    raise _different(self.path)
        if not inflater.eof:
            raise _different(self.path)


async def open_member(services: Services, archive: OpenFile, index: ArchiveIndex, path: str) -> ZipMember:
    """Find a member that can be read.

    Raises:
        FileMissingError: The archive has no such member.
        UnreadableArchiveError: It is encrypted, packed by a method that is not read, or not what it should be.
    """
    parsed = parse_path(path)
    entry = await services.zip_indexes.find(index, parsed)
    if entry is None:
        raise FileMissingError(f"File not found inside ZIP: {parsed}")
    _check(parsed, entry)
    header = await services.stores.at(archive.file.store).get(
        archive.file.key, start=entry.offset, length=LOCAL_HEADER.size
    )
    if len(header) < LOCAL_HEADER.size:
        raise _misplaced(parsed)
    signature, _, flags, method, _, _, _, _, _, name_bytes, extra_bytes = LOCAL_HEADER.unpack(header)
    start = entry.offset + LOCAL_HEADER.size + name_bytes + extra_bytes
    if signature != LOCAL_SIGNATURE or start + entry.packed_bytes > index.root.directory_offset:
        raise _misplaced(parsed)
    if method != entry.method or (flags ^ entry.flags) & FLAG_ENCRYPTED:
        raise UnreadableArchiveError(f"The ZIP file contradicts itself about '{parsed}'.")
    return ZipMember(services, archive, parsed, entry, start)


def _check(path: str, entry: Entry) -> None:
    if entry.flags & FLAG_ENCRYPTED:
        raise UnreadableArchiveError(f"'{path}' is encrypted inside the ZIP file.")
    if entry.method not in (STORED, DEFLATED):
        method = _METHODS.get(entry.method, str(entry.method))
        raise UnreadableArchiveError(
            f"'{path}' is packed by the method {method}; only members that are stored or deflated can be read."
        )
    if entry.method == STORED and entry.packed_bytes != entry.size_bytes:
        raise UnreadableArchiveError(f"The ZIP file declares two sizes for '{path}', which is not compressed.")
    if entry.size_bytes > entry.packed_bytes * MAX_DEFLATE_RATIO + _SLACK_BYTES:
        raise UnreadableArchiveError(f"The ZIP file declares more for '{path}' than its bytes can hold.")
    if entry.size_bytes > FREE_BYTES and entry.size_bytes > entry.packed_bytes * MAX_RATIO:
        raise UnreadableArchiveError(
            f"'{path}' unpacks to {entry.size_bytes:,} bytes, more than {MAX_RATIO} times its packed size."
        )


def _misplaced(path: str) -> UnreadableArchiveError:
    return UnreadableArchiveError(f"'{path}' is not where the directory of the ZIP file says.")


def _different(path: str) -> UnreadableArchiveError:
    return UnreadableArchiveError(f"The bytes of '{path}' are not what the ZIP file declares.")

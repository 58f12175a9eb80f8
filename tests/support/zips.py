"""Archives for tests: files as trees have them, and whole archives made of the parts that are sent."""

import io
import zipfile
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence

from application.zips.writing import ArchiveWriter, measure
from domain.stage.events import StoredFile
from domain.tree_chunks import TreeEntry
from tests.support.object_store import MemoryObjectStore
from tests.support.stores import OneStore

MODIFIED_AT = 1_700_000_001_000_000


async def store(objects: MemoryObjectStore, path: str, data: bytes, *, knows_crc: bool = True) -> TreeEntry:
    """Keep a file, with or without its checksum."""
    stored = await objects.put(f"k/{zlib.crc32(path.encode()):08x}", data)
    file = StoredFile(
        key=stored.key,
        size_bytes=stored.size_bytes,
        etag=stored.etag,
        modified_at=MODIFIED_AT,
        crc32=stored.crc32 if knows_crc else None,
    )
    return TreeEntry(path, file)


async def write_archive(objects: MemoryObjectStore, pages: Sequence[Sequence[TreeEntry]]) -> tuple[int, bytes]:
    """Write an archive; gives the length that was promised, and its bytes."""

    async def walk() -> AsyncIterator[Sequence[TreeEntry]]:
        for page in pages:
            yield page

    seen: list[TreeEntry] = []
    measures = await measure(walk, seen.append)
    assert seen == [entry for page in pages for entry in page]
    parts = [chunk async for chunk in ArchiveWriter(OneStore(objects), walk).stream()]
    return measures.size_bytes, b"".join([*parts, measures.end])


def unpack(data: bytes) -> dict[str, bytes]:
    """Read an archive with the standard library, checksums included."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {info.filename: archive.read(info) for info in archive.infolist()}


def pack(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Make an archive with the standard library."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target.getvalue()

"""Archives that are written: what any reader finds in them, and that their length was known before."""

import asyncio
import io
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.zips import layout, writing
from application.zips.layout import Member
from domain.errors import NotFoundError, TooLargeError
from domain.stage.events import StoredFile
from domain.tree_chunks import TreeEntry
from tests.support.object_store import MemoryObjectStore
from tests.support.zips import MODIFIED_AT, store, unpack, write_archive

GIBI = 2**30
PATHS = st.lists(
    st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/"), min_size=1, max_size=8).filter(
        lambda name: name not in (".", "..")
    ),
    min_size=1,
    max_size=3,
).map("/".join)
SIZES = st.one_of(st.integers(0, 40), st.integers(60_000, 70_000))


@given(
    files=st.dictionaries(PATHS, st.tuples(SIZES, st.booleans()), max_size=12),
    page_files=st.integers(1, 5),
    small=st.sampled_from([10, 65_000, 1_000_000]),
)
def test_any_files_come_out_as_they_are(files: dict[str, tuple[int, bool]], page_files: int, small: int) -> None:
    async def check() -> None:
        objects = MemoryObjectStore()
        entries, expected = [], {}
        for number, (path, (size, knows_crc)) in enumerate(files.items()):
            data = bytes([number]) * size
            entries.append(await store(objects, path, data, knows_crc=knows_crc))
            expected[path] = data
        pages = [entries[start : start + page_files] for start in range(0, len(entries), page_files)]
        promised, data = await write_archive(objects, pages)
        assert len(data) == promised
        assert unpack(data) == expected

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing, "SMALL_BYTES", small)
        patch.setattr(writing, "BATCH_FILES", 3)
        patch.setattr(writing, "BLOCK_BYTES", 100)
        asyncio.run(check())


async def test_an_archive_of_nothing_is_empty() -> None:
    assert await write_archive(MemoryObjectStore(), []) == (22, layout.end_records(0, 0, 0))
    assert unpack(layout.end_records(0, 0, 0)) == {}


async def test_times_modes_and_names_are_told() -> None:
    objects = MemoryObjectStore()
    entry = await store(objects, "Grüße/日本.txt", b"hello")
    _, data = await write_archive(objects, [[entry]])
    (info,) = zipfile.ZipFile(io.BytesIO(data)).infolist()
    assert info.filename == "Grüße/日本.txt"
    assert info.flag_bits == layout.FLAG_UTF8
    assert info.date_time == (2023, 11, 14, 22, 13, 20)
    assert info.external_attr >> 16 == 0o100644
    assert info.compress_type == zipfile.ZIP_STORED
    seconds = MODIFIED_AT // 1_000_000
    assert info.extra == b"UT\x05\x00\x01" + seconds.to_bytes(4, "little")


@pytest.mark.parametrize(("seconds", "shown"), [(-1, (1980, 1, 1)), (0, (1980, 1, 1)), (10**11, (2107, 12, 31))])
def test_times_that_the_format_cannot_tell_are_the_nearest(seconds: int, shown: tuple[int, int, int]) -> None:
    member = Member(b"a", 0, 0, seconds)
    data = layout.local_header(member) + layout.central_record(member, 0, 0)
    offset = layout.local_size(member)
    data += layout.end_records(1, offset, layout.central_size(member, 0))
    (info,) = zipfile.ZipFile(io.BytesIO(data)).infolist()
    assert info.date_time[:3] == shown


async def test_more_members_than_the_old_format_counts() -> None:
    objects = MemoryObjectStore()
    stored = await objects.put("k", b"x")
    file = StoredFile(key="k", size_bytes=1, etag="e", modified_at=0, crc32=stored.crc32)
    for count in (65_534, 65_535, 66_000):
        entries = [TreeEntry(f"f{number}", file) for number in range(count)]
        promised, data = await write_archive(objects, [entries])
        assert len(data) == promised
        assert len(zipfile.ZipFile(io.BytesIO(data)).infolist()) == count
        assert (layout.END64_SIGNATURE in data[-98:]) is (count >= 65_535)


@pytest.mark.parametrize("size", [4 * GIBI - 2, 4 * GIBI - 1, 4 * GIBI, 5 * GIBI])
@pytest.mark.parametrize("knows_crc", [True, False])
def test_members_beyond_four_gibibytes(tmp_path: Path, size: int, *, knows_crc: bool) -> None:
    path = tmp_path / "large.zip"
    large = Member(b"large", size, 0 if knows_crc else None, 1_700_000_000)
    small = Member(b"small", 5, zlib.crc32(b"hello"), 1_700_000_000)
    with path.open("wb") as file:
        file.write(layout.local_header(large))
        # The bytes are a hole in the file, which costs no disk.
        file.seek(size, io.SEEK_CUR)
        if not knows_crc:
            file.write(layout.descriptor(large, 0))
        second = file.tell()
        assert second == layout.local_size(large)
        file.write(layout.local_header(small) + b"hello")
        directory = file.tell()
        assert directory == second + layout.local_size(small)
        records = layout.central_record(large, 0, 0), layout.central_record(small, second, small.crc32 or 0)
        assert [*map(len, records)] == [layout.central_size(large, 0), layout.central_size(small, second)]
        file.write(b"".join(records))
        file.write(layout.end_records(2, directory, sum(map(len, records))))
    with zipfile.ZipFile(path) as archive:
        assert {info.filename: info.file_size for info in archive.infolist()} == {"large": size, "small": 5}
        assert archive.read("small") == b"hello"
        with archive.open("large") as stream:
            assert stream.read(10) == bytes(10)


async def test_too_many_files_are_refused_before_the_first_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "MAX_FILES", 2)
    objects = MemoryObjectStore()
    entries = [await store(objects, path, b"") for path in "abc"]
    with pytest.raises(TooLargeError, match="at most 2 files"):
        await write_archive(objects, [entries])


@pytest.mark.parametrize("knows_crc", [True, False])
async def test_an_object_that_is_not_as_recorded_ends_the_archive(*, knows_crc: bool) -> None:
    objects = MemoryObjectStore()
    entry = await store(objects, "a", b"12345", knows_crc=knows_crc)
    await objects.delete([entry.file.key])
    with pytest.raises(NotFoundError):
        await write_archive(objects, [[entry]])
    await objects.put(entry.file.key, b"123")
    with pytest.raises(OSError, match="differs from its record by 2 bytes"):
        await write_archive(objects, [[entry]])

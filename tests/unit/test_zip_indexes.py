"""Reading inside archives: as the standard library reads them, built once, and nothing but clear refusals."""

import asyncio
import io
import zipfile
from array import array
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, nullcontext
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application.zips import index_format, locate, parsing, sorting
from application.zips.entries import Entry
from application.zips.indexes import ArchiveIndex, ZipIndexes
from application.zips.sorting import are_disjoint
from domain.errors import UnavailableError, UnreadableArchiveError
from domain.stage.events import StoredFile
from tests.support.hostile_zips import REFUSED, overlapping, stored
from tests.support.object_store import MemoryObjectStore
from tests.support.stores import OneStore
from tests.support.zips import pack

ARTIFACT = UUID(int=7)
NAMES = st.lists(st.sampled_from(["a", "b", "a.b", "a-b", "é", "z z", "0"]), min_size=1, max_size=4).map("/".join)


async def keep(objects: MemoryObjectStore, data: bytes, key: str = "archive") -> StoredFile:
    kept = await objects.put(key, data)
    return StoredFile(key=key, size_bytes=len(data), etag=kept.etag, modified_at=1)


@asynccontextmanager
async def opened(data: bytes) -> AsyncIterator[tuple[ZipIndexes, ArchiveIndex]]:
    objects = MemoryObjectStore()
    indexes = ZipIndexes(OneStore(objects))
    try:
        yield indexes, await indexes.open(ARTIFACT, await keep(objects, data))
    finally:
        await indexes.close()


async def listed(indexes: ZipIndexes, index: ArchiveIndex, directory: str = "") -> list[tuple[str, Entry | None]]:
    return [item async for page in indexes.list_directory(index, directory) for item in page]


async def names(indexes: ZipIndexes, index: ArchiveIndex, directory: str = "") -> list[str]:
    return [name if entry else f"{name}/" for name, entry in await listed(indexes, index, directory)]


def expected_names(members: Mapping[str, bytes], directory: str) -> list[str]:
    """List a directory in the plainest way."""
    prefix = f"{directory}/" if directory else ""
    found = set()
    for name in members:
        if name.startswith(prefix) and name != prefix:
            head, slash, _ = name.removeprefix(prefix).partition("/")
            found.add(head + slash)
    return sorted(found, key=lambda name: (name.rstrip("/"), name.endswith("/")))


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make chunks and runs small, so that small archives have many."""
    monkeypatch.setattr(parsing, "CHUNK_ENTRIES", 3)
    monkeypatch.setattr(parsing, "BLOCK_BYTES", 300)
    monkeypatch.setattr(sorting, "RUN_BYTES", 500)
    monkeypatch.setattr(sorting, "READ_BYTES", 50)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    files=st.dictionaries(NAMES, st.binary(max_size=20), max_size=40),
    directories=st.sets(NAMES.map(lambda name: f"{name}/"), max_size=5),
)
def test_every_member_is_found_and_every_directory_listed(files: dict[str, bytes], directories: set[str]) -> None:
    members = {**files, **dict.fromkeys(sorted(directories), b"")}

    async def check() -> None:
        async with opened(pack(members)) as (indexes, index):
            oracle = {info.filename: info for info in zipfile.ZipFile(io.BytesIO(pack(members))).infolist()}
            for name in files:
                entry = await indexes.find(index, name)
                assert entry is not None
                info = oracle[name]
                assert (entry.size_bytes, entry.packed_bytes, entry.crc32, entry.offset) == (
                    info.file_size,
                    info.compress_size,
                    info.CRC,
                    info.header_offset,
                )
            asked = {"", "a", "a/b", "nothing", *(name.rpartition("/")[0] for name in members)}
            for directory in sorted(asked):
                shown = await names(indexes, index, directory)
                both = [name for name in shown if f"{name}/" in shown]
                assert sorted(shown) == sorted(expected_names(members, directory))
                assert len(set(shown)) == len(shown), both

    run(check())


async def test_names_are_in_order_and_absent_ones_are_absent() -> None:
    async with opened(pack({f"d{number}/f{inner}": b"" for number in range(30) for inner in range(9)})) as (
        indexes,
        index,
    ):
        root = await names(indexes, index)
        assert root == sorted(root)
        assert len(root) == 30
        assert await names(indexes, index, "d7") == [f"f{inner}" for inner in range(9)]
        for path in ("d7", "d", "d7/f", "d7/f00", "x", "0"):
            assert await indexes.find(index, path) is None


async def test_an_empty_archive_has_nothing() -> None:
    async with opened(pack({})) as (indexes, index):
        assert await names(indexes, index) == []
        assert await indexes.find(index, "a") is None


async def test_the_last_of_several_members_of_a_name_counts() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for number in range(10):
            with pytest.warns(UserWarning, match="Duplicate") if number else nullcontext():
                archive.writestr("a", b"x" * number)
            archive.writestr(f"other{number}", b"")
    async with opened(target.getvalue()) as (indexes, index):
        entry = await indexes.find(index, "a")
        assert entry is not None
        assert entry.size_bytes == 9
        assert (await names(indexes, index)).count("a") == 1


@pytest.mark.parametrize(
    "name",
    ["../up", "a/../../up", "/absolute", "..\\up", "nul\0byte", "line\nbreak", "x" * 256, "a/" * 600 + "b", "..", "/"],
)
async def test_names_that_are_no_paths_are_left_out(name: str) -> None:
    # The library cuts names at NUL, so such a name is put in afterwards.
    data = stored({name.replace("\0", "@"): b"", "good": b""})
    if "\0" in name:
        data = data.replace(b"nul@byte", b"nul\0byte")
    async with opened(data) as (indexes, index):
        assert index.root.left_out == 1
        assert await names(indexes, index) == ["good"]


@pytest.mark.parametrize("name", ["dots..inside", "...", "a/..b", "C:/x", "back\\slash", "'\"", "a b", ".hidden", "é"])
async def test_unusual_names_are_names(name: str) -> None:
    async with opened(stored({name: b"hello"})) as (indexes, index):
        assert index.root.left_out == 0
        assert await indexes.find(index, name) is not None


async def test_both_ways_of_writing_a_letter_find_the_member() -> None:
    async with opened(stored({"e\u0301": b"", "./here": b"", "a//b": b""})) as (indexes, index):
        assert await indexes.find(index, "\u00e9") is not None
        assert await indexes.find(index, "here") is not None
        assert await indexes.find(index, "a/b") is not None


async def test_names_without_the_flag_are_those_of_dos() -> None:
    data = stored({"x": b""}).replace(b"x", b"\x81")
    async with opened(data) as (indexes, index):
        assert await names(indexes, index) == [zipfile.ZipFile(io.BytesIO(data)).namelist()[0]] == ["ü"]


@pytest.mark.parametrize("before", [b"", b"#!/bin/sh\n" * 100])
@pytest.mark.parametrize("comment", [b"", b"a comment", b"PK\5\6", b"PK\5\6" + bytes(100), b"x" * 65_535])
async def test_comments_and_what_stands_before_do_not_matter(before: bytes, comment: bytes) -> None:
    target = io.BytesIO(before)
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("a", b"hello")
        archive.comment = comment
    data = before + target.getvalue()[len(before) :]
    async with opened(data) as (indexes, index):
        entry = await indexes.find(index, "a")
        assert entry is not None
        assert data[entry.offset :].startswith(b"PK\3\4")


@pytest.mark.parametrize("case", sorted(REFUSED))
async def test_hostile_archives_are_refused_and_stay_refused(case: str) -> None:
    objects = MemoryObjectStore()
    archive = await keep(objects, REFUSED[case]())
    refusals = set()
    for _ in range(2):
        indexes = ZipIndexes(OneStore(objects))
        for _ in range(2):
            with pytest.raises(UnreadableArchiveError) as raised:
                await indexes.open(ARTIFACT, archive)
            refusals.add(raised.value.detail)
        await indexes.close()
    assert len(refusals) == 1
    # The refusal is kept, so the archive is not read again.
    assert len(await objects.list(f"{ARTIFACT}/zip-index/archive/")) == 1


async def test_limits_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    data = stored({"a": b"", "b": b"", "c": b""})
    monkeypatch.setattr(locate, "MAX_MEMBERS", 2)
    with pytest.raises(UnreadableArchiveError, match="more than 2 members"):
        async with opened(data):
            pass
    monkeypatch.setattr(locate, "MAX_MEMBERS", 3)
    monkeypatch.setattr(locate, "MAX_DIRECTORY_BYTES", 100)
    with pytest.raises(UnreadableArchiveError, match="larger than 100 bytes"):
        async with opened(data):
            pass


async def test_an_index_is_built_once_however_many_ask() -> None:
    objects = MemoryObjectStore()
    archive = await keep(objects, pack({f"f{number}": b"" for number in range(50)}))
    indexes = ZipIndexes(OneStore(objects))
    writes = objects.writes
    found = await asyncio.gather(*(indexes.open(ARTIFACT, archive) for _ in range(50)))
    assert len({index.prefix for index in found}) == 1
    assert objects.writes == writes + 2
    reads = objects.reads
    await indexes.open(ARTIFACT, archive)
    assert objects.reads == reads
    await indexes.close()
    again = ZipIndexes(OneStore(objects))
    index = await again.open(ARTIFACT, archive)
    assert objects.reads == reads + 1
    assert await again.find(index, "f7") is not None
    assert objects.reads == reads + 2
    assert objects.writes == writes + 2
    await again.close()


async def test_who_goes_away_does_not_take_the_index_along() -> None:
    objects = MemoryObjectStore()
    archive = await keep(objects, pack({"a": b""}))
    indexes = ZipIndexes(OneStore(objects))
    impatient = asyncio.create_task(indexes.open(ARTIFACT, archive))
    await asyncio.sleep(0)
    patient = asyncio.create_task(indexes.open(ARTIFACT, archive))
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient).root.refusal is None
    await indexes.close()


@pytest.mark.parametrize("damage", ["chunks-lost", "chunks-changed", "root-changed"])
async def test_a_lost_index_is_built_anew(damage: str) -> None:
    objects = MemoryObjectStore()
    archive = await keep(objects, pack({"a": b"hello"}))
    first = ZipIndexes(OneStore(objects))
    index = await first.open(ARTIFACT, archive)
    await first.close()
    part, change = damage.split("-")
    key = f"{index.prefix}/{part}"
    await objects.delete([key])
    if change == "changed":
        await objects.put(key, b"\x91\xa3abc")
    second = ZipIndexes(OneStore(objects))
    index = await second.open(ARTIFACT, archive)
    if part == "chunks":
        with pytest.raises(UnavailableError, match="built anew"):
            await second.find(index, "a")
        index = await second.open(ARTIFACT, archive)
    assert await second.find(index, "a") is not None
    await second.close()


def test_the_key_of_an_index_tells_its_archive() -> None:
    archive = StoredFile(key="x/v0-1/upload", size_bytes=1, etag="e", modified_at=1)
    prefix = index_format.index_prefix(ARTIFACT, archive)
    assert prefix.startswith(f"{ARTIFACT}/zip-index/x/v0-1/upload/")
    for other in (
        StoredFile(key="x/v0-1/upload", size_bytes=1, etag="f", modified_at=1),
        StoredFile(key="x/v0-1/upload", size_bytes=1, etag="e", modified_at=1, version_id="2"),
        StoredFile(key="x/v0-1/upload", size_bytes=1, etag="e", modified_at=1, store="s"),
    ):
        assert index_format.index_prefix(ARTIFACT, other) != prefix


RANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=12)


@given(ranges=RANGES)
def test_ranges_are_disjoint_if_no_two_have_a_place_in_common(ranges: list[tuple[int, int]]) -> None:
    places = [place for start, length in ranges for place in range(start, start + length)]
    starts = array("Q", [start for start, _ in ranges])
    ends = array("Q", [start + length for start, length in ranges])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorting, "NUMBERS_RUN", 3)
        assert are_disjoint(starts, ends) == (len(set(places)) == len(places))


async def test_many_members_that_share_their_bytes_are_refused_fast() -> None:
    with pytest.raises(UnreadableArchiveError, match="overlap"):
        async with opened(overlapping(20_000)):
            pass


_SEEDS = [
    pack({"a": b"hello" * 100, "d/b": b"x", "d/": b"", "../c": b""}),
    stored({"a": b"hello", "b": b""}),
    *(make() for _, make in sorted(REFUSED.items())),
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400, deadline=None)
@given(data=st.data())
def test_no_change_of_an_archive_does_more_than_be_refused(data: st.DataObject) -> None:
    archive = bytearray(data.draw(st.sampled_from(_SEEDS)))
    for _ in range(data.draw(st.integers(0, 4))):
        if archive:
            at = data.draw(st.integers(0, len(archive) - 1))
            end = data.draw(st.integers(at, min(at + 40, len(archive))))
            archive[at:end] = data.draw(st.binary(max_size=40) | st.just(b"\xff" * 8) | st.just(bytes(end - at)))

    async def check() -> None:
        try:
            async with opened(bytes(archive)) as (indexes, index):
                for name, entry in await listed(indexes, index):
                    assert name not in ("", ".", "..")
                    assert "/" not in name
                    if entry is not None:
                        assert await indexes.find(index, name) == entry
                await listed(indexes, index, "d")
        except UnreadableArchiveError as error:
            assert error.detail  # noqa: PT017 - Being refused is one of two right outcomes.

    run(check())

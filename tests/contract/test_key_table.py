"""What every table of keys must do."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from adapters.key_table import SqliteKeyTable
from application.ports.secret_keys import KeyTable, WrappedKey
from domain.errors import UnavailableError
from tests.support.given import uid


def wrapped(text: str, ring_key_id: str = "k1") -> WrappedKey:
    return WrappedKey(ring_key_id=ring_key_id, wrapped=text.encode())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.db"


@pytest.fixture
async def table(path: Path) -> AsyncIterator[KeyTable]:
    table = SqliteKeyTable(path)
    yield table
    await table.close()


async def fill(table: KeyTable, names: Iterable[str], added_at: int = 1) -> None:
    for name in names:
        await table.add(uid(name), wrapped(name), added_at)


async def test_a_key_that_was_added_is_found(table: KeyTable) -> None:
    assert await table.get(uid("a")) is None
    assert await table.add(uid("a"), wrapped("first"), 1) == wrapped("first")
    assert await table.get(uid("a")) == wrapped("first")
    assert await table.get(uid("b")) is None


async def test_the_first_key_stays_and_all_who_add_get_it(table: KeyTable) -> None:
    keys = await asyncio.gather(*(table.add(uid("a"), wrapped(f"key {number}"), 1) for number in range(20)))
    assert len({key.wrapped for key in keys}) == 1
    assert await table.get(uid("a")) == keys[0]


async def test_a_key_is_replaced_only_while_it_is_still_that_one(table: KeyTable) -> None:
    await fill(table, ["a"])
    assert await table.replace(uid("a"), wrapped("a"), wrapped("a2", "k2"))
    assert not await table.replace(uid("a"), wrapped("a"), wrapped("a3", "k3"))
    assert not await table.replace(uid("b"), wrapped("b"), wrapped("b2", "k2"))
    assert await table.get(uid("a")) == wrapped("a2", "k2")
    assert await table.get(uid("b")) is None


async def test_pages_give_every_row_once_in_order(table: KeyTable) -> None:
    names = [f"n{number}" for number in range(10)]
    await fill(table, names)
    found, after = [], None
    while rows := await table.page(after, 3):
        assert len(rows) <= 3
        found += [row.artifact_id for row in rows]
        after = rows[-1].artifact_id
    assert found == sorted(uid(name) for name in names)


async def test_a_page_can_leave_out_what_is_new(table: KeyTable) -> None:
    await fill(table, ["old"], added_at=10)
    await fill(table, ["new"], added_at=20)
    rows = await table.page(None, 10, added_before=20)
    assert [row.artifact_id for row in rows] == [uid("old")]
    assert rows[0].key == wrapped("old")


async def test_counts_are_by_the_key_of_the_ring(table: KeyTable) -> None:
    assert await table.counts() == {}
    await fill(table, ["a", "b", "c"])
    await table.replace(uid("b"), wrapped("b"), wrapped("b2", "k2"))
    assert await table.counts() == {"k1": 2, "k2": 1}


async def test_a_deleted_key_is_gone_from_the_files(table: KeyTable, path: Path) -> None:
    await fill(table, ["a-key-to-forget", "another"])
    assert await table.delete([uid("a-key-to-forget"), uid("nobody")]) == 1
    assert await table.get(uid("a-key-to-forget")) is None
    assert await table.get(uid("another")) == wrapped("another")
    for file in path.parent.iterdir():
        assert b"a-key-to-forget" not in file.read_bytes(), file.name


async def test_what_was_answered_is_there_after_opening_again(path: Path) -> None:
    first = SqliteKeyTable(path)
    await first.add(uid("a"), wrapped("a"), 1)
    # Not closed: as after a crash, and as seen by another process.
    second = SqliteKeyTable(path)
    assert await second.get(uid("a")) == wrapped("a")
    await second.add(uid("b"), wrapped("b"), 1)
    assert await first.get(uid("b")) == wrapped("b")
    await first.close()
    await second.close()


async def test_only_the_owner_can_read_the_files(table: KeyTable, path: Path) -> None:
    await fill(table, ["a"])
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


async def test_a_closed_table_says_so(table: KeyTable) -> None:
    await table.close()
    with pytest.raises(UnavailableError):
        await table.get(uid("a"))

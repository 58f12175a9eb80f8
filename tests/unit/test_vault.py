"""Sealing and opening with a key table in a file: order, rotation beside a service, and keys that are gone."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.key_ring import KEY_BYTES, AesKeyRing
from adapters.key_table import SqliteKeyTable
from application import key_rotation
from application.key_rotation import Rotation, rotate_keys
from application.vault import Vault
from domain.errors import SecretsUnreadableError
from tests.support.clocks import FixedClock
from tests.support.given import uid

OLD, NEW = b"o" * KEY_BYTES, b"n" * KEY_BYTES
ARTIFACTS = [uid(f"artifact {number}") for number in range(7)]


@pytest.fixture
async def table(tmp_path: Path) -> AsyncIterator[SqliteKeyTable]:
    table = SqliteKeyTable(tmp_path / "keys.db")
    yield table
    await table.close()


def vault(table: SqliteKeyTable, **keys: bytes) -> Vault:
    return Vault(table, AesKeyRing(keys or {"old": OLD}), FixedClock())


async def test_the_key_is_kept_before_the_ciphertext_is_given(table: SqliteKeyTable) -> None:
    sealed = await vault(table).seal(ARTIFACTS[0], {"A": "one", "B": ""})
    assert await table.get(ARTIFACTS[0]) is not None
    assert await vault(table).open(ARTIFACTS[0], sealed) == {"A": "one", "B": ""}


async def test_sealing_nothing_makes_no_key(table: SqliteKeyTable) -> None:
    assert await vault(table).seal(ARTIFACTS[0], {}) == {}
    assert await vault(table).open(ARTIFACTS[0], {}) == {}
    assert await table.get(ARTIFACTS[0]) is None


async def test_many_that_seal_first_at_once_use_one_key(table: SqliteKeyTable) -> None:
    one = vault(table)
    sealed = await asyncio.gather(*(one.seal(ARTIFACTS[0], {"A": f"{number}"}) for number in range(20)))
    opened = [await one.open(ARTIFACTS[0], each) for each in sealed]
    assert opened == [{"A": f"{number}"} for number in range(20)]


async def test_after_a_rotation_the_old_key_is_not_needed_and_repeating_it_does_nothing(table: SqliteKeyTable) -> None:
    sealed = {artifact: await vault(table).seal(artifact, {"A": str(artifact)}) for artifact in ARTIFACTS}
    both = AesKeyRing({"new": NEW, "old": OLD})
    assert await rotate_keys(table, both) == Rotation(rewrapped=7, current=0, unreadable={})
    assert await rotate_keys(table, both) == Rotation(rewrapped=0, current=7, unreadable={})
    for artifact, each in sealed.items():
        assert await vault(table, new=NEW).open(artifact, each) == {"A": str(artifact)}
    assert await vault(table, new=NEW).missing_ring_keys() == {}
    with pytest.raises(SecretsUnreadableError, match="has no key 'new'"):
        await vault(table, old=OLD).open(ARTIFACTS[0], sealed[ARTIFACTS[0]])


async def test_a_rotation_runs_beside_a_service_and_beside_another(
    table: SqliteKeyTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_rotation, "PAGE_KEYS", 2)
    service = vault(table, new=NEW, old=OLD)
    sealed = {artifact: await vault(table).seal(artifact, {"A": str(artifact)}) for artifact in ARTIFACTS}
    ring = AesKeyRing({"new": NEW, "old": OLD})
    beside = SqliteKeyTable(tmp_path / "keys.db")

    async def use() -> None:
        for artifact, each in sealed.items():
            assert await service.open(artifact, each) == {"A": str(artifact)}
            again = await service.seal(artifact, {"B": "b"})
            assert await service.open(artifact, again) == {"B": "b"}

    first, second, *_ = await asyncio.gather(rotate_keys(table, ring), rotate_keys(beside, ring), use(), use())
    await beside.close()
    # Each key was counted as rewrapped by exactly one of the two, however they met.
    assert first.rewrapped + second.rewrapped == len(ARTIFACTS)
    assert await table.counts() == {"new": len(ARTIFACTS)}


async def test_a_rotation_does_what_it_can_and_tells_what_it_cannot(table: SqliteKeyTable) -> None:
    await vault(table, lost=b"l" * KEY_BYTES).seal(ARTIFACTS[0], {"A": "a"})
    await vault(table).seal(ARTIFACTS[1], {"A": "a"})
    done = await rotate_keys(table, AesKeyRing({"new": NEW, "old": OLD}))
    assert done == Rotation(rewrapped=1, current=0, unreadable={"lost": 1})
    assert await vault(table, new=NEW).missing_ring_keys() == {"lost": 1}


async def test_a_forgotten_key_makes_all_copies_of_the_ciphertext_unreadable(table: SqliteKeyTable) -> None:
    one = vault(table)
    sealed = await one.seal(ARTIFACTS[0], {"A": "a"})
    assert await one.artifacts(None, 10, added_before=FixedClock().now() + 1) == [ARTIFACTS[0]]
    assert await one.forget([ARTIFACTS[0], ARTIFACTS[1]]) == 1
    with pytest.raises(SecretsUnreadableError, match="not there any more"):
        await one.open(ARTIFACTS[0], sealed)
    # What is set from then on has a key of its own, which opens nothing of before.
    again = await one.seal(ARTIFACTS[0], {"B": "b"})
    assert await one.open(ARTIFACTS[0], again) == {"B": "b"}
    with pytest.raises(SecretsUnreadableError, match="The secret 'A'"):
        await one.open(ARTIFACTS[0], {**sealed, **again})

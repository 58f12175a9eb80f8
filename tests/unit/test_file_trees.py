import pytest

from application.file_trees import FileTrees
from application.tree_cache import ByteBoundedCache
from application.tree_listing import DirEntry
from application.tree_reader import DamagedTreeError
from domain.errors import InvalidPathError
from domain.trees import TreeRoot, decode_index, path_of
from tests.support.object_store import MemoryObjectStore
from tests.support.trees import Tree, file

MANY: Tree = {f"d{number // 1000:02d}/f{number:05d}.csv": file(number) for number in range(10_000)}


async def keys(objects: MemoryObjectStore) -> list[str]:
    return [stored.key for stored in await objects.list("")]


async def stored(objects: MemoryObjectStore, tree: Tree = MANY) -> TreeRoot:
    root = await FileTrees(objects).commit(None, "ws/artifact/v0-1", tree, ())
    assert root is not None
    return root


async def test_a_tree_is_two_objects_below_its_prefix() -> None:
    objects = MemoryObjectStore()
    root = await stored(objects)
    assert root.file_count == len(MANY)
    assert root.size_bytes == sum(kept.size_bytes for kept in MANY.values())
    assert len(await keys(objects)) == 2
    assert all(key.startswith("ws/artifact/v0-1/tree/") for key in await keys(objects))
    assert root.key == f"ws/artifact/v0-1/tree/{root.sha256.hex()}"


async def test_a_commit_that_runs_twice_changes_nothing() -> None:
    objects = MemoryObjectStore()
    trees = FileTrees(objects)
    base = await stored(objects)
    first = await trees.commit(base, "p", {"d03/new": file(7)}, ["d04/f04000.csv"])
    before = await keys(objects)
    assert await trees.commit(base, "p", {"d03/new": file(7)}, ["d04/f04000.csv"]) == first
    assert await keys(objects) == before


async def test_an_empty_tree_has_no_root() -> None:
    objects = MemoryObjectStore()
    trees = FileTrees(objects)
    assert await trees.commit(None, "p", {}, ["absent"]) is None
    assert await keys(objects) == []
    root = await stored(objects)
    assert await trees.commit(root, "p", {}, list(MANY)) is None


async def test_a_commit_without_changes_gives_its_base() -> None:
    objects = MemoryObjectStore()
    root = await stored(objects)
    before = await keys(objects)
    trees = FileTrees(objects)
    assert await trees.commit(root, "q", {}, ()) == root
    assert await keys(objects) == before


async def test_the_base_stays_as_it_was() -> None:
    objects = MemoryObjectStore()
    trees = FileTrees(objects)
    base = await stored(objects)
    after = await trees.commit(base, "p", {"d03/f03000.csv": file(1_000_000)}, ["d04/f04000.csv"])
    assert after is not None
    assert after.file_count == base.file_count - 1
    assert after.size_bytes == base.size_bytes - 3000 + 1_000_000 - 4000
    assert await trees.lookup(base, "d03/f03000.csv") == file(3000)
    assert await trees.lookup(after, "d03/f03000.csv") == file(1_000_000)
    assert await trees.lookup(base, "d04/f04000.csv") == file(4000)
    assert await trees.lookup(after, "d04/f04000.csv") is None


async def test_a_conflict_fails_the_commit_and_stores_nothing() -> None:
    objects = MemoryObjectStore()
    base = await stored(objects, {"a": file(1)})
    before = await keys(objects)
    with pytest.raises(InvalidPathError, match="'a' is a file"):
        await FileTrees(objects).commit(base, "p", {"a/b": file(1)}, ())
    assert await keys(objects) == before


async def test_a_listing_skips_what_lies_below() -> None:
    objects = MemoryObjectStore()
    deep = {f"deep/d{number:05d}/f": file(number) for number in range(20_000)}
    root = await stored(objects, {**deep, "a": file(1), "z/z": file(2)})
    trees = FileTrees(objects)
    objects.reads = 0
    assert await trees.list_directory(root, "") == [DirEntry("a", file(1)), DirEntry("deep", None), DirEntry("z", None)]
    assert objects.reads <= 3
    assert await trees.list_directory(root, "deep", after="d15000", limit=2) == [
        DirEntry("d15001", None),
        DirEntry("d15002", None),
    ]
    assert objects.reads <= 4


@pytest.mark.parametrize(
    ("before", "put", "removed", "conflict"),
    [
        ([], ["a", "b/c"], [], None),
        ([], ["a", "a/b/c"], [], "a"),
        (["a"], ["a/b"], [], "a"),
        (["a"], ["a/b"], ["a"], None),
        (["a"], ["a/b", "a"], ["a"], "a"),
        (["a/b"], ["a"], [], "a"),
        (["a/b"], ["a"], ["a/b"], None),
        (["a/b", "a/c"], ["a"], ["a/b"], "a"),
        (["a", "b/c"], ["a", "b/c", "b/d"], [], None),
        (["a-b", "a.b"], ["a/b"], [], None),
    ],
)
async def test_a_conflict_is_named(before: list[str], put: list[str], removed: list[str], conflict: str | None) -> None:
    objects = MemoryObjectStore()
    root = await FileTrees(objects).commit(None, "p", dict.fromkeys(before, file(1)), ())
    assert await FileTrees(objects).find_conflict(root, put, removed) == conflict


async def test_a_walk_reads_no_more_than_it_gives() -> None:
    objects = MemoryObjectStore()
    root = await stored(objects)
    index = decode_index(await objects.get(root.key))
    trees = FileTrees(objects)
    first, second = index.chunks[:2]
    before_last = (await trees.list_directory(root, "d00", limit=first.count))[first.count - 2].name
    for limit in (second.count, second.count + 1, second.count + 2):
        pages = [page async for page in trees.walk(root, after=f"d00/{before_last}", limit=limit)]
        assert sum(map(len, pages)) == limit
    for limit in (second.count - 1, second.count, second.count + 1):
        pages = [page async for page in trees.walk(root, after=path_of(first.last), limit=limit)]
        assert sum(map(len, pages)) == limit
        pages = [page async for page in trees.walk(root, after=path_of(first.first), limit=first.count + limit)]
        assert sum(map(len, pages)) == first.count + limit
    objects.reads = 0
    assert [len(page) async for page in FileTrees(objects).walk(root, limit=1)] == [1]
    assert objects.reads == 2


async def test_reading_twice_reads_the_store_once() -> None:
    objects = MemoryObjectStore()
    root = await stored(objects)
    trees = FileTrees(objects)
    await trees.lookup(root, "d03/f03000.csv")
    objects.reads = 0
    await trees.lookup(root, "d03/f03001.csv")
    await trees.list_directory(root, "d03", limit=1, after="f02999.csv")
    assert objects.reads == 0


async def test_without_room_nothing_is_cached() -> None:
    objects = MemoryObjectStore()
    root = await stored(objects)
    trees = FileTrees(objects, chunk_cache_bytes=0, index_cache_bytes=0)
    for _ in range(2):
        objects.reads = 0
        assert await trees.lookup(root, "d03/f03000.csv") == file(3000)
        assert objects.reads == 2


async def test_damage_is_noticed() -> None:
    objects = MemoryObjectStore()
    root = await stored(objects)
    chunks = next(key for key in await keys(objects) if key != root.key)
    await objects.delete([chunks])
    with pytest.raises(DamagedTreeError):
        await FileTrees(objects).lookup(root, "d03/f03000.csv")
    await objects.put(chunks, b"x" * 10_000_000)
    with pytest.raises(DamagedTreeError):
        await FileTrees(objects).list_directory(root, "")
    await objects.delete([root.key])
    with pytest.raises(DamagedTreeError) as refusal:
        await FileTrees(objects).lookup(root, "d03/f03000.csv")
    assert "tree/" not in refusal.value.detail


def test_the_cache_drops_what_was_not_used_for_longest() -> None:
    cache: ByteBoundedCache[str] = ByteBoundedCache(100)
    for name in ("a", "b", "c"):
        cache.put(name.encode(), name, 30)
    assert cache.get(b"a") == "a"
    cache.put(b"d", "d", 30)
    assert [cache.get(name) for name in (b"a", b"b", b"c", b"d")] == ["a", None, "c", "d"]
    cache.put(b"large", "large", 101)
    assert cache.get(b"large") is None
    assert cache.size_bytes == 90

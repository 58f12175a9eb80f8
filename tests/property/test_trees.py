import asyncio
from collections.abc import Coroutine, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from application.file_trees import FileTrees
from domain import tree_changes, trees
from domain.errors import InvalidPathError
from domain.stage.events import StoredFile
from domain.trees import TreeIndex, TreeRoot, order_key
from tests.support.object_store import MemoryObjectStore
from tests.support.trees import Forest, Tree, file, is_consistent, list_level

NAMES = st.sampled_from(["a", "a-b", "a.b", "a0", "b", "é", "z", " "])
PATHS = st.one_of(
    st.lists(NAMES, min_size=1, max_size=4).map("/".join),
    st.integers(0, 300).map(lambda number: f"d{number % 5}/f{number:03d}"),
)
FILES = st.integers(0, 9).map(file)
TREES = st.dictionaries(PATHS, FILES, max_size=80)
REMOVALS = st.sets(PATHS, max_size=80)
CHANGES = st.tuples(TREES, REMOVALS)


@pytest.fixture(autouse=True, scope="module")
def _small_chunks() -> Iterator[None]:
    """Cut often, so that small examples have many chunks, some ended by a hash and some by their size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trees, "MEAN_CHUNK_FILES", 6)
        patch.setattr(trees, "MAX_CHUNK_FILES", 9)
        patch.setattr(tree_changes, "MAX_CHUNK_FILES", 9)
        yield


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def changed(tree: Tree, upserts: Tree, removals: set[str]) -> Tree:
    return {path: kept for path, kept in tree.items() if path not in removals} | dict(upserts)


def without_conflicts(tree: Tree) -> Tree:
    return {path: kept for path, kept in tree.items() if not any(other.startswith(f"{path}/") for other in tree)}


@given(st.lists(CHANGES, max_size=6))
@settings(max_examples=300)
def test_a_tree_that_was_changed_equals_one_that_was_built_at_once(changes: list[tuple[Tree, set[str]]]) -> None:
    forest = Forest()
    index = TreeIndex()
    expected: Tree = {}
    for upserts, removals in changes:
        after = changed(expected, upserts, removals)
        if not is_consistent(after):
            with pytest.raises(InvalidPathError, match="is a file"):
                forest.apply(index, upserts, removals)
            continue
        index, growth = forest.apply(index, upserts, removals)
        assert growth.file_count == len(after) - len(expected)
        assert growth.size_bytes == sum(kept.size_bytes for kept in after.values()) - sum(
            kept.size_bytes for kept in expected.values()
        )
        expected = after
        assert forest.files(index) == expected
        built, _ = forest.apply(TreeIndex(), expected, ())
        assert forest.shape(index) == forest.shape(built)


@given(TREES, CHANGES)
def test_only_chunks_near_a_change_are_read(tree: Tree, change: tuple[Tree, set[str]]) -> None:
    upserts, removals = change
    tree = without_conflicts(tree)
    assume(is_consistent(changed(tree, upserts, removals)))
    forest = Forest()
    index, _ = forest.apply(TreeIndex(), tree, ())
    forest.apply(index, upserts, removals)
    wanted = trees_touched(index, [*upserts, *removals])
    read = {index.chunks.index(ref) for ref in forest.read}
    assert wanted <= read
    for extra in read - wanted:
        # The end of the chunk before it moved.
        assert extra - 1 in read


def trees_touched(index: TreeIndex, paths: list[str]) -> set[int]:
    return {index.chunks.index(ref) for ref in tree_changes.touched(index, paths)}


async def stored(tree: Mapping[str, StoredFile]) -> tuple[FileTrees, TreeRoot | None]:
    file_trees = FileTrees(MemoryObjectStore())
    return file_trees, await file_trees.commit(None, "p", tree, ())


@given(TREES, CHANGES, st.sampled_from(["", "a", "d1", "a/a", "b/a-b", "absent"]), st.integers(0, 5), NAMES)
@settings(max_examples=300)
def test_a_listing_shows_the_tree_as_it_will_be(
    tree: Tree, change: tuple[Tree, set[str]], directory: str, offset: int, after: str
) -> None:
    upserts, removals = change
    tree = without_conflicts(tree)
    future = changed(tree, upserts, removals)
    assume(is_consistent(future))

    async def test() -> None:
        file_trees, root = await stored(tree)
        assert await file_trees.list_directory(root, directory) == list_level(tree, directory)
        expected = list_level(future, directory)
        overlay: dict[str, Any] = {"overlay_upserts": upserts, "overlay_removed": removals}
        assert await file_trees.list_directory(root, directory, **overlay) == expected
        assert (
            await file_trees.list_directory(root, directory, offset=offset, limit=3, **overlay)
            == expected[offset : offset + 3]
        )
        assert (
            await file_trees.list_directory(root, directory, after=after, limit=4, **overlay)
            == [entry for entry in expected if entry.name > after][:4]
        )
        committed = await file_trees.commit(root, "p", upserts, removals)
        assert await file_trees.list_directory(committed, directory) == expected

    run(test())


@given(TREES, st.lists(PATHS))
def test_lookups_find_what_is_there(tree: Tree, paths: list[str]) -> None:
    tree = without_conflicts(tree)

    async def test() -> None:
        file_trees, root = await stored(tree)
        assert await file_trees.lookup_many(root, paths) == {path: tree[path] for path in paths if path in tree}
        for path in paths:
            assert await file_trees.lookup(root, path) == tree.get(path)

    run(test())


@given(TREES, st.sampled_from(["", "a", "d1"]), PATHS, st.one_of(st.none(), st.integers(0, 30)))
def test_a_walk_gives_all_files_in_order(tree: Tree, directory: str, after: str, limit: int | None) -> None:
    tree = without_conflicts(tree)

    async def test() -> None:
        file_trees, root = await stored(tree)
        pages = [page async for page in file_trees.walk(root, directory=directory, after=after, limit=limit)]
        assert all(pages)
        expected = sorted(
            (path for path in tree if path.startswith(f"{directory}/" if directory else "")), key=order_key
        )
        expected = [path for path in expected if order_key(path) > order_key(after)][:limit]
        assert [(entry.path, entry.file) for page in pages for entry in page] == [
            (path, tree[path]) for path in expected
        ]

    run(test())


@given(TREES, CHANGES)
def test_the_difference_of_two_trees(tree: Tree, change: tuple[Tree, set[str]]) -> None:
    upserts, removals = change
    tree = without_conflicts(tree)
    future = changed(tree, upserts, removals)
    assume(is_consistent(future))

    async def test() -> None:
        file_trees, before = await stored(tree)
        after = await file_trees.commit(before, "q", upserts, removals)
        changes = [change async for change in file_trees.diff(before, after)]
        assert [(change.path, change.before, change.after) for change in changes] == [
            (path, tree.get(path), future.get(path))
            for path in sorted({*tree, *future}, key=order_key)
            if tree.get(path) != future.get(path)
        ]
        assert [change async for change in file_trees.diff(after, after)] == []

    run(test())


@given(TREES, st.sets(PATHS, max_size=8), REMOVALS)
@settings(max_examples=300)
def test_a_conflict_is_found_exactly_when_there_is_one(tree: Tree, upserts: set[str], removals: set[str]) -> None:
    tree = without_conflicts(tree)

    async def test() -> None:
        file_trees, root = await stored(tree)
        found = await file_trees.find_conflict(root, upserts, removals)
        future = (set(tree) - removals) | upserts
        if is_consistent(future):
            assert found is None
        else:
            assert found in future
            assert any(path.startswith(f"{found}/") for path in future)

    run(test())

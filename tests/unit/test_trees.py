import msgspec
import pytest

from domain.errors import InvalidPathError
from domain.stage.events import StoredFile
from domain.tree_changes import touched
from domain.tree_chunks import decode_chunk, encode_chunk
from domain.trees import (
    MAX_CHUNK_FILES,
    ChunkRef,
    TreeIndex,
    after_directory,
    below,
    decode_index,
    is_chunk_end,
    order_key,
    path_of,
)
from tests.support.trees import Forest, file

MANY = {f"d{number // 1000:02d}/f{number:06d}.csv": file(number) for number in range(20_000)}
ENDS = [29, 55, 97, 247, 779, 955]
CHUNK = (
    "9291a36100629185a36b6579a16baa73697a655f627974657301a465746167a165ab6d6f6469666965645f617402a6736861323536c40173"
)
INDEX = "92019197a161a16202a16f0304c40173"


def test_files_are_sorted_by_their_components() -> None:
    paths = ["a/b", "a-b", "a", "a/b/c", "a.b", "a0", "B", "é"]
    assert sorted(paths, key=order_key) == ["B", "a", "a/b", "a/b/c", "a-b", "a.b", "a0", "é"]
    assert path_of(order_key("a/b/c")) == "a/b/c"


def test_what_lies_below_a_directory_is_one_range() -> None:
    inside = ["a/ ", "a/b", "a/b/c", "a/é", "a/\U0010ffff"]
    outside = ["a", "a ", "a-", "a.b/c", "a0", "b", "B/a"]
    for path in inside:
        assert order_key(path).startswith(below("a"))
        assert below("a") <= order_key(path) < after_directory("a")
    for path in outside:
        assert not below("a") <= order_key(path) < after_directory("a")
    assert below("") == ""


def test_the_ends_of_chunks_never_change() -> None:
    # Trees are stored for ever; another hash would cut them anew at their next change.
    assert [number for number in range(1000) if is_chunk_end(f"d\0f{number}")] == ENDS
    assert is_chunk_end("é\0ü192")


def test_the_stored_forms_never_change() -> None:
    chunk = encode_chunk(["a\0b"], [StoredFile(key="k", size_bytes=1, etag="e", modified_at=2, sha256=b"s")])
    assert chunk == bytes.fromhex(CHUNK)
    assert decode_chunk(chunk).entry(0).file.sha256 == b"s"
    index = TreeIndex(chunks=(ChunkRef("a", "b", 2, "o", 3, 4, b"s"),))
    assert index.encode() == bytes.fromhex(INDEX)
    assert decode_index(index.encode()) == index


def test_a_later_field_of_a_file_is_tolerated() -> None:
    stored = msgspec.msgpack.encode((["a"], [{"key": "k", "size_bytes": 1, "etag": "e", "modified_at": 2, "new": 3}]))
    assert decode_chunk(stored).find("a") == StoredFile(key="k", size_bytes=1, etag="e", modified_at=2)


@pytest.mark.parametrize("value", [[2, []], [], {}, "text"])
def test_what_is_no_index_is_refused(value: object) -> None:
    if value == []:
        assert decode_index(msgspec.msgpack.encode(value)) == TreeIndex()
        return
    with pytest.raises(msgspec.DecodeError):
        decode_index(msgspec.msgpack.encode(value))


@pytest.mark.parametrize("value", [[[], []], [["a"], []], [["a"]], {}])
def test_what_is_no_chunk_is_refused(value: object) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_chunk(msgspec.msgpack.encode(value))


def test_chunks_are_bounded_and_about_as_large_as_meant() -> None:
    index, growth = Forest().apply(TreeIndex(), MANY, ())
    assert growth.file_count == len(MANY)
    assert max(ref.count for ref in index.chunks) <= MAX_CHUNK_FILES
    assert 100 <= len(index.chunks) <= 240


def test_files_in_one_directory_are_cut_by_size_when_no_hash_does() -> None:
    unlucky = {f"f{number:06d}": file(1) for number in range(10_000) if not is_chunk_end(f"f{number:06d}")}
    index, _ = Forest().apply(TreeIndex(), unlucky, ())
    assert [ref.count for ref in index.chunks[:-1]] == [MAX_CHUNK_FILES] * (len(unlucky) // MAX_CHUNK_FILES)


def test_an_insertion_rewrites_one_chunk() -> None:
    forest = Forest()
    index, _ = forest.apply(TreeIndex(), MANY, ())
    after, _ = forest.apply(index, {"d07/f007500b.csv": file(1)}, ())
    assert len(forest.read) == 1
    assert len(forest.written) == 1
    assert len(set(index.chunks) - set(after.chunks)) == 1


def test_chunks_can_be_fetched_ahead() -> None:
    forest = Forest()
    index, _ = forest.apply(TreeIndex(), MANY, ())
    paths = ["d07/f007500b.csv", "d00/a", "zzz", "d19/f019999.csv"]
    forest.apply(index, dict.fromkeys(paths, file(1)), ())
    assert touched(index, paths) == forest.read
    assert touched(TreeIndex(), paths) == []


def test_removing_everything_leaves_nothing() -> None:
    forest = Forest()
    index, _ = forest.apply(TreeIndex(), MANY, ())
    after, growth = forest.apply(index, {}, list(MANY))
    assert after == TreeIndex()
    assert growth.file_count == -len(MANY)
    assert growth.size_bytes == -sum(stored.size_bytes for stored in MANY.values())


@pytest.mark.parametrize(
    ("before", "put", "file_path", "directory_of"),
    [
        (["a"], ["a/b"], "a", "a/b"),
        (["a/b"], ["a"], "a", "a/b"),
        ([], ["a", "a/b/c"], "a", "a/b/c"),
        (["a/b/c"], ["a/b"], "a/b", "a/b/c"),
        (["a", "a-b", "a.b"], ["a/b"], "a", "a/b"),
    ],
)
def test_a_path_is_a_file_or_a_directory(before: list[str], put: list[str], file_path: str, directory_of: str) -> None:
    forest = Forest()
    index, _ = forest.apply(TreeIndex(), dict.fromkeys(before, file(1)), ())
    with pytest.raises(InvalidPathError) as refusal:
        forest.apply(index, dict.fromkeys(put, file(1)), ())
    assert refusal.value.detail == f"'{file_path}' is a file, so it cannot be the directory of '{directory_of}'."
    if before:
        forest.apply(index, dict.fromkeys(put, file(1)), before)

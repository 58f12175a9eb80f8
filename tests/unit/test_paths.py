import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidPathError
from domain.paths import MAX_COMPONENT_BYTES, MAX_PATH_BYTES, ancestors, parse_directory, parse_path

FRAGMENTS = st.lists(
    st.one_of(st.sampled_from(["", ".", "..", "a", "é", "e\u0301", "\u0338", "a b", "x.csv", "\\", "\x00"]), st.text()),
    max_size=6,
).map("/".join)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", "a"),
        ("a/b.csv", "a/b.csv"),
        ("./a", "a"),
        (".//./a", "a"),
        ("a//b", "a/b"),
        ("a/./b", "a/b"),
        (".keep", ".keep"),
        ("...", "..."),
        ("a..b/..c", "a..b/..c"),
        ("a b/ü.txt", "a b/ü.txt"),
        ("cafe\u0301.txt", "café.txt"),
        ("a\\b", "a\\b"),
        ("%2e%2e/x", "%2e%2e/x"),
    ],
)
def test_a_path_is_normalised(text: str, path: str) -> None:
    assert parse_path(text) == path


@pytest.mark.parametrize(
    "text", ["..", "../a", "a/..", "a/../b", "a/../../b", "/", "/a", "//a", "/..", "a\\..\\b", "..\\a"]
)
def test_a_path_that_leaves_the_artifact_is_illegal(text: str) -> None:
    with pytest.raises(InvalidPathError) as refusal:
        parse_path(text)
    assert refusal.value.detail == (f"Illegal file path: `{text}`, you can only operate within the work directory.")


@pytest.mark.parametrize(
    "text", ["", ".", "./", "./.", "a/", "a/.", "a//", "a\x00b", "a\nb", "a\x7f", "a\x85", "\ud800", "a/\udfff"]
)
def test_a_path_that_names_no_file_is_refused(text: str) -> None:
    with pytest.raises(InvalidPathError) as refusal:
        parse_path(text)
    assert refusal.value.detail.startswith("Invalid file path: ")
    assert refusal.value.detail.isprintable()
    refusal.value.detail.encode()


def test_the_limits_count_bytes_after_normalisation() -> None:
    name = "é" * (MAX_COMPONENT_BYTES // 2)
    decomposed = unicodedata.normalize("NFD", name)
    assert parse_path(decomposed) == name
    with pytest.raises(InvalidPathError, match="longer than 255 bytes"):
        parse_path(name + "éé")
    longest = "/".join(["a" * 127] * 8)
    assert len(longest) == MAX_PATH_BYTES - 1
    assert parse_path("a" + longest) == "a" + longest
    with pytest.raises(InvalidPathError, match="longer than 1024 bytes"):
        parse_path("aa" + longest)


def test_a_refused_path_is_shown_cut() -> None:
    with pytest.raises(InvalidPathError) as refusal:
        parse_path("../" + "x" * 1_000_000)
    assert len(refusal.value.detail) < 400


@pytest.mark.parametrize(
    ("text", "directory"),
    [
        (None, ""),
        ("", ""),
        (".", ""),
        ("/", ""),
        ("./", ""),
        ("./x", "x"),
        ("x/", "x"),
        ("/x/y//", "x/y"),
        ("e\u0301/", "é"),
    ],
)
def test_a_directory_is_normalised(text: str | None, directory: str) -> None:
    assert parse_directory(text) == directory


@pytest.mark.parametrize("text", ["..", "a/..", "/../a"])
def test_a_directory_cannot_leave_the_artifact(text: str) -> None:
    with pytest.raises(InvalidPathError, match="Illegal file path: "):
        parse_directory(text)


def test_ancestors_are_the_directories_of_a_path() -> None:
    assert ancestors("a/b/c.txt") == ["a", "a/b"]
    assert ancestors("a") == []


@given(FRAGMENTS)
def test_parsing_is_idempotent_and_never_escapes(text: str) -> None:
    try:
        path = parse_path(text)
    except InvalidPathError as refusal:
        refusal.detail.encode()
        return
    assert parse_path(path) == path
    assert parse_directory(path) == path
    assert parse_path(unicodedata.normalize("NFD", path)) == path
    assert not path.startswith("/")
    assert not {"", ".", ".."} & set(path.split("/"))
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in path)
    assert len(path.encode()) <= MAX_PATH_BYTES


@given(FRAGMENTS)
def test_a_directory_is_the_root_or_a_valid_path(text: str) -> None:
    try:
        directory = parse_directory(text)
    except InvalidPathError:
        return
    assert directory == "" or parse_path(directory) == directory

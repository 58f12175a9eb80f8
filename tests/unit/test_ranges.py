import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.ranges import parse_range
from domain.errors import RangeNotSatisfiableError


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-9", (0, 10)),
        ("bytes=3-5", (3, 3)),
        ("bytes=3-", (3, 7)),
        ("bytes=9-", (9, 1)),
        ("bytes=3-100", (3, 7)),
        ("bytes=-1", (9, 1)),
        ("bytes=-10", (0, 10)),
        ("bytes=-11", (0, 10)),
        ("Bytes=0-1", (0, 2)),
        (" bytes = 0-1 ", (0, 2)),
        ("bytes=0-" + "9" * 10_000, (0, 10)),
        ("bytes=-" + "9" * 10_000, (0, 10)),
        ("bytes=" + "0" * 10_000 + "3-4", (3, 2)),
    ],
)
def test_a_range_is_cut_to_the_size(header: str, part: tuple[int, int]) -> None:
    assert parse_range(header, 10) == part


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=0--1",
        "bytes=--1",
        "bytes=5-3",
        "bytes=1-2,4-5",
        "bytes=0-1,",
        "items=0-1",
        "bytes=a-b",
        "bytes=0x1-2",
        "bytes=+1-2",
        "bytes=1 - 2",
        "bytes=١-٢",
        "bytes=1.0-2",
        "bytes 0-1/10",
    ],
)
def test_what_is_no_single_range_is_ignored(header: str | None) -> None:
    assert parse_range(header, 10) is None


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-20", "bytes=" + "9" * 10_000 + "-", "bytes=-0"])
def test_a_range_behind_the_end_is_refused(header: str) -> None:
    with pytest.raises(RangeNotSatisfiableError, match="10 bytes"):
        parse_range(header, 10)


def test_an_empty_file_has_no_parts() -> None:
    assert parse_range("bytes=-5", 0) is None
    with pytest.raises(RangeNotSatisfiableError):
        parse_range("bytes=0-", 0)


@given(st.binary(max_size=20), st.integers(0, 25), st.integers(0, 25))
def test_a_range_is_the_slice(data: bytes, first: int, last: int) -> None:
    try:
        part = parse_range(f"bytes={first}-{last}", len(data))
    except RangeNotSatisfiableError:
        assert data[first:] == b""
        return
    if part is None:
        assert last < first
    else:
        assert data[part[0] : part[0] + part[1]] == data[first : last + 1] != b""

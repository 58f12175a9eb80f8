"""The log, which is the last thing that may take the service down."""

import json
import os
from pathlib import Path

import pytest

from adapters.structured_logging import LogStream

LINE = '{"event": "é", "level": "info"}\n'


def test_lines_are_written_whole_and_at_once(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        stream = LogStream(file.fileno())
        stream.write(LINE)
        stream.flush()
        assert path.read_text() == LINE
        stream.write(LINE)
    assert path.read_text() == 2 * LINE


def test_what_a_reader_that_is_gone_does_not_get_is_counted() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    os.set_blocking(reader, False)
    stream = LogStream(writer)
    # A pipe that is full refuses to take more, as a full disk does; the last line that it takes may be cut.
    lines = 10_000
    for _ in range(lines):
        stream.write(LINE)
    first = os.read(reader, 10_000_000).decode()
    stream.write(LINE)
    rest = os.read(reader, 10_000_000).decode()
    os.close(writer)
    os.close(reader)
    kept = first.count("\n")
    after = [json.loads(line) for line in (first + rest).splitlines()[kept:] if "lost" in line or line == LINE[:-1]]
    assert 0 < kept < lines
    assert after == [{"event": "log_lines_lost", "lines": lines - kept, "level": "error"}, json.loads(LINE)]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full (/dev/full)")
def test_a_full_disk_raises_nothing() -> None:
    with Path("/dev/full").open("wb", buffering=0) as file:
        LogStream(file.fileno()).write(LINE)

"""Disks of the test's own: small ones that fill up, and ones that cannot be written."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

_PIECE = b"\0" * 4_096


@contextlib.contextmanager
def small_disk(path: Path, size: str) -> Iterator[Path]:
    """Mount a file system of a size, such as `24m`, on a directory; skips the test where that is not allowed."""
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a file system (root)")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


def make_read_only(disk: Path) -> None:
    """Let nobody write to a mounted disk any more, whoever he is."""
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)


@contextlib.contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Fill a disk to its last byte, and free it again at the end."""
    path = disk / "filling"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        with contextlib.suppress(OSError):
            while True:
                os.write(descriptor, _PIECE)
        yield
    finally:
        os.close(descriptor)
        path.unlink()

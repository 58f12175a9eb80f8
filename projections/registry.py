"""Which file of a read model is live: a small JSON file beside the builds, replaced at once by renaming.

A lock file is held by the process that follows the log into the live file, another one by whoever builds a new one.
The operating system releases both however the process ends.
"""

import contextlib
import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

_SUFFIXES: Final = ("", "-wal", "-shm")


class StaleFileError(Exception):
    """A file is damaged, or is of another version or another log: it has to be built anew."""


class BusyError(Exception):
    """Another process or task holds the lock that is needed."""


class _Live(msgspec.Struct, frozen=True, kw_only=True):
    file: str
    version: int
    epoch: str


class Registry:
    """The builds of one read model, of one version and one epoch of its log, in one directory."""

    def __init__(self, directory: Path, name: str, version: int, epoch: str) -> None:
        self._directory = directory
        self._name = name
        self._version = version
        self._epoch = epoch
        self._entry = directory / f"{name}.live.json"
        directory.mkdir(parents=True, exist_ok=True)

    @property
    def name(self) -> str:
        """The name of the read model."""
        return self._name

    def live(self) -> Path | None:
        """Give the live file; None when there is none of this version and epoch."""
        try:
            entry = msgspec.json.decode(self._entry.read_bytes(), type=_Live)
        except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
            return None
        path = self._directory / Path(entry.file).name
        is_ours = (entry.version, entry.epoch) == (self._version, self._epoch)
        return path if is_ours and path.exists() else None

    def stamp(self) -> tuple[int, int] | None:
        """Give what changes whenever another file goes live; costs one look at the directory."""
        try:
            found = self._entry.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def new_file(self) -> Path:
        """Name a file for a new build."""
        epoch = re.sub(r"[^A-Za-z0-9]", "", self._epoch)[:32]
        return self._directory / f"{self._name}-v{self._version}-{epoch}-{secrets.token_hex(4)}.db"

    def publish(self, path: Path) -> None:
        """Make a file the live one, durably and at once."""
        entry = _Live(file=path.name, version=self._version, epoch=self._epoch)
        temporary = self._directory / f"{self._name}.{secrets.token_hex(4)}.json.new"
        with temporary.open("wb") as stream:
            stream.write(msgspec.json.encode(entry))
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(self._entry)
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, path: Path) -> None:
        """Remove a build; readers that have it open keep it until they close it."""
        for suffix in _SUFFIXES:
            path.with_name(path.name + suffix).unlink(missing_ok=True)

    def remove_others(self, keep: Path | None) -> None:
        """Remove all builds but one, of every version and epoch."""
        for path in self._directory.glob(f"{self._name}-v*.db"):
            if path != keep:
                self.remove(path)

    def following(self) -> contextlib.AbstractContextManager[None]:
        """Hold the right to follow the log into the live file.

        Raises:
            BusyError: Somebody else does.
        """
        return self._locked("follow")

    def building(self) -> contextlib.AbstractContextManager[None]:
        """Hold the right to build a new file.

        Raises:
            BusyError: Somebody else does.
        """
        return self._locked("build")

    @contextlib.contextmanager
    def _locked(self, purpose: str) -> Iterator[None]:
        descriptor = os.open(
            self._directory / f"{self._name}.{purpose}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BusyError(f"Another process holds the {purpose} lock of {self._name}") from None
            yield
        finally:
            os.close(descriptor)

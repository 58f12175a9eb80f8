"""The data directory of the embedded default: one process at a time, and the secrets of the service kept there."""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

from adapters.key_ring import AesKeyRing, KeyRingError, new_ring_key, parse_key_ring

_LOCK_FILE = "lock"
_SECRET_FILE = "token-secret"  # noqa: S105 - The name of a file.
_SECRET_BYTES = 48
_KEY_RING_FILE = "secret-keys"


class DataDirectoryError(RuntimeError):
    """The data directory cannot be used; the text says why."""


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Make the directory if need be and hold it for this process.

    The lock belongs to the open file, so the operating system releases it however the process ends, by SIGKILL too.

    Raises:
        DataDirectoryError: Another process holds the directory, or it cannot be written.
    """
    _make(path)
    try:
        descriptor = os.open(path / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DataDirectoryError(f"The data directory {path} cannot be written: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataDirectoryError(f"The data directory {path} is in use by another process") from None
        yield
    finally:
        os.close(descriptor)


def token_secret(path: Path) -> str:
    """Give the secret that is kept in the directory; make it first when there is none.

    Raises:
        DataDirectoryError: The secret cannot be read or written, or the file is damaged.
    """
    file, secret = _kept(path, _SECRET_FILE, lambda: secrets.token_urlsafe(_SECRET_BYTES))
    if len(secret) < _SECRET_BYTES:
        raise DataDirectoryError(f"The token secret {file} is damaged: it has only {len(secret)} characters")
    return secret


def kept_key_ring(path: Path) -> AesKeyRing:
    """Give the key ring that is kept in the directory; make one with a single key when there is none.

    Raises:
        DataDirectoryError: The file cannot be read or written, or is damaged.
    """
    file, text = _kept(path, _KEY_RING_FILE, new_ring_key)
    try:
        return parse_key_ring(text)
    except KeyRingError as error:
        raise DataDirectoryError(f"The key ring {file} is damaged: {error}") from None


def _kept(path: Path, name: str, make: Callable[[], str]) -> tuple[Path, str]:
    """Give a file of the directory that holds a secret, and what is in it; make it first when it is not there.

    Safe to run in several processes at once: the file appears complete, by a hard link that only one can make.
    """
    _make(path)
    file = path / name
    try:
        if not file.exists():
            _write_secret(path, file, make())
        return file, file.read_text(encoding="ascii").strip()
    except UnicodeDecodeError:
        raise DataDirectoryError(f"{file} is damaged: it has other characters than ASCII") from None
    except OSError as error:
        raise DataDirectoryError(f"{file} cannot be read or made: {error.strerror}") from error


def _write_secret(path: Path, file: Path, secret: str) -> None:
    temporary = path / f"{file.name}.{secrets.token_hex(8)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(secret)
            stream.flush()
            os.fsync(stream.fileno())
        with contextlib.suppress(FileExistsError):
            file.hardlink_to(temporary)
    finally:
        temporary.unlink()
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _make(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DataDirectoryError(f"The data directory {path} cannot be made: {error.strerror}") from error

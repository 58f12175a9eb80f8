"""What an error of SQLite means to a caller."""

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from domain.errors import StorageFullError, UnavailableError

_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}
_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
}
_PRIMARY_CODE = 0xFF

_T = TypeVar("_T")


def translated(subject: str, work: Callable[[], _T]) -> _T:
    """Do something with a database, which `subject` names in the text of an error.

    Raises:
        StorageFullError: The disk is full; nothing was changed.
        UnavailableError: The database cannot be reached now; nothing was changed.
        sqlite3.Error: It is a fault of the program.
    """
    try:
        return work()
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code in _FULL:
            raise StorageFullError("The disk is full; nothing was changed.") from error
        if code is not None and code & _PRIMARY_CODE in _UNAVAILABLE:
            raise UnavailableError(f"{subject} cannot be reached now; nothing was changed.") from error
        raise

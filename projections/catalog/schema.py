"""The tables of a catalog file."""

import sqlite3
from pathlib import Path
from typing import Final

VERSION: Final = 2
"""A change of what the tables hold takes a new version, which is built from the first event."""

BUSY_SECONDS: Final = 5.0
"""How long a statement waits for another connection that writes."""

CACHE_KIBIBYTES: Final = 32_768
"""SQLite's page cache of one connection."""

CHECKPOINT_PAGES: Final = 8_192
"""Pages (32 MiB) in the write-ahead log before they are copied into the file."""

# `doc` is the position of the creation: the order of creation, and the tie-breaker of every other order.
# `container` groups what is listed together: the `doc` of the parent, or for artifacts without one the negative id of
# their workspace. It leads the indexes, so that a page costs the same however much there is elsewhere.
# Deleted artifacts stay in `documents`, so that nothing brings them back, and leave all that is searched.
# `leaves.value` keeps the types of JSON: SQLite orders numbers before texts before blobs, which stand for booleans and
# null. `is_first` marks the value that an artifact is ordered by. `trigrams` shows those of `fts`, to find the ones
# that begin with one or two letters.
_SCHEMA: Final = """
CREATE TABLE meta (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    version INTEGER NOT NULL, epoch TEXT NOT NULL, position INTEGER NOT NULL
) STRICT;
CREATE TABLE parked (
    artifact_id BLOB PRIMARY KEY, position INTEGER NOT NULL, type TEXT NOT NULL, error TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE workspaces (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE paths (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE documents (
    doc INTEGER PRIMARY KEY, artifact_id BLOB NOT NULL UNIQUE,
    container INTEGER NOT NULL, workspace INTEGER NOT NULL,
    created_at INTEGER NOT NULL, last_modified INTEGER NOT NULL,
    is_committed INTEGER NOT NULL, is_staged INTEGER NOT NULL, is_deleted INTEGER NOT NULL,
    has_deny INTEGER NOT NULL, takes_parent_level INTEGER NOT NULL
) STRICT;
CREATE INDEX documents_container ON documents (container, doc) WHERE is_deleted = 0;
CREATE INDEX documents_container_created ON documents (container, created_at, doc) WHERE is_deleted = 0;
CREATE INDEX documents_container_modified ON documents (container, last_modified, doc) WHERE is_deleted = 0;
CREATE INDEX documents_workspace ON documents (workspace, doc) WHERE is_deleted = 0;
CREATE INDEX documents_workspace_created ON documents (workspace, created_at, doc) WHERE is_deleted = 0;
CREATE INDEX documents_workspace_modified ON documents (workspace, last_modified, doc) WHERE is_deleted = 0;
CREATE INDEX documents_containers ON documents (workspace, container) WHERE is_deleted = 0;
CREATE INDEX documents_staged ON documents (container, doc) WHERE is_deleted = 0 AND is_staged = 1;
CREATE TABLE states (doc INTEGER PRIMARY KEY, node BLOB NOT NULL, state BLOB NOT NULL) STRICT;
CREATE TABLE leaves (
    container INTEGER NOT NULL, path INTEGER NOT NULL, value ANY NOT NULL, doc INTEGER NOT NULL,
    is_first INTEGER NOT NULL, folded TEXT, PRIMARY KEY (container, path, value, doc)
) STRICT, WITHOUT ROWID;
CREATE INDEX leaves_doc ON leaves (doc, path, is_first);
CREATE TABLE grants (
    doc INTEGER NOT NULL, subject TEXT NOT NULL, container INTEGER NOT NULL,
    may_list INTEGER NOT NULL, may_edit INTEGER NOT NULL, may_manage INTEGER NOT NULL, is_denied INTEGER NOT NULL,
    level TEXT NOT NULL, PRIMARY KEY (doc, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX grants_subject ON grants (container, subject);
CREATE TABLE texts (doc INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
CREATE VIRTUAL TABLE fts USING fts5 (
    text, content = '', columnsize = 0, detail = none, tokenize = 'trigram case_sensitive 1'
);
CREATE VIRTUAL TABLE trigrams USING fts5vocab (fts, row);
"""


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open a connection: `rw` for a file that exists, `rwc` to make it.

    Any thread may use it, one at a time. The file can be thrown away at any time, so it is synced only at
    checkpoints: after a power cut it is an earlier state with an earlier position, from which the log continues.
    """
    connection = sqlite3.connect(
        uri_of(path, mode), uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    except BaseException:
        connection.close()
        raise
    return connection


def uri_of(path: Path, mode: str) -> str:
    """Name a file as SQLite opens it, with a mode that never makes one by mistake."""
    return f"{path.absolute().as_uri()}?mode={mode}"


def create(connection: sqlite3.Connection, epoch: str) -> None:
    """Make the tables of a new file, which holds nothing up to position 0."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript("BEGIN IMMEDIATE;" + _SCHEMA)
    connection.execute("INSERT INTO meta VALUES (1, ?, ?, 0)", (VERSION, epoch))
    connection.execute("COMMIT")

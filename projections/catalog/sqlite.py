"""Writes a catalog file: one connection, in one thread."""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from application.ports.event_log import PayloadErased
from domain.artifact.state import Artifact, evolve
from domain.events import RecordedEvent
from domain.ids import Position
from projections.catalog.document import (
    CatalogDocument,
    LeafRow,
    catalog_document,
    decode_state,
    encode_node,
    encode_state,
)
from projections.catalog.schema import VERSION, connect, create
from projections.registry import StaleFileError

KNOWN_LIMIT: Final = 100_000
"""Paths, and workspaces, whose numbers are remembered (some 10 MB)."""

_GET: Final = """
SELECT d.doc, s.state FROM documents d JOIN states s ON s.doc = d.doc WHERE d.artifact_id = ?
"""
_PUT_DOCUMENT: Final = """
INSERT INTO documents VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
ON CONFLICT (doc) DO UPDATE SET
    container = ?3, workspace = ?4, created_at = ?5, last_modified = ?6, is_committed = ?7, is_staged = ?8,
    is_deleted = ?9, has_deny = ?10, takes_parent_level = ?11
"""
_PUT_STATE: Final = """
INSERT INTO states VALUES (?1, ?2, ?3) ON CONFLICT (doc) DO UPDATE SET node = ?2, state = ?3
"""
_DELETE_LEAF: Final = "DELETE FROM leaves WHERE container = ? AND path = ? AND value = ? AND doc = ?"
_PUT_LEAF: Final = "INSERT INTO leaves VALUES (?, ?, ?, ?, ?, ?)"
_PUT_GRANT: Final = "INSERT INTO grants VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class UnknownParentError(Exception):
    """An artifact names a parent that the catalog does not hold."""


class _Kept(msgspec.Struct):
    """An artifact in the file, and what a batch makes of it."""

    doc: int
    before: Artifact | None
    after: Artifact | None


class CatalogFile:
    """One file, of one version and one epoch of the log, with the position up to which it holds the log."""

    def __init__(self, connection: sqlite3.Connection, position: Position) -> None:
        self._connection = connection
        self._position = position
        self._paths: dict[str, int] = {}
        self._workspaces: dict[str, int] = {}
        self._parked = {UUID(bytes=row[0]) for row in connection.execute("SELECT artifact_id FROM parked")}

    @classmethod
    def open(cls, path: Path, epoch: str) -> "CatalogFile":
        """Open a file, or make it when it is not there.

        Raises:
            StaleFileError: The file must not be used.
            sqlite3.OperationalError: SQLite could not open it.
        """
        is_new = not path.exists()
        connection = connect(path, "rwc")
        try:
            if is_new:
                create(connection, epoch)
            row = connection.execute("SELECT version, epoch, position FROM meta").fetchone()
            if row is None or tuple(row[:2]) != (VERSION, epoch):
                raise StaleFileError(f"{path.name} is of another version or another log")
            return cls(connection, Position(row[2]))
        except sqlite3.DatabaseError as error:
            connection.close()
            if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                raise
            raise StaleFileError(f"{path.name} is damaged") from error
        except BaseException:
            connection.close()
            raise

    @property
    def position(self) -> Position:
        """The position up to which the file holds the log."""
        return self._position

    def parked(self) -> int:
        """Count the artifacts whose events are no longer applied."""
        return len(self._parked)

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def apply(self, events: Sequence[RecordedEvent]) -> None:
        """Apply events in the order of the log, in one transaction with their position.

        Events up to the position of the file are skipped, so a batch that runs twice changes nothing the second time.
        An exception leaves the file as it was.
        """
        fresh = [event for event in events if event.envelope.position > self._position]
        if not fresh:
            return
        with self._transaction():
            kept: dict[UUID, _Kept] = {}
            for event in fresh:
                self._fold(event, kept)
            places = {artifact_id: one.doc for artifact_id, one in kept.items()}
            for one in sorted(kept.values(), key=lambda kept_one: kept_one.doc):
                if one.after is not None and one.after is not one.before:
                    self._write(one.doc, one.before, one.after, places)
            self._set_position(fresh[-1].envelope.position)
        self._position = fresh[-1].envelope.position

    def park(self, event: RecordedEvent, error: str) -> None:
        """Pass over an event that cannot be applied, and over all later ones of its artifact."""
        envelope = event.envelope
        if envelope.position <= self._position:
            return
        artifact_id = UUID(int=0) if envelope.artifact_id is None else envelope.artifact_id
        with self._transaction():
            self._connection.execute(
                "INSERT OR IGNORE INTO parked VALUES (?, ?, ?, ?)",
                (artifact_id.bytes, envelope.position, envelope.type, error),
            )
            self._set_position(envelope.position)
        self._parked.add(artifact_id)
        self._position = envelope.position

    def _transaction(self) -> "_Transaction":
        return _Transaction(self)

    def forget(self) -> None:
        """Forget what a transaction that was rolled back may have written."""
        self._paths.clear()
        self._workspaces.clear()

    def begin(self) -> sqlite3.Connection:
        """Begin a transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        return self._connection

    def _set_position(self, position: Position) -> None:
        self._connection.execute("UPDATE meta SET position = ?", (position,))

    def _fold(self, event: RecordedEvent, kept: dict[UUID, _Kept]) -> None:
        envelope = event.envelope
        artifact_id = envelope.artifact_id
        is_own = artifact_id is not None and envelope.stream_id == artifact_id
        if artifact_id is None or not is_own or artifact_id in self._parked or isinstance(event.payload, PayloadErased):
            return
        one = kept.get(artifact_id)
        if one is None:
            row = self._connection.execute(_GET, (artifact_id.bytes,)).fetchone()
            state = decode_state(row[1]) if row else None
            one = kept[artifact_id] = _Kept(row[0] if row else envelope.position, state, state)
        after = evolve(one.after, event.payload, envelope, artifact_id)
        if one.after is None:
            one.doc = envelope.position
        one.after = after

    def _write(self, doc: int, before: Artifact | None, after: Artifact, places: Mapping[UUID, int]) -> None:
        document = catalog_document(after)
        workspace = self._id("workspaces", self._workspaces, after.workspace)
        container = self._container(after, workspace, places)
        self._connection.execute(
            _PUT_DOCUMENT,
            (
                doc,
                after.id.bytes,
                container,
                workspace,
                after.created_at,
                after.last_modified,
                after.is_committed,
                after.stage is not None,
                after.is_deleted,
                any(grant.is_denied for grant in document.grants),
                document.node.takes_parent_level,
            ),
        )
        self._connection.execute(_PUT_STATE, (doc, encode_node(document.node), encode_state(after)))
        old = catalog_document(before) if before is not None else None
        old_container = self._container(before, workspace, places) if before is not None else container
        self._write_leaves(doc, container, document, old_container, old)
        self._write_grants(doc, container, document, old_container, old)
        self._write_text(doc, document.text, old.text if old else "")

    def _write_leaves(
        self, doc: int, container: int, new: CatalogDocument, old_container: int, old: CatalogDocument | None
    ) -> None:
        unchanged: set[LeafRow] = set()
        if old is not None and old_container == container:
            # 1 and 1.0 are equal, but a rebuild would keep the newer one.
            kinds = {leaf: type(leaf.value) for leaf in old.leaves}
            unchanged = {leaf for leaf in new.leaves if kinds.get(leaf) is type(leaf.value)}
        if old is not None:
            self._connection.executemany(
                _DELETE_LEAF,
                [
                    (old_container, self._path(leaf.path), leaf.value, doc)
                    for leaf in old.leaves
                    if leaf not in unchanged
                ],
            )
        self._connection.executemany(
            _PUT_LEAF,
            [
                (container, self._path(leaf.path), leaf.value, doc, leaf.is_first, leaf.folded)
                for leaf in new.leaves
                if leaf not in unchanged
            ],
        )

    def _write_grants(
        self, doc: int, container: int, new: CatalogDocument, old_container: int, old: CatalogDocument | None
    ) -> None:
        if old is not None and old.grants == new.grants and old_container == container:
            return
        if old is not None:
            self._connection.execute("DELETE FROM grants WHERE doc = ?", (doc,))
        self._connection.executemany(
            _PUT_GRANT,
            [
                (
                    doc,
                    grant.subject,
                    container,
                    grant.may_list,
                    grant.may_edit,
                    grant.may_manage,
                    grant.is_denied,
                    grant.level,
                )
                for grant in new.grants
            ],
        )

    def _write_text(self, doc: int, new: str, old: str) -> None:
        if new == old:
            return
        if old:
            self._connection.execute("INSERT INTO fts (fts, rowid, text) VALUES ('delete', ?, ?)", (doc, old))
            self._connection.execute("DELETE FROM texts WHERE doc = ?", (doc,))
        if not new:
            return
        self._connection.execute("INSERT INTO fts (rowid, text) VALUES (?, ?)", (doc, new))
        self._connection.execute("INSERT INTO texts VALUES (?, ?)", (doc, new))

    def _container(self, artifact: Artifact, workspace: int, places: Mapping[UUID, int]) -> int:
        if artifact.parent_id is None:
            return -workspace
        # A collection may be in the same batch as what goes into it, and behind it.
        place = places.get(artifact.parent_id)
        if place is not None:
            return place
        row = self._connection.execute(
            "SELECT doc FROM documents WHERE artifact_id = ?", (artifact.parent_id.bytes,)
        ).fetchone()
        if row is None:
            raise UnknownParentError(f"The parent of artifact {artifact.id} is not in the catalog")
        return int(row[0])

    def _path(self, path: str) -> int:
        return self._id("paths", self._paths, path)

    def _id(self, table: str, known: dict[str, int], name: str) -> int:
        found = known.get(name)
        if found is None:
            get, put = _DICTIONARIES[table]
            row = self._connection.execute(get, (name,)).fetchone()
            found = int(row[0]) if row else self._connection.execute(put, (name,)).lastrowid or 0
            if len(known) >= KNOWN_LIMIT:
                known.clear()
            known[name] = found
        return found


_DICTIONARIES: Final[Mapping[str, tuple[str, str]]] = {
    "paths": ("SELECT id FROM paths WHERE path = ?", "INSERT INTO paths (path) VALUES (?)"),
    "workspaces": ("SELECT id FROM workspaces WHERE name = ?", "INSERT INTO workspaces (name) VALUES (?)"),
}


class _Transaction:
    """Commits at its end, or rolls back and forgets."""

    def __init__(self, file: CatalogFile) -> None:
        self._file = file

    def __enter__(self) -> None:
        self._connection = self._file.begin()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            try:
                self._connection.execute("COMMIT")
            except sqlite3.OperationalError:
                self._roll_back()
                raise
        else:
            self._roll_back()

    def _roll_back(self) -> None:
        self._file.forget()
        # Some failures, such as a full disk, have ended the transaction already.
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

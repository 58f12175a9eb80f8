"""Tables and statements of an event log in SQLite."""

SCHEMA_VERSION = 1

CREATE_TABLES = (
    """
    CREATE TABLE IF NOT EXISTS events (
        position INTEGER PRIMARY KEY,
        originator_id BLOB NOT NULL,
        originator_version INTEGER NOT NULL,
        event_id BLOB NOT NULL,
        topic TEXT NOT NULL,
        workspace TEXT,
        artifact_id BLOB,
        actor TEXT NOT NULL,
        on_behalf_of TEXT,
        correlation_id TEXT NOT NULL,
        causation_id TEXT,
        recorded_at INTEGER NOT NULL,
        comment TEXT,
        payload BLOB,
        payload_sha256 BLOB NOT NULL,
        chain_sha256 BLOB NOT NULL
    ) STRICT
    """,
    "CREATE UNIQUE INDEX IF NOT EXISTS events_by_stream ON events (originator_id, originator_version)",
    "CREATE UNIQUE INDEX IF NOT EXISTS events_by_id ON events (event_id)",
    # In place of an index: filled once an append, in the order of its key, which costs half as much (ADR 0009).
    """
    CREATE TABLE IF NOT EXISTS artifact_events (
        artifact_id BLOB NOT NULL,
        position INTEGER NOT NULL,
        PRIMARY KEY (artifact_id, position)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS heads (
        stream_id BLOB PRIMARY KEY,
        version INTEGER NOT NULL,
        children INTEGER NOT NULL,
        chain_sha256 BLOB NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
)

CHUNK_SIZES = (64, 16, 4, 1)
"""How many rows one statement takes. Each step of a statement gives up the interpreter's lock and has to win it back
from a busy event loop; a step that handles many rows does so once, and works beside the loop meanwhile."""

_EVENT_ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_EVENTS = "INSERT INTO events VALUES {rows}"
INSERT_EVENTS = {size: _INSERT_EVENTS.format(rows=", ".join([_EVENT_ROW] * size)) for size in CHUNK_SIZES}
_INSERT_ARTIFACT_EVENTS = "INSERT INTO artifact_events VALUES {rows}"
INSERT_ARTIFACT_EVENTS = {
    size: _INSERT_ARTIFACT_EVENTS.format(rows=", ".join(["(?, ?)"] * size)) for size in CHUNK_SIZES
}
_UPSERT_HEADS = """
    INSERT INTO heads (stream_id, version, children, chain_sha256) VALUES {rows}
    ON CONFLICT (stream_id) DO UPDATE
    SET version = excluded.version, children = excluded.children, chain_sha256 = excluded.chain_sha256
"""
UPSERT_HEADS = {size: _UPSERT_HEADS.format(rows=", ".join(["(?, ?, ?, ?)"] * size)) for size in CHUNK_SIZES}
_SELECT_HEADS = """
    SELECT json_group_array(json_array(hex(stream_id), version, children, hex(chain_sha256)))
    FROM heads WHERE stream_id IN ({ids})
"""
SELECT_HEADS = {size: _SELECT_HEADS.format(ids=", ".join("?" * size)) for size in CHUNK_SIZES}
"""All rows as one, so that they come in one step."""

INSERT_META = "INSERT OR IGNORE INTO meta (key, value) VALUES (?, ?)"

SELECT_META = "SELECT value FROM meta WHERE key = ?"
SELECT_HEAD = "SELECT version, children, chain_sha256 FROM heads WHERE stream_id = ?"
SELECT_NEWEST = "SELECT position, recorded_at FROM events ORDER BY position DESC LIMIT 1"
SELECT_STREAM = """
    SELECT * FROM events WHERE originator_id = ? AND originator_version > ? AND originator_version <= ?
    ORDER BY originator_version LIMIT ?
"""
SELECT_STREAM_BACKWARDS = """
    SELECT * FROM events WHERE originator_id = ? AND originator_version > ? AND originator_version <= ?
    ORDER BY originator_version DESC LIMIT ?
"""
SELECT_LOG = "SELECT * FROM events WHERE position > ? AND position <= ? ORDER BY position LIMIT ?"
SELECT_HISTORY = """
    SELECT events.* FROM artifact_events AS found CROSS JOIN events USING (position)
    WHERE found.artifact_id = ? AND found.position < ? ORDER BY found.position DESC LIMIT ?
"""
SELECT_BY_ID = "SELECT * FROM events WHERE event_id = ?"
DATA_VERSION = "PRAGMA data_version"
SELECT_SIZE = (
    "SELECT page_count, freelist_count, page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
)

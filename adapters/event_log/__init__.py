"""Event logs on SQLite, built on the recorders of the `eventsourcing` library."""

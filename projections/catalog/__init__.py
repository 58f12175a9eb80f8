"""Lists and searches of artifacts, from the artifact log, in one SQLite file."""

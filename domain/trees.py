"""File trees: what a committed version contains."""

import msgspec


class TreeRoot(msgspec.Struct, frozen=True, kw_only=True):
    """Names the immutable root of a file tree, as a commit event carries it.

    `key` is the object that holds the root, `sha256` its digest; `file_count` and `size_bytes` sum up the files.
    """

    key: str
    sha256: bytes
    file_count: int
    size_bytes: int

"""Estimates what a state costs in memory, so that a cache of states can be bounded by it."""

from typing import Any

import msgspec

from domain.artifact.state import Artifact
from domain.stage.state import Stage

BASE_BYTES = 1_000
JSON_FACTOR = 20
"""Bytes of Python objects for a byte of JSON (measured: a manifest of 1 MiB of small objects takes 20 MB)."""
FILE_BYTES = 1_000
"""A staged file with its path, checksums and place in the persistent maps."""


def size_of(state: Any) -> int:  # noqa: ANN401 - The state of any kind of stream.
    """Estimate the bytes that a state holds."""
    if isinstance(state, Artifact):
        content = state.stage.content if state.stage else None
        written = len(msgspec.json.encode((state.manifest, state.config, content)))
        held = [state.secrets, *(store.sealed for store in state.stores.values())]
        sealed = sum(len(value) for secrets in held for value in secrets.values())
        parts = len(state.versions) + len(state.download_weights) + sum(1 + len(secrets) for secrets in held)
        return BASE_BYTES + JSON_FACTOR * written + FILE_BYTES * parts + sealed
    if isinstance(state, Stage):
        return BASE_BYTES + FILE_BYTES * (len(state.files) + len(state.removed))
    return BASE_BYTES

"""Stores of an artifact's own: where its S3 secrets say that its files go.

A store is an endpoint, a bucket and a prefix. Its id names the artifact that it belongs to and what it is, so that a
file can say where it lies wherever it is listed, and whatever the secrets say later.
"""

import hashlib
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from domain.artifact.events import StoreLocation
from domain.artifact.state import Artifact
from domain.artifact.store_secrets import BUCKET, ENDPOINT, KEY_ID, PREFIX, PUBLIC_ENDPOINT, SECRET_KEY
from domain.errors import InvalidArgumentError

MAX_STORES = 100
"""Stores that one artifact can have had."""
_ID_DIGITS = 24


def find_location(artifact_id: UUID, secrets: Mapping[str, str]) -> StoreLocation | None:
    """Say which store the secrets of an artifact describe; None without both parts of an access key.

    What they do not say is left to the service: its own endpoint, its own bucket, no prefix.

    Raises:
        InvalidArgumentError: An address is none. The text does not show it.
    """
    for name in (ENDPOINT, PUBLIC_ENDPOINT):
        _check_endpoint(name, secrets.get(name, ""))
    if not secrets.get(KEY_ID) or not secrets.get(SECRET_KEY):
        return None
    endpoint = secrets.get(ENDPOINT, "").rstrip("/") or None
    bucket, prefix = secrets.get(BUCKET) or None, secrets.get(PREFIX, "").strip("/")
    text = msgspec.json.encode([endpoint, bucket, prefix])
    store = f"{artifact_id}/{hashlib.sha256(text).hexdigest()[:_ID_DIGITS]}"
    return StoreLocation(id=store, endpoint_url=endpoint, bucket=bucket, prefix=prefix)


def owner_of(store: str) -> UUID:
    """Give the artifact that a store belongs to.

    Raises:
        ValueError: The text is no id of a store.
    """
    return UUID(store.partition("/")[0])


def current_store(artifacts: Sequence[Artifact]) -> str | None:
    """Give the store for new files of an artifact: its own, else that of the nearest collection that has one.

    A store comes with its credentials or not at all. If an artifact could give a bucket of its choice to the
    credentials of its collection, whoever adds a child could read what lies beside it.
    """
    return next((artifact.store for artifact in artifacts if artifact.store is not None), None)


def _check_endpoint(name: str, text: str) -> None:
    if not text:
        return
    try:
        parts = urlsplit(text)
        is_valid = (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.port != 0
            and not (parts.query or parts.fragment or "@" in parts.netloc)
            and text.isprintable()
            and " " not in text
        )
    except ValueError:
        is_valid = False
    if not is_valid:
        raise InvalidArgumentError(f"The secret '{name}' must be an address like https://s3.example.org.")

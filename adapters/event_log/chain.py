"""The hash chain of a stream: what makes a change of recorded history visible."""

import hashlib
from collections.abc import Iterable

import msgspec

from domain.events import Envelope

FIRST_LINK = bytes(32)
"""The chain hash before a stream's first event."""

_ENCODER = msgspec.json.Encoder()


class ChainBrokenError(Exception):
    """A stored event is not the one that was appended, or events are missing before it."""


def chain_sha256(previous: bytes, envelope: Envelope) -> bytes:
    """Give an event's chain hash: over the previous one, the payload's digest and all fields except the position."""
    # A JSON array can be read in one way only, so no two different envelopes are hashed as the same bytes.
    fields = _ENCODER.encode(
        (
            envelope.event_id,
            envelope.stream_id,
            envelope.stream_version,
            envelope.type,
            envelope.schema_version,
            envelope.workspace,
            envelope.artifact_id,
            envelope.actor,
            envelope.on_behalf_of,
            envelope.correlation_id,
            envelope.causation_id,
            envelope.recorded_at,
            envelope.comment,
        )
    )
    return hashlib.sha256(previous + envelope.payload_sha256 + fields).digest()


def verify_chain(rows: Iterable[tuple[Envelope, bytes | None]]) -> int:
    """Verify a whole stream, given as envelopes with their payloads as stored, and count its events.

    A payload of None was erased or lies elsewhere; its digest in the envelope still takes part in the chain.

    Raises:
        ChainBrokenError: The first event that does not fit; its text names the stream and the version.
    """
    previous, count = FIRST_LINK, 0
    for envelope, payload in rows:
        count += 1
        intact = (
            envelope.stream_version == count
            and (payload is None or hashlib.sha256(payload).digest() == envelope.payload_sha256)
            and chain_sha256(previous, envelope) == envelope.chain_sha256
        )
        if not intact:
            raise ChainBrokenError(f"Event {count} of stream {envelope.stream_id} is not as it was recorded")
        previous = envelope.chain_sha256
    return count

"""What an append will do, worked out before anything is written."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from adapters.event_log.chain import FIRST_LINK
from adapters.event_log.mapper import StoredEnvelope, to_stored
from application.ports.event_log import Appended, AppendRequest, AppendResult, Conflicted
from domain.ids import Position, StreamId


class Head(NamedTuple):
    """A head row: the newest version of a stream, the children of a counter, and where the stream's chain ends."""

    version: int = 0
    children: int = 0
    chain: bytes = FIRST_LINK


class Plan(NamedTuple):
    """The answers to the requests, the events to insert in order, and the head rows to write."""

    results: list[AppendResult]
    events: list[StoredEnvelope]
    heads: dict[StreamId, Head]


def streams_of(requests: Sequence[AppendRequest]) -> set[StreamId]:
    """Name all streams that the requests write, move or rely on."""
    streams: set[StreamId] = set()
    for request in requests:
        streams.update(request.expected, request.advances)
        streams.update(event.key.id for event in request.events)
    return streams


def plan(
    requests: Sequence[AppendRequest], heads: Mapping[StreamId, Head], position: int, newest_recorded_at: int
) -> Plan:
    """Decide each request in order, on the heads as the requests before it leave them.

    `position` and `newest_recorded_at` are those of the log's last event.
    """
    current = dict(heads)
    made = Plan([], [], {})
    # What refused requests would have moved. Versions alone do not tell that a later request was made on their states:
    # somebody else's event may have taken the version that theirs would have had.
    unmoved: set[StreamId] = set()
    for request in requests:
        wrong = _unexpected(request, current, unmoved)
        if wrong or request.is_withdrawn:
            made.results.append(Conflicted(tuple(wrong)))
            unmoved.update(request.advances, (event.key.id for event in request.events))
            continue
        first = len(made.events)
        for event in request.events:
            stream = event.key.id
            head = current[stream]
            newest_recorded_at = max(newest_recorded_at, event.meta.recorded_at)
            position += 1
            stored = to_stored(event, position=position, recorded_at=newest_recorded_at, previous_chain=head.chain)
            made.events.append(stored)
            current[stream] = made.heads[stream] = Head(
                event.meta.stream_version, head.children, stored.envelope.chain_sha256
            )
        for stream, children in request.advances.items():
            head = current[stream]
            current[stream] = made.heads[stream] = Head(head.version + 1, head.children + children, head.chain)
        envelopes = tuple(stored.envelope for stored in made.events[first:])
        made.results.append(Appended(envelopes, Position(position)))
    return made


def _unexpected(
    request: AppendRequest, current: Mapping[StreamId, Head], unmoved: AbstractSet[StreamId]
) -> set[StreamId]:
    wrong = {
        stream
        for stream, version in request.expected.items()
        if current[stream].version != version or stream in unmoved
    }
    versions: dict[StreamId, int] = {}
    for event in request.events:
        stream = event.key.id
        version = versions.get(stream, current[stream].version) + 1
        if event.meta.stream_version != version or stream in unmoved:
            wrong.add(stream)
        versions[stream] = version
    return wrong

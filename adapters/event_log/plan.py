"""What an append will do, worked out before anything is written."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import groupby
from typing import NamedTuple

from adapters.event_log.chain import FIRST_LINK
from adapters.event_log.mapper import Row, to_row
from application.ports.event_log import Appended, AppendRequest, AppendResult, Conflicted, NewEvent
from domain.events import Envelope
from domain.ids import Position, StreamId


class Head(NamedTuple):
    """A head row: the newest version of a stream, the children of a counter, and where the stream's chain ends."""

    version: int = 0
    children: int = 0
    chain: bytes = FIRST_LINK


class Plan(NamedTuple):
    """The answers to the requests, the rows of events to insert in order, and the head rows to write."""

    results: list[AppendResult]
    rows: list[Row]
    heads: dict[StreamId, Head]


def streams_of(requests: Sequence[AppendRequest]) -> set[StreamId]:
    """Name all streams that the requests write, move or rely on."""
    streams: set[StreamId] = set()
    for request in requests:
        streams.update(request.expected, request.advances)
        streams.update(stream for stream, _ in _runs(request))
    return streams


def _runs(request: AppendRequest) -> Iterator[tuple[StreamId, Iterator[NewEvent]]]:
    """Give the events in runs of one stream each: looking a stream up costs as much as planning one of its events."""
    return groupby(request.events, key=lambda event: event.key.id)


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
            unmoved.update(request.advances, (stream for stream, _ in _runs(request)))
            continue
        envelopes: list[Envelope] = []
        for stream, events in _runs(request):
            version, children, link = current[stream]
            for event in events:
                newest_recorded_at = max(newest_recorded_at, event.meta.recorded_at)
                position += 1
                envelope, row = to_row(event, position=position, recorded_at=newest_recorded_at, previous_chain=link)
                envelopes.append(envelope)
                made.rows.append(row)
                version, link = envelope.stream_version, envelope.chain_sha256
            current[stream] = made.heads[stream] = Head(version, children, link)
        for stream, children in request.advances.items():
            head = current[stream]
            current[stream] = made.heads[stream] = Head(head.version + 1, head.children + children, head.chain)
        made.results.append(Appended(tuple(envelopes), Position(position)))
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
    for stream, events in _runs(request):
        version = versions.get(stream, current[stream].version)
        for event in events:
            version += 1
            if event.meta.stream_version != version:
                wrong.add(stream)
        versions[stream] = version
        if stream in unmoved:
            wrong.add(stream)
    return wrong

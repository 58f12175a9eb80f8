"""Runs the decisions of one batch, each on the states that the ones before it left."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from application.ports.event_log import AppendRequest, NewEvent, StreamHead
from application.ports.system import IdSource
from application.state_cache import ABSENT, StateCache, Versioned
from application.units import Done, Unit
from domain.events import Emit, EventMeta, Outcome, encode
from domain.folds import NEVER_FOLDED, Fold
from domain.ids import EventId, StreamId, StreamKey, children_counter


class Job(msgspec.Struct):
    """A unit and who waits for it.

    `has_place` says that it still counts among those that wait. `written` are the streams that its last attempt wrote
    without declaring them.
    """

    unit: Unit
    answer: "asyncio.Future[Done]"
    has_place: bool = True
    attempts: int = 0
    written: tuple[StreamKey, ...] = ()

    def fail(self, error: BaseException) -> None:
        """Give an error to the caller, if there still is one."""
        if not self.answer.done():
            self.answer.set_exception(error)


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that has run: what to append, the states before and after it, or the error that it raised.

    An error is only as good as the states that it was made on, so its request still has these checked.
    """

    job: Job
    request: AppendRequest
    before: Mapping[StreamKey, Versioned]
    after: Mapping[StreamKey, Versioned]
    error: Exception | None = None
    size_bytes: int = 0


class _Declared:
    """The states that one decision may see."""

    __slots__ = ("_counters", "_states")

    def __init__(self, states: Mapping[StreamKey, Versioned], counters: Mapping[StreamId, StreamHead]) -> None:
        self._states = states
        self._counters = counters

    def get(self, key: StreamKey) -> Any:  # noqa: ANN401 - Each kind of stream has a state type of its own.
        return self._states[key].state

    def version(self, key: StreamKey) -> int:
        return self._states[key].version

    def children(self, parent_id: UUID) -> int:
        return self._counters[children_counter(parent_id)].children


class Decider:
    """Decides the units of one batch in order."""

    def __init__(self, *, cache: StateCache, fold: Fold, ids: IdSource) -> None:
        self._cache = cache
        self._fold = fold
        self._ids = ids
        self._states: dict[int, Versioned] = {}
        self._counters: dict[StreamId, StreamHead] = {}

    def offer(self, key: StreamKey, value: Versioned) -> None:
        """Take in a loaded state; of two of the same stream the newer one counts."""
        known = self._states.get(key.id.int)
        if known is None or value.version > known.version:
            self._states[key.id.int] = value

    def offer_counters(self, heads: Mapping[StreamId, StreamHead]) -> None:
        """Take in loaded children counters."""
        self._counters.update(heads)

    def decide(self, job: Job, recorded_at: int) -> Decided:
        """Run a decision; whatever it raises concerns its own caller alone."""
        unit = job.unit
        before = {key: self._states[key.id.int] for key in unit.keys}
        counters = {counter: self._counters[counter] for counter in unit.counters}
        expected = {key.id: value.version for key, value in before.items()}
        expected.update((counter, head.version) for counter, head in counters.items())
        after = dict(before)
        events: list[NewEvent] = []
        try:
            outcome = unit.decide(_Declared(dict(before), counters))
            _refuse_unstorable_text(unit, outcome)
            for emit in outcome.events:
                if emit.key not in after:
                    before[emit.key] = after[emit.key] = self._undeclared(emit.key)
                    expected[emit.key.id] = before[emit.key].version
                events.append(self._record(unit, emit, after, recorded_at))
        except Exception as error:  # noqa: BLE001 - The edge of the caller's decision: the error goes to the caller.
            request = AppendRequest(events=(), expected=expected)
            return Decided(job=job, request=request, before=before, after=before, error=error)
        for event in events:
            self._states[event.key.id.int] = after[event.key]
        for counter, children in outcome.advances.items():
            head = self._counters.get(counter)
            if head is not None:
                self._counters[counter] = StreamHead(head.version + 1, head.children + children)
        request = AppendRequest(events=tuple(events), expected=expected, advances=outcome.advances)
        size = sum(len(event.data) for event in events)
        return Decided(job=job, request=request, before=before, after=after, size_bytes=size)

    def _undeclared(self, key: StreamKey) -> Versioned:
        # Most often the stream is new. If it is not, the append finds out, and the next attempt has it loaded.
        return self._states.get(key.id.int) or self._cache.peek(key) or ABSENT

    def _record(self, unit: Unit, emit: Emit, after: dict[StreamKey, Versioned], recorded_at: int) -> NewEvent:
        key, current = emit.key, after[emit.key]
        meta = EventMeta(
            event_id=EventId(self._ids.uuid7()),
            stream_version=current.version + 1,
            actor=unit.actor,
            on_behalf_of=unit.on_behalf_of,
            recorded_at=recorded_at,
            comment=unit.comment,
        )
        state = None
        if key.kind not in NEVER_FOLDED:
            state = self._fold(key.kind, current.state, emit.event, meta, key.id)
        after[key] = Versioned(state, meta.stream_version)
        return NewEvent(
            key=key,
            payload=emit.event,
            data=encode(emit.event),
            meta=meta,
            workspace=emit.workspace,
            artifact_id=emit.artifact_id,
            correlation_id=unit.correlation_id,
            causation_id=unit.causation_id,
        )


def _refuse_unstorable_text(unit: Unit, outcome: Outcome) -> None:
    # A lone surrogate has no UTF-8 form. Found only by the append, it would fail the commands of everybody else too.
    f"{unit.actor}{unit.on_behalf_of}{unit.correlation_id}{unit.causation_id}{unit.comment}".encode()
    for emit in outcome.events:
        if emit.workspace is not None:
            emit.workspace.encode()

"""What follows an append: states enter the cache, and callers get their answers."""

import asyncio
from collections.abc import Mapping, Sequence

from application.decider import Decided
from application.ports.event_log import Appended, EventLog
from application.state_cache import StateCache, Versioned
from application.units import Done
from domain.errors import UnavailableError
from domain.events import RecordedEvent
from domain.folds import NEVER_FOLDED, Fold
from domain.ids import Position, StreamKey

FIND_TIMEOUT_SECONDS = 10


class Settlement:
    """Answers the units of one append, in their order."""

    def __init__(self, *, log: EventLog, cache: StateCache, fold: Fold) -> None:
        self._log = log
        self._cache = cache
        self._fold = fold
        # States that had to be folded again; empty as long as the log left the times of this append as they were.
        self._restated: dict[int, Versioned] = {}

    def settle(self, decided: Decided, appended: Appended) -> None:
        """Answer a unit that the log has stored."""
        new = decided.request.events
        events = tuple(
            RecordedEvent(envelope, event.payload) for envelope, event in zip(appended.envelopes, new, strict=True)
        )
        states = decided.after
        # The log moves times forward to its newest event, which may come from a machine whose clock is ahead. If it
        # left the first event of an append alone, it left all, since those after it are not older.
        if self._restated or (events and events[0].envelope.recorded_at != new[0].meta.recorded_at):
            states = self._fold_again(decided, events)
        for event in new:
            self._cache.put(event.key, states[event.key])
        _answer(decided, events, states, appended.position)

    def _fold_again(self, decided: Decided, events: Sequence[RecordedEvent]) -> Mapping[StreamKey, Versioned]:
        states = {key: self._restated.get(key.id.int, value) for key, value in decided.before.items()}
        for event, new in zip(events, decided.request.events, strict=True):
            key, envelope = new.key, event.envelope
            state = None
            if key.kind not in NEVER_FOLDED:
                state = self._fold(key.kind, states[key].state, event.payload, envelope, key.id)
            states[key] = self._restated[key.id.int] = Versioned(state, envelope.stream_version)
        return states

    async def find_out(self, decided: Sequence[Decided], error: Exception) -> None:
        """Answer units whose append ended in an error that does not say whether they were stored."""
        for one in decided:
            try:
                async with asyncio.timeout(FIND_TIMEOUT_SECONDS):
                    found = [await self._log.find(event.meta.event_id) for event in one.request.events]
                    events = [event for event in found if event is not None]
                    if not events or len(events) < len(found):
                        raise UnavailableError("The command could not be recorded; nothing was changed.")
                    states = await self._cache.get(list(one.after))
            except UnavailableError as unavailable:
                unavailable.__cause__ = error
                one.job.fail(unavailable)
            except Exception as lost:  # noqa: BLE001 - The edge of the callers: each has to be told.
                failure = UnavailableError("It is not known whether the command was recorded.")
                failure.__cause__ = lost
                one.job.fail(failure)
            else:
                _answer(one, events, states, events[-1].envelope.position)


def _answer(
    decided: Decided, events: Sequence[RecordedEvent], states: Mapping[StreamKey, Versioned], position: Position
) -> None:
    job = decided.job
    if decided.error is not None:
        job.fail(decided.error)
    elif not job.answer.done():
        values = {key: value.state for key, value in states.items()}
        job.answer.set_result(Done(events=events, states=values, position=position))

"""What is handed to the group-commit writer, and what comes back."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

import msgspec

from domain.events import Outcome, RecordedEvent
from domain.ids import Position, StreamId, StreamKey


class States(Protocol):
    """The states that a decision declared, each as the decisions before it left them.

    Asking for one that was not declared is a fault of the program: a `LookupError`.
    """

    def get(self, key: StreamKey) -> Any:  # noqa: ANN401 - Each kind of stream has a state type of its own.
        """Give the state of a declared stream; None when it has no events, or is never folded."""
        ...

    def version(self, key: StreamKey) -> int:
        """Give the version of a declared stream; 0 when it has no events."""
        ...

    def children(self, parent_id: UUID) -> int:
        """Give the number of living children of a collection whose counter was declared."""
        ...


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """One command for the writer.

    `keys` and `counters` declare what `decide` reads; all of it is relied on, so a change by somebody else makes the
    decision run again. `decide` is pure: it raises a domain error or returns an outcome. It may emit events on streams
    that it did not declare: these are taken to be new, and looked up when they turn out not to be.
    """

    keys: tuple[StreamKey, ...]
    counters: tuple[StreamId, ...] = ()
    decide: Callable[[States], Outcome]
    actor: str
    on_behalf_of: str | None = None
    correlation_id: str
    causation_id: str | None = None
    comment: str | None = None


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """The unit is durable.

    `states` are those of its keys, and of all streams that it wrote, after its events. `position` is that of its last
    event, or that of the log when there was nothing to record.
    """

    events: Sequence[RecordedEvent]
    states: Mapping[StreamKey, Any]
    position: Position

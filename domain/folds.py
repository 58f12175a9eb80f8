"""Which fold belongs to which kind of stream. A new kind is one line here."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol
from uuid import UUID

import domain.alias
import domain.artifact.state
import domain.stage.state
import domain.workspace
from domain.events import Event, EventMeta
from domain.ids import StreamKind

NEVER_FOLDED = frozenset({StreamKind.ACCESS})
"""Kinds whose streams are only appended to: a hot artifact's accesses are never loaded, only counted by projections."""

_EVOLVE: Mapping[StreamKind, Callable[[Any, Event, EventMeta, UUID], Any]] = {
    StreamKind.ARTIFACT: domain.artifact.state.evolve,
    StreamKind.STAGE: domain.stage.state.evolve,
    StreamKind.ALIAS: domain.alias.evolve,
    StreamKind.WORKSPACE: domain.workspace.evolve,
}


class Fold(Protocol):
    """Folds one event of a stream into its state, whatever the kind of the stream."""

    def __call__(
        self,
        kind: StreamKind,
        state: Any,  # noqa: ANN401 - Each kind of stream has a state type of its own.
        payload: Event,
        meta: EventMeta,
        stream_id: UUID,
    ) -> Any:  # noqa: ANN401 - As above.
        """Give the state after the event. `state` is None before the first event."""
        ...


def fold(
    kind: StreamKind,
    state: Any,  # noqa: ANN401 - Each kind of stream has a state type of its own.
    payload: Event,
    meta: EventMeta,
    stream_id: UUID,
) -> Any:  # noqa: ANN401 - As above.
    """Fold one event of a stream.

    Raises:
        KeyError: The kind has no fold; streams of `NEVER_FOLDED` kinds are not folded.
        ValueError: The event does not belong to the kind, or comes before the first one.
    """
    return _EVOLVE[kind](state, payload, meta, stream_id)

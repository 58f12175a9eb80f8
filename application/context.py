"""What surrounds one call: who, from where, how fresh, and how it is traced."""

from enum import StrEnum
from typing import Any

import msgspec

from domain.actor import Actor
from domain.ids import Position


class Consistency(StrEnum):
    """How far a read model must have come before it answers."""

    STRONG = "strong"
    EVENTUAL = "eventual"


class CallContext(msgspec.Struct, frozen=True, kw_only=True):
    """The surroundings of one command or query.

    `workspace` is where bare aliases are looked up and where things are created by default. `correlation_id` is the
    request id. `min_position` asks that lists hold everything up to it, whatever `consistency` says.
    `accepts_bytes` tells whether the transport can carry raw bytes in an answer (RPC and msgpack can, JSON cannot).
    """

    actor: Actor
    workspace: str
    correlation_id: str
    causation_id: str | None = None
    consistency: Consistency = Consistency.STRONG
    min_position: Position | None = None
    accepts_bytes: bool = False


class Reply(msgspec.Struct, frozen=True):
    """What a method answers: a JSON value (or `msgspec.Raw`), and the position of the last event of a command."""

    body: Any
    position: Position | None = None

    def __repr__(self) -> str:
        """Name the kind of answer alone, because what is in it may be secret."""
        return f"Reply({type(self.body).__name__}, position={self.position})"

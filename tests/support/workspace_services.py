"""The part of the application that workspaces and tokens need, on a log in memory."""

from dataclasses import dataclass, field

from application.authentication import Authenticator
from application.chain_cache import ChainCache
from application.context import CallContext
from application.state_cache import StateCache
from application.tokens import Tokens
from application.writer import CommandWriter
from domain.actor import Actor
from domain.folds import fold
from tests.support.clocks import CountingIds, FixedClock
from tests.support.memory_event_log import MemoryEventLog

SECRET = "a secret of the tests, long enough for its algorithm"


@dataclass
class MemoryServices:
    """Real writer, cache and tokens; only the log, the clock and the ids are the test's own."""

    log: MemoryEventLog = field(default_factory=MemoryEventLog)
    clock: FixedClock = field(default_factory=FixedClock)
    ids: CountingIds = field(default_factory=CountingIds)

    def __post_init__(self) -> None:
        self.tokens = Tokens(SECRET, clock=self.clock, ids=self.ids)
        self.states = StateCache(self.log, fold)
        self.writer = CommandWriter(log=self.log, cache=self.states, clock=self.clock, ids=self.ids, fold=fold)
        self.chains = ChainCache()
        self.authenticate = Authenticator(self.tokens, self.states)


def context_of(actor: Actor, workspace: str | None = None) -> CallContext:
    """Give the surroundings of a call."""
    return CallContext(actor=actor, workspace=workspace or actor.current_workspace, correlation_id="test")

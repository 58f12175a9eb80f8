"""Finds what an artifact id names, together with its parents and workspace: what every decision and read needs."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from uuid import UUID

from application.chain_cache import KnownChain
from application.context import CallContext
from application.services import Services
from application.stages import current_stage
from application.units import Done, States, Unit
from application.viewers import VIEWERS
from domain.actor import Actor
from domain.alias import Alias
from domain.artifact.chain import Chain
from domain.artifact.names import is_uuid
from domain.artifact.state import Artifact
from domain.errors import ArtifactNotFoundError, ConflictError, InvalidIdError, StaleFactsError
from domain.events import Outcome
from domain.ids import StreamId, StreamKey, alias_key, artifact_key, stage_key, workspace_key
from domain.permissions import MAX_CHAIN, Viewer
from domain.stage.state import Stage
from domain.workspace import Workspace, home_key

MAX_ATTEMPTS = 10
"""How often a command fetches its facts again when they have changed before its decision ran."""

StateOf = Callable[[StreamKey], Any]


class Target(NamedTuple):
    """An artifact as the caller named it: its id, then those of its parents up to the root, and the workspace."""

    text: str
    ids: tuple[UUID, ...]
    workspace: str
    actor: Actor

    @property
    def keys(self) -> tuple[StreamKey, ...]:
        """The streams that decide what the caller may do with it: the chain, its workspace and his own."""
        artifacts = [artifact_key(artifact_id) for artifact_id in self.ids]
        return (*artifacts, *viewer_keys(self.actor, self.workspace))

    def chain(self, state_of: StateOf) -> Chain:
        """Build the chain from states of its keys.

        Raises:
            ArtifactNotFoundError: The artifact or one of its parents is deleted.
            StaleFactsError: The parents are not the same any more.
        """
        artifacts = []
        expected: UUID | None = self.ids[0]
        for artifact_id in self.ids:
            if artifact_id != expected:
                raise StaleFactsError
            artifact: Artifact | None = state_of(artifact_key(artifact_id))
            if artifact is None or artifact.is_deleted:
                raise ArtifactNotFoundError(self.text)
            artifacts.append(artifact)
            expected = artifact.parent_id
        if expected is not None:
            raise StaleFactsError
        viewer = viewer_in(self.actor, self.workspace, state_of)
        return Chain(viewer=viewer, artifacts=tuple(artifacts))


def viewer_keys(actor: Actor, workspace: str) -> tuple[StreamKey, ...]:
    """Name the streams that tell how a workspace sees a caller: its own, and that of his home."""
    key = workspace_key(workspace)
    home = home_key(actor.effective_id)
    return (key,) if actor.is_anonymous or home == key else (key, home)


def viewer_in(actor: Actor, workspace: str, state_of: StateOf) -> Viewer:
    """See a caller as a workspace does, from the states of its viewer keys."""
    keys = viewer_keys(actor, workspace)
    state: Workspace | None = state_of(keys[0])
    home: Workspace | None = state_of(keys[-1])
    return VIEWERS.get(actor, workspace, state, home)


def split_id(text: str, workspace: str) -> tuple[str, str]:
    """Split `workspace/alias`, or put the given workspace before a bare alias.

    Raises:
        InvalidIdError: There are two or more slashes, or a part is empty.
    """
    parts = text.split("/")
    if len(parts) == 1:
        parts = [workspace, text]
    if len(parts) > 2 or not all(parts):
        raise InvalidIdError("Invalid artifact ID format, it should be `workspace/alias`.")
    return parts[0], parts[1]


async def resolve(services: Services, text: str, workspace: str) -> UUID:
    """Find the id of an artifact; `workspace` is where a bare alias is looked up.

    Raises:
        ArtifactNotFoundError: Nothing has this alias.
        InvalidIdError: The text is no id.
    """
    if is_uuid(text):
        return UUID(text)
    key = alias_key(*split_id(text, workspace))
    alias: Alias | None = (await services.states.get((key,)))[key].state
    if alias is None or alias.artifact_id is None:
        raise ArtifactNotFoundError(text)
    return alias.artifact_id


async def _climb(services: Services, text: str, workspace: str) -> list[Artifact]:
    """Find an artifact, then its parents up to the root, each as it is now."""
    artifact_id: UUID | None = await resolve(services, text, workspace)
    artifacts: list[Artifact] = []
    while artifact_id is not None and len(artifacts) < MAX_CHAIN:
        key = artifact_key(artifact_id)
        artifact: Artifact | None = (await services.states.get((key,)))[key].state
        if artifact is None or artifact.is_deleted:
            raise ArtifactNotFoundError(text)
        artifacts.append(artifact)
        artifact_id = artifact.parent_id
    return artifacts


async def lineage(services: Services, artifact: Artifact) -> list[Artifact]:
    """Give an artifact and its parents up to the root, each as it is now; ends early below one that is deleted."""
    artifacts = [artifact]
    while artifact.parent_id is not None and len(artifacts) < MAX_CHAIN:
        key = artifact_key(artifact.parent_id)
        parent: Artifact | None = (await services.states.get((key,)))[key].state
        if parent is None or parent.is_deleted:
            break
        artifacts.append(parent)
        artifact = parent
    return artifacts


async def find(services: Services, context: CallContext, text: str) -> Target:
    """Find an artifact and its parents, for a command.

    Raises:
        ArtifactNotFoundError: There is no such artifact.
        InvalidIdError: The text is no id.
    """
    artifacts = await _climb(services, text, context.workspace)
    return Target(text, tuple(artifact.id for artifact in artifacts), artifacts[0].workspace, context.actor)


async def current_viewer(services: Services, context: CallContext, workspace: str) -> Viewer:
    """See the caller as a workspace does now."""
    states = await services.states.get(viewer_keys(context.actor, workspace))
    return viewer_in(context.actor, workspace, lambda key: states[key].state)


async def load(services: Services, context: CallContext, text: str) -> Chain:
    """Find an artifact for a read: current states of it and its parents, as the caller sees them.

    Raises:
        ArtifactNotFoundError: There is no such artifact.
        InvalidIdError: The text is no id.
    """
    actor, workspace = context.actor, context.workspace
    known = services.chains.get(actor, workspace, text)
    if known is not None and await known.is_current(services.states):
        return known.chain
    artifacts = await _climb(services, text, workspace)
    alias = None if is_uuid(text) else alias_key(*split_id(text, workspace))
    keys = [artifact_key(artifact.id) for artifact in artifacts]
    keys += viewer_keys(actor, artifacts[0].workspace)
    marker = services.states.marker()
    found = await services.states.get(keys if alias is None else [*keys, alias])
    states = {key: value.state for key, value in found.items()}
    viewer = viewer_in(actor, artifacts[0].workspace, states.__getitem__)
    chain = Chain(viewer=viewer, artifacts=tuple(artifacts))
    # What was found on the way up may have changed before the rest was looked at; such a chain serves this read alone.
    is_settled = all(states[key] is artifact for key, artifact in zip(keys, artifacts, strict=False))
    if is_settled and (alias is None or states[alias].artifact_id == artifacts[0].id):
        services.chains.put(workspace, text, KnownChain(actor, chain, states, marker))
    return chain


class Prepared(NamedTuple):
    """A unit, and the target that it is about."""

    unit: Unit
    target: Target


class Executed(NamedTuple):
    """What the writer did, and the target that it was done to."""

    done: Done
    target: Target

    @property
    def chain(self) -> Chain:
        """The artifact and its parents as the command left them."""
        return self.target.chain(self.done.states.get)

    @property
    def stage(self) -> Stage | None:
        """The stage that is open after the command."""
        opened = self.chain.artifact.stage
        return self.done.states.get(stage_key(opened.stage_id)) if opened else None


async def execute(services: Services, prepare: Callable[[], Awaitable[Prepared]]) -> Executed:
    """Run a command: fetch its facts, decide and append, and again from the facts on when these were stale.

    Raises:
        ConflictError: The facts were stale on each of the bounded attempts.
    """
    for _ in range(MAX_ATTEMPTS):
        try:
            prepared = await prepare()
            return Executed(await services.writer.execute(prepared.unit), prepared.target)
        except StaleFactsError:
            continue
    raise ConflictError("Others changed the same artifact on every attempt; nothing was changed. Try again.")


def unit_of(
    context: CallContext,
    keys: tuple[StreamKey, ...],
    decide: Callable[[States], Outcome],
    *,
    comment: str | None = None,
    counters: tuple[StreamId, ...] = (),
    fresh: tuple[StreamKey, ...] = (),
) -> Unit:
    """Make the unit of a command by this caller.

    `fresh` are streams that the command begins. A decision that wants to write to another stream that was not declared
    has seen newer states than the facts: these are stale.
    """
    actor = context.actor
    declared = frozenset((*keys, *fresh))

    def decide_declared(states: States) -> Outcome:
        outcome = decide(states)
        if any(emit.key not in declared for emit in outcome.events):
            raise StaleFactsError
        return outcome

    return Unit(
        keys=tuple(dict.fromkeys(keys)),
        counters=counters,
        decide=decide_declared,
        actor=actor.user_id,
        on_behalf_of=actor.on_behalf_of,
        correlation_id=context.correlation_id,
        causation_id=context.causation_id,
        comment=comment,
    )


class Loaded(NamedTuple):
    """A target with the states that it was found in: for facts, and to refuse early what would be refused anyway."""

    target: Target
    chain: Chain
    stage: Stage | None

    @property
    def keys(self) -> tuple[StreamKey, ...]:
        """The streams that a command on the artifact and its stage declares."""
        stage = self.chain.artifact.stage
        return (*self.target.keys, *((stage_key(stage.stage_id),) if stage else ()))


async def find_with_stage(services: Services, context: CallContext, text: str) -> Loaded:
    """Find an artifact, its parents and its open stage, for a command.

    Raises:
        ArtifactNotFoundError: There is no such artifact.
        InvalidIdError: The text is no id.
    """
    artifacts = await _climb(services, text, context.workspace)
    target = Target(text, tuple(artifact.id for artifact in artifacts), artifacts[0].workspace, context.actor)
    viewer = await current_viewer(services, context, target.workspace)
    chain = Chain(viewer=viewer, artifacts=tuple(artifacts))
    return Loaded(target, chain, await current_stage(services, chain))

"""The cache of chains: the same answer as finding everything anew, whoever changed what."""

from uuid import UUID

import pytest

from application.chain_cache import ChainCache, KnownChain
from application.targets import load
from application.units import Unit
from domain.actor import Actor
from domain.alias import AliasClaimed, AliasReleased
from domain.artifact.chain import Chain
from domain.artifact.events import ArtifactCreated, ArtifactDeleted, ArtifactEdited, StagedContent
from domain.errors import ArtifactNotFoundError
from domain.events import Emit, Event, Outcome
from domain.ids import StreamKey, alias_key, artifact_key, workspace_key
from domain.permissions import Operation, is_allowed
from domain.workspace import WorkspaceCreated, WorkspaceDetails, WorkspaceUpdated
from tests.support.actors import login
from tests.support.memory_event_log import MemoryEventLog
from tests.support.workspace_services import MemoryServices, context_of

ALICE, BOB = login("alice"), login("bob")
PARENT, CHILD, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)


class UnmarkedLog(MemoryEventLog):
    """A log that cannot tell whether anything was appended."""

    def change_marker(self) -> int | None:
        return None


@pytest.fixture(params=[MemoryEventLog, UnmarkedLog])
async def services(request: pytest.FixtureRequest) -> MemoryServices:
    services = MemoryServices(log=request.param())
    created_lab = WorkspaceCreated(workspace="lab", details=WorkspaceDetails(title="Lab", owners=("alice",)))
    await record(services, workspace_key("lab"), created_lab)
    for number, parent in ((PARENT, None), (CHILD, PARENT), (OTHER, None)):
        created = ArtifactCreated(workspace="lab", alias=str(number.int), parent_id=parent, manifest={}, config={})
        await record(services, artifact_key(number), created)
    await record(services, alias_key("lab", "data"), AliasClaimed(workspace="lab", alias="data", artifact_id=CHILD))
    return services


async def record(services: MemoryServices, key: StreamKey, event: Event) -> None:
    unit = Unit(keys=(key,), decide=lambda _: Outcome(events=(Emit(key, event),)), actor="alice", correlation_id="test")
    await services.writer.execute(unit)


def edited(**content: object) -> ArtifactEdited:
    return ArtifactEdited(content=StagedContent(**content), version_index=0)  # type: ignore[arg-type]


async def read(services: MemoryServices, text: str = "data", actor: Actor = ALICE) -> Chain:
    return await load(services, context_of(actor, "lab"), text)  # type: ignore[arg-type]  # A part of the services.


async def test_a_chain_is_made_once_whatever_else_is_appended(services: MemoryServices) -> None:
    first = await read(services)
    assert [artifact.id for artifact in first.artifacts] == [CHILD, PARENT]
    assert await read(services) is first
    await record(services, artifact_key(OTHER), edited(manifest={"name": "x"}))
    assert await read(services) is first
    assert await read(services, str(CHILD)) == first


@pytest.mark.parametrize("number", [CHILD, PARENT])
async def test_a_change_anywhere_in_the_chain_is_seen(services: MemoryServices, number: UUID) -> None:
    await read(services)
    await record(services, artifact_key(number), edited(config={"permissions": {"bob": "r"}}))
    configs = [artifact.config for artifact in (await read(services)).artifacts if artifact.id == number]
    assert configs == [{"permissions": {"bob": "r"}}]


@pytest.mark.parametrize("number", [CHILD, PARENT])
async def test_what_was_deleted_is_gone(services: MemoryServices, number: UUID) -> None:
    await read(services)
    await record(services, artifact_key(number), ArtifactDeleted())
    with pytest.raises(ArtifactNotFoundError):
        await read(services)


async def test_an_alias_names_what_it_names_now(services: MemoryServices) -> None:
    await read(services)
    key = alias_key("lab", "data")
    await record(services, key, AliasReleased(artifact_id=CHILD))
    with pytest.raises(ArtifactNotFoundError):
        await read(services)
    await record(services, key, AliasClaimed(workspace="lab", alias="data", artifact_id=OTHER))
    assert (await read(services)).artifact.id == OTHER


async def test_each_caller_has_chains_of_his_own_and_membership_counts_at_once(services: MemoryServices) -> None:
    for text in ("data", str(OTHER)):
        assert (await read(services, text)).viewer.is_workspace_admin
        assert not is_allowed((bob := await read(services, text, BOB)).viewer, Operation.READ, bob.nodes)
    details = WorkspaceDetails(title="Lab", owners=("alice",), members={"bob": "read"})
    await record(services, workspace_key("lab"), WorkspaceUpdated(details=details))
    bob = await read(services, str(OTHER), BOB)
    assert is_allowed(bob.viewer, Operation.READ, bob.nodes)


async def test_the_one_not_used_for_longest_goes_first(services: MemoryServices) -> None:
    chain = await read(services)
    chains = ChainCache(max_entries=2)
    known = KnownChain(ALICE, chain, {}, None)
    for text in ("a", "b"):
        chains.put("lab", text, known)
    assert chains.get(ALICE, "lab", "a") is known
    chains.put("lab", "c", known)
    assert [chains.get(ALICE, "lab", text) for text in "abc"] == [known, None, known]
    assert chains.get(BOB, "lab", "a") is None


async def test_a_chain_that_takes_too_much_memory_is_not_kept(services: MemoryServices) -> None:
    chain = await read(services)
    for max_bytes, kept in ((1, False), (10**9, True)):
        cache = ChainCache(max_bytes=max_bytes)
        cache.put("lab", "data", KnownChain(ALICE, chain, {}, None))
        assert (cache.get(ALICE, "lab", "data") is not None) is kept

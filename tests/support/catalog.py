"""Logs of artifacts for the catalog, the catalog in plain Python, and the one in SQLite, to be compared."""

import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from msgspec import UNSET

from application.ports.catalog import CatalogPage, CatalogQuery
from domain.actor import WorkspaceRight
from domain.artifact.events import (
    ArtifactCommitted,
    ArtifactCreated,
    ArtifactDeleted,
    StagedContent,
    StageIntent,
    StageOpened,
)
from domain.artifact.state import Artifact, evolve
from domain.events import Envelope, Event, RecordedEvent, decode, encode
from domain.filters import (
    DEFAULT_ORDER,
    Document,
    Filter,
    Order,
    StageScope,
    document_of,
    in_order,
    is_in_scope,
    matches,
)
from domain.ids import EventId, Position, StreamId
from domain.permissions import Viewer, may_list, node_of, sees_stage, visible_permissions
from projections.catalog.planner import FEW
from projections.catalog.query import SqliteCatalog
from projections.catalog.sqlite import CatalogFile
from projections.position import Progress

EPOCH = "0123456789abcdef"
WORKSPACE = "team-lab"
ADMIN = Viewer(levels=(("root",), ("@",), ("*",)), is_workspace_admin=True, workspace_right=WorkspaceRight.ADMIN)
STRANGER = Viewer(levels=(("mallory",), ("@",), ("*",)))

MICROSECOND = 1_000_000
EPOCH_SECONDS = 1_700_000_000


class Artifacts:
    """Writes the events of artifacts, one after the other, as a log would give them back."""

    def __init__(self, workspace: str = WORKSPACE) -> None:
        self.events: list[RecordedEvent] = []
        self.views: dict[UUID, tuple[int, int]] = {}
        self._workspace = workspace
        self._versions: dict[UUID, int] = {}

    def create(
        self,
        manifest: Mapping[str, Any] | None = None,
        *,
        config: Mapping[str, Any] | None = None,
        parent: UUID | None = None,
        is_draft: bool = False,
        created_by: str = "alice",
        type: str | None = "generic",
        alias: str | None = None,
        workspace: str | None = None,
    ) -> UUID:
        number = len(self._versions) + 1
        artifact_id = UUID(int=number)
        event = ArtifactCreated(
            workspace=workspace or self._workspace,
            alias=alias or f"artifact-{number}",
            parent_id=parent,
            type=type,
            manifest=dict(manifest or {}),
            config=dict(config or {}),
            stage_id=UUID(int=number << 64) if is_draft else None,
        )
        self.record(artifact_id, event, actor=created_by)
        return artifact_id

    def stage(self, artifact_id: UUID, manifest: Mapping[str, Any] | None = None) -> None:
        content = StagedContent(manifest=dict(manifest) if manifest is not None else UNSET)
        intent = StageIntent(is_new_version=True, index=1)
        self.record(artifact_id, StageOpened(stage_id=UUID(int=9), intent=intent, content=content))

    def commit(
        self, artifact_id: UUID, manifest: Mapping[str, Any] | None = None, config: Mapping[str, Any] | None = None
    ) -> None:
        content = StagedContent(
            manifest=dict(manifest) if manifest is not None else UNSET,
            config=dict(config) if config is not None else UNSET,
        )
        index = self._versions[artifact_id]
        self.record(
            artifact_id,
            ArtifactCommitted(
                stage_id=UUID(int=9),
                version_index=index,
                version_name=f"v{index}",
                is_new_version=True,
                content=content,
            ),
        )

    def delete(self, artifact_id: UUID) -> None:
        self.record(artifact_id, ArtifactDeleted())

    def record(self, artifact_id: UUID, event: Event, *, actor: str = "alice") -> RecordedEvent:
        position = len(self.events) + 1
        version = self._versions.get(artifact_id, 0) + 1
        self._versions[artifact_id] = version
        envelope = Envelope(
            event_id=EventId(UUID(int=position << 32)),
            stream_version=version,
            actor=actor,
            # Two events a second, so that whole seconds hold ties.
            recorded_at=EPOCH_SECONDS * MICROSECOND + position * MICROSECOND // 2,
            position=Position(position),
            stream_id=StreamId(artifact_id),
            type=event.wire_name,
            schema_version=event.schema_version,
            workspace=self._workspace,
            artifact_id=artifact_id,
            correlation_id="test",
        )
        # What the log gives back is what survives its encoding.
        recorded = RecordedEvent(envelope, decode(event.wire_name, event.schema_version, encode(event)))
        self.events.append(recorded)
        return recorded


class PlainCatalog:
    """Answers as the port says, by looking at every artifact alone."""

    def __init__(self, artifacts: Artifacts) -> None:
        self._states: dict[UUID, Artifact] = {}
        self._created: dict[UUID, Position] = {}
        self._views = artifacts.views
        for event in artifacts.events:
            artifact_id = event.envelope.artifact_id
            assert artifact_id is not None
            self._created.setdefault(artifact_id, event.envelope.position)
            state = self._states.get(artifact_id)
            after = evolve(state, event.payload, event.envelope, artifact_id)
            assert after is not None
            self._states[artifact_id] = after

    def search(self, query: CatalogQuery) -> tuple[list[Artifact], int]:
        """Give the page (`after` is not understood) and the total."""
        found = [
            document_of(state, self._created[state.id], *self._views.get(state.id, (0, 0)))
            for state in self._states.values()
            if self._is_placed(state, query) and self._is_listed(state, query)
        ]
        if query.filter is not None:
            found = [one for one in found if self._matches(query.filter, one, query.viewer)]
        ordered = in_order(found, query.order or DEFAULT_ORDER)
        page = ordered[query.offset : query.offset + query.limit]
        return [document.artifact for document in page], len(ordered)

    def state(self, artifact_id: UUID) -> Artifact:
        return self._states[artifact_id]

    def chain(self, state: Artifact) -> list[Artifact]:
        chain = [state]
        while (parent := chain[-1].parent_id) is not None:
            chain.append(self._states[parent])
        return chain

    def _matches(self, node: Filter, document: Document, viewer: Viewer) -> bool:
        nodes = [node_of(one) for one in self.chain(document.artifact)]
        visible = visible_permissions(viewer, nodes, nodes[0].permissions)
        return matches(node, document, lambda subject: subject in visible)

    def _is_placed(self, state: Artifact, query: CatalogQuery) -> bool:
        if query.workspace is not None and state.workspace != query.workspace:
            return False
        if query.parent == "any":
            return True
        return state.parent_id == (None if query.parent == "root" else query.parent)

    def _is_listed(self, state: Artifact, query: CatalogQuery) -> bool:
        chain = self.chain(state)
        if any(one.is_deleted for one in chain) or not is_in_scope(state, query.stage):
            return False
        nodes = [node_of(one) for one in chain]
        if query.stage is StageScope.STAGED and not sees_stage(query.viewer, nodes):
            return False
        return may_list(query.viewer, nodes)


def build(path: Path, events: Sequence[RecordedEvent], batch: int = 500) -> CatalogFile:
    """Apply events to a file."""
    file = CatalogFile.open(path, EPOCH)
    for at in range(0, len(events), batch):
        file.apply(events[at : at + batch])
    return file


def write_counters(path: Path, views: Mapping[UUID, tuple[int, int]]) -> None:
    connection = sqlite3.connect(path)
    connection.execute(
        "CREATE TABLE counters (artifact_id BLOB PRIMARY KEY, views INTEGER NOT NULL, downloads_milli INTEGER NOT NULL)"
    )
    connection.executemany(
        "INSERT INTO counters VALUES (?, ?, ?)", [(one.bytes, *counts) for one, counts in views.items()]
    )
    connection.commit()
    connection.close()


@contextmanager
def sqlite_catalog(artifacts: Artifacts, *, few: int = FEW) -> Iterator[SqliteCatalog]:
    """Build a catalog in a directory of its own. With `few` 0 it walks wherever it can, else it looks up and sorts."""
    with tempfile.TemporaryDirectory() as directory:
        path, counters = Path(directory) / "catalog.db", Path(directory) / "counters.db"
        file = build(path, artifacts.events)
        write_counters(counters, artifacts.views)
        catalog = SqliteCatalog(EPOCH, Progress(file.position), lambda: counters, readers=1, few=few)
        catalog.use(path)
        try:
            yield catalog
        finally:
            catalog.shut_down()
            file.close()


def ids(page: CatalogPage) -> list[int]:
    return [row.artifact.id.int for row in page.rows]


def query(
    filter: Filter | None = None,
    *,
    order: Order | None = None,
    viewer: Viewer = ADMIN,
    parent: Any = "any",
    workspace: str | None = WORKSPACE,
    stage: StageScope = StageScope.COMMITTED,
    offset: int = 0,
    limit: int = 100,
    after: str | None = None,
) -> CatalogQuery:
    return CatalogQuery(
        viewer=viewer,
        workspace=workspace,
        parent=parent,
        filter=filter,
        order=order,
        stage=stage,
        offset=offset,
        limit=limit,
        after=after,
        needs_total=True,
    )

"""A list shows exactly the artifacts whose own `list` verdict is yes, over random trees, grants and viewers."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.actor import ANONYMOUS_ID, WorkspaceRight
from domain.filters import Filter, StageScope, parse_filters
from domain.permissions import Viewer
from tests.support.catalog import Artifacts, PlainCatalog, ids, query, sqlite_catalog

SUBJECTS = ["alice", "alice@lab.org", "bob", "team-lab/alice", "team-lab/@", "team-lab/*", "other/*", "@", "*"]
LEVELS: list[Any] = ["n", "l", "l+", "r", "r+", "rd+", "rw", "rw+", "*", "nonsense", ["edit"], ["list"], ["n"], 7,
                     ["draft", "attach", "commit"], ["attach", "commit", "list"], ["manage_permissions"]]  # fmt: skip
grants = st.dictionaries(st.sampled_from(SUBJECTS), st.sampled_from(LEVELS), max_size=3)

alice = (("alice", "alice@lab.org"), ("team-lab/alice",), ("team-lab/@",), ("team-lab/*",), ("@",), ("*",))
levels = st.sampled_from([alice, (("alice",), ("@",), ("*",)), (("mallory",), ("@",), ("*",)), (("*",),)])
viewers = st.builds(
    Viewer,
    levels=levels,
    is_workspace_admin=st.sampled_from([False, False, False, True]),
    workspace_right=st.sampled_from([None, None, WorkspaceRight.READ, WorkspaceRight.READ_WRITE]),
    is_read_only=st.sampled_from([False, False, False, True]),
)


@st.composite
def trees(draw: st.DrawFn) -> Artifacts:
    """Up to four levels of artifacts, in every state, some made by nobody, some deleted above others."""
    artifacts = Artifacts()
    nodes: list[Any] = []
    depths: dict[Any, int] = {None: 0}
    for _ in range(draw(st.integers(2, 14))):
        parent = draw(st.sampled_from([None, *(node for node in nodes if depths[node] < 4)]))
        config: dict[str, Any] = {"permissions": draw(grants)}
        if draw(st.booleans()):
            config["inherit_writes"] = draw(st.booleans())
        one = artifacts.create(
            {"name": "x"},
            config=config,
            parent=parent,
            is_draft=draw(st.booleans()),
            created_by=draw(st.sampled_from(["alice", "bob", ANONYMOUS_ID])),
        )
        nodes.append(one)
        depths[one] = depths[parent] + 1
        if draw(st.integers(0, 3)) == 0:
            artifacts.stage(one)
        if draw(st.integers(0, 4)) == 0:
            artifacts.commit(one, {"name": "y"}, {"permissions": draw(grants)})
    for node in nodes:
        if draw(st.integers(0, 9)) == 0:
            artifacts.delete(node)
    return artifacts


def grant_filters() -> list[Filter | None]:
    asked: list[dict[str, Any]] = [
        {f"permissions/{subject}": level} for subject in ("bob", "alice", "*") for level in ("r", "n")
    ]
    asked.append({"config": {"permissions": {"bob": ["edit"]}}})
    return [None, *(parse_filters(one).filter for one in asked)]


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(trees(), st.lists(viewers, min_size=3, max_size=5), st.sampled_from([0, 3_000]))
def test_a_list_is_the_list_verdict_of_each_artifact_alone(
    artifacts: Artifacts, asking: list[Viewer], few: int
) -> None:
    plain = PlainCatalog(artifacts)
    parents: list[Any] = ["any", "root", *(event.envelope.stream_id for event in artifacts.events)]
    with sqlite_catalog(artifacts, few=few) as catalog:
        for viewer in asking:
            for stage in StageScope:
                for parent in dict.fromkeys(parents):
                    question = query(viewer=viewer, stage=stage, parent=parent, limit=100)
                    expected, total = plain.search(question)
                    page = catalog.answer(question)
                    assert ids(page) == [artifact.id.int for artifact in expected]
                    assert page.total == total


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(trees(), viewers)
def test_a_filter_on_grants_tells_nobody_what_he_may_not_see(artifacts: Artifacts, viewer: Viewer) -> None:
    plain = PlainCatalog(artifacts)
    with sqlite_catalog(artifacts) as catalog:
        for node in grant_filters():
            for workspace in ("team-lab", None):
                question = query(node, viewer=viewer, stage=StageScope.ALL, workspace=workspace)
                expected, total = plain.search(question)
                page = catalog.answer(question)
                assert ids(page) == [artifact.id.int for artifact in expected]
                assert page.total == total

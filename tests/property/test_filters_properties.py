"""The catalog in SQLite gives the answers of plain Python, for any manifests, filters, orders and pages."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.errors import InvalidArgumentError
from domain.filters import StageScope, parse_filters, parse_order
from domain.filters.tree import ParsedFilters
from tests.support.catalog import ADMIN, STRANGER, Artifacts, PlainCatalog, ids, query, sqlite_catalog

# Few and short, so that values, filters and keywords meet; with everything that could be special to an index.
WORDS = [
    "a",
    "ab",
    "AB",
    "abc",
    "Straße",
    "STRASSE",
    "ΣΑΣ",
    "σας",
    "日本",
    "日本語",
    "x*y",
    "x[y",
    "x?y",
    "%_",
    '"',
    "'",
]
ODD = [
    "",
    "\x00",
    "a\x00b",
    "\x1f",
    "NaN",
    "Infinity",
    "1",
    "true",
    "null",
    "é" * 512,
    "é" * 513,
    "ab" * 700,
    "\U0010ffff",
]
texts = st.sampled_from(WORDS + ODD) | st.text(alphabet="abAB* é日\x00", max_size=6)
numbers = st.sampled_from(
    [0, 1, 1.0, -0.0, 2, 2.5, -1, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63), 10**40, 1e300, 1e16]
) | st.integers(-3, 3)
scalars = st.none() | st.booleans() | numbers | texts
keys = st.sampled_from(["a", "b", "c", "a.b", "", "é", "$in", "permissions", "name"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=3), max_leaves=8
)
objects = st.dictionaries(keys, values, max_size=4)
manifests = objects | st.just({"a": ["x", *range(1_001)], "b": 1}) | st.just({"a": {"b" * 1_100: 1}})

fields = st.sampled_from(["a", "b", "c", "a.b", "name", "missing", ""])
conditions = st.recursive(
    st.dictionaries(
        fields,
        scalars
        | st.lists(scalars, max_size=2)
        | st.fixed_dictionaries({"$in": st.lists(scalars, max_size=3)})
        | st.fixed_dictionaries({"$all": st.lists(scalars, max_size=2)})
        | st.fixed_dictionaries({"$like": texts.map(lambda text: text[:20])})
        | st.dictionaries(fields, scalars, max_size=2),
        max_size=2,
    ),
    lambda inner: st.fixed_dictionaries(
        {}, optional={"$and": st.lists(inner, min_size=1, max_size=2), "$or": st.lists(inner, min_size=1, max_size=2)}
    ),
    max_leaves=3,
)
bounds = st.none() | st.sampled_from([0, 1, 2.5, 1_700_000_001, 1_700_000_002.5, 10**30, -1])
intervals = bounds.filter(lambda bound: bound is not None) | st.lists(bounds, min_size=2, max_size=2)
filters = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["generic", "dataset", "none"]),
        "alias": st.sampled_from(["artifact-1", "artifact-3"]),
        "created_by": st.sampled_from(["alice", "bob"]),
        "workspace": st.sampled_from(["team-lab", "other"]),
        "created_at": intervals,
        "last_modified": intervals,
        "view_count": intervals,
        "download_count": intervals,
        "manifest": conditions,
        "config": st.dictionaries(keys.filter(lambda key: key != "permissions"), values, max_size=1),
        "permissions/bob": st.sampled_from(["r", "rw", "n"]),
        "name": scalars,
    },
)
keywords = st.lists(texts, max_size=2)
modes = st.sampled_from([None, "AND", "OR"])
orders = st.sampled_from(
    [None, "id>", "created_at>", "last_modified", "-last_modified", "view_count>", "download_count", "manifest.a",
     "manifest.a>", "manifest.a.b", "manifest.name>", "config.a", "manifest.missing>"]
)  # fmt: skip


@st.composite
def collections(draw: st.DrawFn) -> Artifacts:
    """One collection with children of every kind, and something beside it."""
    artifacts = Artifacts()
    parent = artifacts.create({"name": "collection"}, type="collection", config={"permissions": {"*": "r"}})
    artifacts.create(draw(manifests), type="dataset")
    for _ in range(draw(st.integers(1, 8))):
        config = draw(objects)
        config["permissions"] = draw(st.sampled_from([{}, {"bob": "r"}, {"bob": "rw"}, {"mallory": "n"}]))
        child = artifacts.create(
            draw(manifests),
            config=config,
            parent=parent,
            type=draw(st.sampled_from(["generic", "dataset", None])),
            created_by=draw(st.sampled_from(["alice", "bob"])),
            is_draft=draw(st.booleans()),
        )
        artifacts.views[child] = (draw(st.integers(0, 3)), draw(st.integers(0, 3)) * 500)
        match draw(st.integers(0, 4)):
            case 0:
                artifacts.stage(child, draw(manifests))
            case 1:
                artifacts.commit(child, draw(manifests), config)
            case 2:
                artifacts.delete(child)
    return artifacts


def parsed(wanted: Any, words: list[str], mode: str | None) -> ParsedFilters:
    try:
        return parse_filters(wanted, words, mode)
    except InvalidArgumentError:
        return ParsedFilters()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    collections(),
    st.lists(st.tuples(filters, keywords, modes, orders, st.sampled_from(list(StageScope))), min_size=4, max_size=8),
    st.sampled_from([0, 1, 3_000]),
)
def test_the_catalog_answers_as_plain_python_does(artifacts: Artifacts, asked: list[Any], few: int) -> None:
    plain = PlainCatalog(artifacts)
    (collection,), _ = plain.search(query(parse_filters({"alias": "artifact-1"}).filter))
    with sqlite_catalog(artifacts, few=few) as catalog:
        for wanted, words, mode, order, stage in asked:
            node = parsed(wanted, words, mode).filter
            for parent, viewer, offset, limit in (
                (collection.id, ADMIN, 0, 100),
                (collection.id, STRANGER, 1, 3),
                ("any", STRANGER, 2, 2),
                ("root", ADMIN, 0, 1),
            ):
                question = query(
                    node,
                    order=parse_order(order),
                    parent=parent,
                    viewer=viewer,
                    stage=stage,
                    offset=offset,
                    limit=limit,
                )
                expected, total = plain.search(question)
                page = catalog.answer(question)
                assert [row.artifact for row in page.rows] == expected
                assert page.total == total


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(collections(), filters, orders, st.sampled_from([0, 3_000]), st.sampled_from(["any", "collection"]))
def test_cursors_give_every_artifact_once_and_in_order(
    artifacts: Artifacts, wanted: Any, order: str | None, few: int, where: str
) -> None:
    plain = PlainCatalog(artifacts)
    node = parsed(wanted, [], None).filter
    (collection,), _ = plain.search(query(parse_filters({"alias": "artifact-1"}).filter))
    parent = collection.id if where == "collection" else "any"
    expected, _ = plain.search(query(node, order=parse_order(order), parent=parent, stage=StageScope.ALL))
    with sqlite_catalog(artifacts, few=few) as catalog:
        found: list[int] = []
        after = None
        for _ in range(len(expected) + 1):
            page = catalog.answer(
                query(node, order=parse_order(order), parent=parent, stage=StageScope.ALL, limit=2, after=after)
            )
            found.extend(ids(page))
            after = page.next_cursor
            if after is None:
                break
        assert found == [artifact.id.int for artifact in expected]

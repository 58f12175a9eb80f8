"""What every catalog answers to the same questions, the plain Python one included."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from application.ports.catalog import CatalogQuery
from domain.filters import StageScope, parse_filters, parse_order
from domain.permissions import Viewer
from tests.support.catalog import ADMIN, STRANGER, Artifacts, PlainCatalog, ids, query, sqlite_catalog

GALLERY = UUID(int=1)
# The artifacts of the gallery by what tells them apart.
CELLS, NUCLEI, MODEL, APP, DRAFT, STAGED, DELETED, SECRET = range(2, 10)
ROOT = 10
INNER, LEAF = 11, 12

Answer = Callable[[CatalogQuery], tuple[list[int], int | None]]


def corpus() -> Artifacts:
    artifacts = Artifacts()
    artifacts.create({"name": "Gallery"}, type="collection", config={"permissions": {"*": "r", "carol": "rw"}})
    artifacts.create(
        {"name": "Cell images", "tags": ["microscopy", "cells"], "likes": 10, "author": {"name": "Ada"}, "free": True},
        parent=GALLERY, type="dataset", config={"priority": 2, "schema": {"type": "object", "required": ["a", "b"]}},
    )  # fmt: skip
    artifacts.create(
        {"name": "cell NUCLEI", "tags": ["nuclei"], "likes": 2.5, "author": {"name": "Bo"}, "note": "50% of *all*"},
        parent=GALLERY, type="dataset", created_by="bob", config={"priority": "high", "permissions": {"bob": "*"}},
    )  # fmt: skip
    artifacts.create(
        {"name": "Straße", "tags": "cells", "likes": "many", "layers": [{"size": 3}, {"size": 5}], "free": False},
        parent=GALLERY, type="model", config={"permissions": {"dora": "r", "*": "l"}},
    )  # fmt: skip
    artifacts.create({"name": "日本語の本", "likes": None, "a.b": 1}, parent=GALLERY, type="application")
    artifacts.create({"name": "Unfinished cells", "likes": 1}, parent=GALLERY, is_draft=True, created_by="bob",
                     config={"permissions": {"bob": "*"}})  # fmt: skip
    artifacts.create({"name": "Being edited", "likes": 10}, parent=GALLERY, type="dataset")
    artifacts.create({"name": "Deleted cells"}, parent=GALLERY)
    artifacts.create({"name": "Secret cells", "likes": 7}, parent=GALLERY, config={"permissions": {"*": "n"}})
    artifacts.create({"name": "Lonely cells"}, config={"permissions": {"mallory": "r"}})
    artifacts.create({"name": "Inner"}, parent=GALLERY, type="collection", config={"permissions": {"@": "r"}})
    artifacts.create({"name": "Leaf of cells", "likes": 3}, parent=UUID(int=INNER))
    artifacts.stage(UUID(int=STAGED), {"name": "Edited cells", "likes": 99})
    artifacts.delete(UUID(int=DELETED))
    artifacts.views = {UUID(int=MODEL): (5, 1_500), UUID(int=APP): (7, 0), UUID(int=CELLS): (1, 250)}
    return artifacts


@pytest.fixture(params=["plain", "sqlite", "sqlite walking", "sqlite sorting"], scope="module")
def answer(request: pytest.FixtureRequest) -> Iterator[Answer]:
    artifacts = corpus()
    if request.param == "plain":
        plain = PlainCatalog(artifacts)

        def ask_plain(question: CatalogQuery) -> tuple[list[int], int | None]:
            found, total = plain.search(question)
            return [one.id.int for one in found], total

        yield ask_plain
        return
    few = {"sqlite": 3_000, "sqlite walking": 0, "sqlite sorting": 3}[request.param]
    with sqlite_catalog(artifacts, few=few) as catalog:

        def ask(question: CatalogQuery) -> tuple[list[int], int | None]:
            page = catalog.answer(question)
            return ids(page), page.total

        yield ask


class Case(NamedTuple):
    """One question about the gallery, and the artifacts that answer it, in order."""

    expected: list[int]
    filters: dict[str, Any] | None = None
    keywords: list[str] | None = None
    mode: str | None = None
    order: str | None = None
    stage: StageScope = StageScope.COMMITTED
    parent: Any = GALLERY
    viewer: Viewer = ADMIN


ALL = [CELLS, NUCLEI, MODEL, APP, STAGED, SECRET, INNER]
BOB = Viewer(levels=(("bob",), ("@",), ("*",)))
CAROL = Viewer(levels=(("carol",), ("@",), ("*",)))
EVERY = StageScope.ALL
STAGES = StageScope.STAGED

CASES = [
    Case(ALL),
    Case([CELLS, NUCLEI, MODEL, APP, DRAFT, STAGED, SECRET, INNER], stage=EVERY),
    Case([DRAFT, STAGED], stage=STAGES),
    # Built-in fields.
    Case([CELLS, NUCLEI, STAGED], {"type": "dataset"}),
    Case([NUCLEI], {"created_by": "bob"}),
    Case([MODEL], {"alias": f"artifact-{MODEL}"}),
    Case([], {"alias": "Artifact-4"}),
    Case([], {"workspace": "elsewhere"}),
    Case(ALL, {"workspace": "team-lab"}),
    Case([MODEL, APP], {"view_count": 5}),
    Case([MODEL], {"view_count": [2, 5]}),
    Case([CELLS, NUCLEI, STAGED, SECRET, INNER], {"view_count": [None, 1]}),
    Case([MODEL], {"download_count": 0.3}),
    Case([CELLS, MODEL], {"download_count": [0.25, 1.5]}),
    # The events lie half a second apart, from the middle of the first second on.
    Case([CELLS, NUCLEI], {"created_at": [None, 1_700_000_001]}),
    Case([SECRET, INNER], {"created_at": 1_700_000_004}),
    # A record shows whole seconds, and 4 is less than 4.5.
    Case([INNER], {"created_at": 1_700_000_004.5}),
    Case([STAGED], {"last_modified": 1_700_000_006}),
    # Manifest.
    Case([CELLS], {"manifest": {"name": "Cell images"}}),
    Case([], {"manifest": {"name": "cell images"}}),
    Case([CELLS, NUCLEI], {"manifest": {"name": "CELL*"}}),
    Case([CELLS], {"manifest": {"name": "*im*GES"}}),
    Case([MODEL], {"manifest": {"name": "STRASSE*"}}),
    Case([CELLS, NUCLEI], {"manifest": {"name": {"$like": "cell%"}}}),
    Case([NUCLEI], {"manifest": {"note": "50% of*"}}),
    Case([], {"manifest": {"note": "5?% of*"}}),
    Case([], {"manifest": {"note": "[5]0% of*"}}),
    Case([], {"manifest": {"likes": "1*"}}),
    Case([CELLS, STAGED], {"likes": 10}),
    Case([CELLS, STAGED], {"likes": 10.0}),
    Case([], {"likes": "10"}),
    Case([APP], {"likes": None}),
    Case([CELLS], {"free": True}),
    Case([MODEL], {"free": False}),
    Case([], {"free": 1}),
    Case([CELLS, MODEL], {"tags": "cells"}),
    Case([CELLS], {"tags": ["cells", "microscopy"]}),
    Case([CELLS, NUCLEI, MODEL], {"tags": {"$in": ["nuclei", "cells"]}}),
    Case([], {"tags": {"$in": []}}),
    Case([CELLS], {"tags": {"$in": ["cells"], "$all": ["microscopy"]}}),
    Case([NUCLEI], {"manifest": {"author": {"name": "Bo"}}}),
    Case([CELLS, NUCLEI], {"manifest.author.name": {"$in": ["Ada", "Bo"]}}),
    Case([MODEL], {"manifest": {"layers.size": 5}}),
    Case([APP], {"manifest": {"a": {"b": 1}}}),
    Case([CELLS, APP], {"manifest": {"$or": [{"a.b": 1}, {"$and": [{"free": True}, {"likes": 10}]}]}}),
    Case([CELLS], {"type": "dataset", "manifest": {"free": True}}),
    Case([CELLS, NUCLEI, MODEL, STAGED], {"type": "dataset", "manifest": {"free": False}}, mode="OR"),
    # Configuration and grants.
    Case([CELLS], {"config": {"priority": 2}}),
    Case([NUCLEI], {"config.priority": "high"}),
    Case([CELLS], {"config": {"schema": {"required": ["a", "b"], "type": "object"}}}),
    Case([], {"config": {"schema": {"required": ["b", "a"], "type": "object"}}}),
    Case([], {"config": {"schema": "object"}}),
    Case([MODEL], {"permissions/dora": "r"}),
    Case([MODEL], {"config": {"permissions": {"*": "l"}}}),
    Case([], {"permissions/dora": "r"}, viewer=STRANGER),
    Case([MODEL], {"permissions/*": "l"}, viewer=STRANGER),
    Case([NUCLEI], {"permissions/bob": "*"}, viewer=BOB),
    Case([], {"permissions/bob": "*"}, viewer=STRANGER),
    # Keywords.
    Case([CELLS, NUCLEI, MODEL, SECRET], None, ["CELL"]),
    Case([CELLS], None, ["images"]),
    Case([CELLS, NUCLEI], None, ["images", "50%"]),
    Case([], None, ["images", "50%"], "AND"),
    Case([CELLS], None, ["images", "ada"], "AND"),
    Case([NUCLEI], None, ["%"]),
    Case([NUCLEI], None, ["*ALL*"]),
    Case([MODEL], None, ["strasse"]),
    Case([APP], None, ["日本"]),
    Case([APP], None, ["本"]),
    Case([NUCLEI], None, ["2.5"]),
    Case([CELLS], None, ["tru"]),
    Case([], None, ["author"]),
    Case([], None, ["imagesmicroscopy"]),
    Case([], None, ["Edited cells"]),
    Case([DRAFT], None, ["unfin"], stage=EVERY),
    Case([CELLS, NUCLEI, STAGED], {"type": "dataset"}, [""]),
    Case([CELLS], {"type": "dataset"}, ["images", "unknown"]),
    Case([CELLS, NUCLEI, APP, STAGED], {"type": "dataset"}, ["日本"], "OR"),
    # Order: numbers, texts, missing last both ways.
    Case([NUCLEI, SECRET, CELLS, STAGED, MODEL, APP, INNER], order="manifest.likes"),
    Case([MODEL, STAGED, CELLS, SECRET, NUCLEI, INNER, APP], order="manifest.likes>"),
    Case([CELLS, NUCLEI, MODEL, APP, STAGED, SECRET, INNER], order="config.priority"),
    Case([NUCLEI, CELLS, INNER, SECRET, STAGED, APP, MODEL], order="-config.priority"),
    Case([MODEL, CELLS, NUCLEI, APP, STAGED, SECRET, INNER], order="manifest.free"),
    Case([APP, MODEL, CELLS, INNER, SECRET, STAGED, NUCLEI], order="view_count>"),
    Case([NUCLEI, APP, STAGED, SECRET, INNER, CELLS, MODEL], order="download_count<"),
    Case([STAGED, INNER, SECRET, APP, MODEL, NUCLEI, CELLS], order="last_modified>"),
    Case([INNER, SECRET, STAGED, APP, MODEL, NUCLEI, CELLS], order="-id"),
    Case([STAGED, CELLS, NUCLEI], {"type": "dataset"}, order="manifest.likes>"),
    Case(list(reversed(ALL)), order="manifest.nowhere>"),
    # Who sees what.
    Case([CELLS, NUCLEI, MODEL, APP, STAGED, INNER], viewer=STRANGER),
    Case([CELLS, NUCLEI, MODEL, APP, STAGED, INNER], viewer=STRANGER, stage=EVERY),
    Case([], viewer=STRANGER, stage=STAGES),
    Case([DRAFT], viewer=BOB, stage=STAGES),
    Case([DRAFT, STAGED], viewer=CAROL, stage=STAGES),
    # Where to look.
    Case([1, ROOT], parent="root"),
    Case([1, ROOT], parent="root", viewer=STRANGER),
    Case([1], parent="root", viewer=BOB),
    Case([LEAF], parent=UUID(int=INNER), viewer=BOB),
    Case([CELLS, NUCLEI, MODEL, SECRET, ROOT, LEAF], None, ["cell"], parent="any"),
    Case([CELLS, NUCLEI, MODEL, ROOT, LEAF], None, ["cell"], parent="any", viewer=STRANGER),
    Case([NUCLEI, LEAF, SECRET, CELLS, STAGED, MODEL, 1, APP, ROOT, INNER], order="manifest.likes", parent="any"),
    Case([], parent=UUID(int=DELETED)),
    Case([], parent=UUID(int=999)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.filters}-{case.keywords}-{case.order}")
def test_a_question_has_this_answer(answer: Answer, case: Case) -> None:
    node = parse_filters(case.filters, case.keywords, case.mode).filter
    question = query(node, order=parse_order(case.order), stage=case.stage, parent=case.parent, viewer=case.viewer)
    assert answer(question) == (case.expected, len(case.expected))


@pytest.mark.parametrize("order", [None, "-id", "manifest.likes", "manifest.likes>", "view_count>", "last_modified"])
def test_pages_by_offset_are_parts_of_the_whole(answer: Answer, order: str | None) -> None:
    whole, _ = answer(query(order=parse_order(order), parent=GALLERY))
    for offset in range(len(whole) + 2):
        for limit in (0, 1, 2, 3):
            page = query(order=parse_order(order), parent=GALLERY, offset=offset, limit=limit)
            assert answer(page) == (whole[offset : offset + limit], len(whole))

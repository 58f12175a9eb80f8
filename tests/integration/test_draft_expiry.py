"""Drafts expire after their last activity; whoever works on one just before keeps it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.errors import ArtifactNotFoundError
from domain.ids import Position
from tests.support.life import LocalService

DAY = 86_400.0
MONTH = 30 * DAY


@pytest.fixture
def service(tmp_path: Path) -> Iterator[LocalService]:
    service = LocalService(tmp_path / "data")
    yield service
    service.close()


def draft(service: LocalService, alias: str, **arguments: Any) -> None:
    service.call("create", alias=alias, manifest={"name": alias}, stage=True, **arguments)


def events(service: LocalService, artifact_id: str) -> list[tuple[str, dict[str, Any], str]]:
    recorded = service.run(service.services.log.read(Position(0), 1000))
    return [
        (one.envelope.type, {"reason": getattr(one.payload, "reason", None)}, one.envelope.actor)
        for one in recorded
        if str(one.envelope.artifact_id) == artifact_id
    ]


def test_a_first_draft_is_deleted_and_its_alias_freed(service: LocalService) -> None:
    record = service.call("create", alias="d", manifest={}, stage=True)
    service.call("write_file", artifact_id="d", file_path="a", content="x")
    service.clock.advance(MONTH - 60)
    assert service.tidy() == {}
    service.clock.advance(120)
    assert service.tidy(is_dry_run=True) == {"drafts expired": (1, 0)}
    assert service.call("read", artifact_id="d")["alias"] == "d"
    assert service.tidy()["drafts expired"] == (1, 0)
    with pytest.raises(ArtifactNotFoundError):
        service.call("read", artifact_id="d")
    draft(service, "d")
    recorded = events(service, record["_id"])
    assert ("artifact.deleted", {"reason": "expired"}, "service:janitor") in recorded


def test_a_committed_artifact_only_loses_its_stage(service: LocalService) -> None:
    service.call("create", alias="c", manifest={"name": "one"})
    service.call("edit", artifact_id="c", manifest={"name": "two"}, stage=True)
    service.clock.advance(MONTH + 60)
    assert service.tidy()["staged edits expired"] == (1, 0)
    record = service.call("read", artifact_id="c")
    assert record["manifest"] == {"name": "one"}
    assert record["staging"] is None
    found = events(service, record["_id"])
    assert ("artifact.discarded", {"reason": "expired"}, "service:janitor") in found


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("write_file", {"file_path": "a", "content": "x"}),
        ("put_file", {"file_path": "a"}),
        ("edit", {"manifest": {"name": "again"}, "stage": True}),
    ],
)
def test_each_kind_of_work_keeps_a_draft(service: LocalService, method: str, arguments: dict[str, Any]) -> None:
    draft(service, "worked-on")
    draft(service, "forgotten")
    service.clock.advance(MONTH - 60)
    service.call(method, artifact_id="worked-on", **arguments)
    service.clock.advance(120)
    assert service.tidy()["drafts expired"] == (1, 0)
    assert [record["alias"] for record in service.call("list", stage=True)] == ["worked-on"]


def test_collections_say_how_long_and_pass_it_on(service: LocalService) -> None:
    for name, config in {"hasty": {"draft_ttl": 3600}, "patient": {"draft_ttl": 0}}.items():
        service.call("create", alias=name, type="collection", manifest={}, config=config)
        service.call("create", alias=f"{name}-inner", type="collection", manifest={}, parent_id=name)
        draft(service, f"{name}-child", parent_id=name)
        draft(service, f"{name}-grandchild", parent_id=f"{name}-inner")
    draft(service, "elsewhere")

    def drafts() -> set[str]:
        return {
            record["alias"]
            for parent in (None, "hasty", "hasty-inner", "patient", "patient-inner")
            for record in service.call("list", stage=True, parent_id=parent)
        }

    service.clock.advance(3700)
    assert service.tidy()["drafts expired"] == (2, 0)
    assert drafts() == {"patient-child", "patient-grandchild", "elsewhere"}
    service.clock.advance(10 * MONTH)
    assert service.tidy()["drafts expired"] == (1, 0)
    assert drafts() == {"patient-child", "patient-grandchild"}
    # A change of the collection counts from then on.
    service.call("edit", artifact_id="patient", config={"draft_ttl": 60})
    assert service.tidy()["drafts expired"] == (2, 0)
    assert drafts() == set()


def test_more_drafts_than_a_page_expire_in_one_run(service: LocalService) -> None:
    for number in range(230):
        draft(service, f"d{number}")
    service.clock.advance(MONTH + 60)
    assert service.tidy()["drafts expired"] == (230, 0)
    assert service.call("list", stage=True) == []

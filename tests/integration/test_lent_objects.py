"""Files that were lent stay as long as a borrower names them, whatever becomes of the lender."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.life import LocalService
from tests.support.stored import objects_of

DAY = 86_400.0
GONE = "objects that nothing names"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[LocalService]:
    service = LocalService(tmp_path / "data")
    yield service
    service.close()


def write(service: LocalService, alias: str, **files: str) -> None:
    for path, content in files.items():
        service.call("write_file", artifact_id=alias, file_path=path, content=content)


def dataset(service: LocalService, alias: str, **files: str) -> None:
    service.call("create", alias=alias, manifest={}, stage=True)
    write(service, alias, **files)
    service.call("commit", artifact_id=alias)


def swept(service: LocalService) -> int:
    service.clock.advance(DAY + 1)
    return service.tidy().get(GONE, (0, 0))[0]


def test_copies_keep_the_bytes_of_what_is_deleted(service: LocalService) -> None:
    dataset(service, "source", a="1", b="22")
    service.call("duplicate", source_artifact_id="source", target_alias="copy")
    service.call("duplicate", source_artifact_id="copy", target_alias="copy-of-copy")
    for alias in ("source", "copy"):
        service.call("delete", artifact_id=alias, delete_files=True)
        assert swept(service) == 0
        assert service.files_of("copy-of-copy", "v0") == {"a": b"1", "b": b"22"}
    service.call("delete", artifact_id="copy-of-copy", delete_files=True)
    assert swept(service) == 4
    assert objects_of(service.data_dir) == {}


def test_a_copy_that_changes_lets_go_of_what_it_does_not_name(service: LocalService) -> None:
    dataset(service, "source", a="1", b="22")
    service.call("duplicate", source_artifact_id="source", target_alias="copy", stage=True)
    service.call("delete", artifact_id="source", delete_files=True)
    assert swept(service) == 0, "the stage of the copy starts from the files"
    service.call("remove_file", artifact_id="copy", file_path="a")
    write(service, "copy", c="333")
    service.call("commit", artifact_id="copy")
    # One upload, and the tree in which it was.
    assert swept(service) == 3
    assert service.files_of("copy", "v0") == {"b": b"22", "c": b"333"}
    service.stop()
    service.start()
    assert service.files_of("copy", "v0") == {"b": b"22", "c": b"333"}


def test_a_draft_of_a_copy_that_is_discarded_or_expires_ends_the_loan(service: LocalService) -> None:
    dataset(service, "source", a="1")
    service.call("duplicate", source_artifact_id="source", target_alias="copy", stage=True)
    service.call("delete", artifact_id="source", delete_files=True)
    service.call("discard", artifact_id="copy")
    assert swept(service) == 3
    assert objects_of(service.data_dir) == {}

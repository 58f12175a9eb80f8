"""The power cut: everything that was acknowledged before it is there after it."""

import threading
import time
from typing import Any

import httpx
import msgspec

from api.cli.demo.client import Client
from api.cli.demo.job import Job
from api.cli.demo.report import DemoFailedError, expect, expect_true
from api.cli.demo.server import OwnServer

_WRITERS = 4
_ACKNOWLEDGED_BEFORE_KILL = 100
_WARM_UP_SECONDS = 30.0
_VIEW_GRACE_SECONDS = 0.3
"""A view may be stored up to 0.1 s after its answer, so that reading costs no fsync; nothing else may."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader sees of the dataset, counters included."""

    record: dict[str, Any]
    files: list[dict[str, Any]]
    digests: dict[str, str]
    history: list[str]


class Writers:
    """Threads that create small artifacts until the server is gone, and remember what was acknowledged."""

    def __init__(self, job: Job, url: str, token: str, collection_id: str) -> None:
        self._arguments = (job.suffix, url, token, collection_id)
        self.acknowledged: set[str] = set()
        self._failures: list[DemoFailedError] = []
        self._threads = [threading.Thread(target=self._write, args=(number,)) for number in range(_WRITERS)]

    def start(self) -> None:
        """Start, and wait until enough has been acknowledged.

        Raises:
            DemoFailedError: It was not, in time.
        """
        for thread in self._threads:
            thread.start()
        deadline = time.monotonic() + _WARM_UP_SECONDS
        while len(self.acknowledged) < _ACKNOWLEDGED_BEFORE_KILL:
            if time.monotonic() > deadline or not any(thread.is_alive() for thread in self._threads):
                raise DemoFailedError(f"only {len(self.acknowledged)} artifacts were created before the kill")
            time.sleep(0.01)

    def join(self) -> None:
        """Wait until all have noticed that the server is gone.

        Raises:
            DemoFailedError: A create was answered with an error.
        """
        for thread in self._threads:
            thread.join()
        if self._failures:
            raise self._failures[0]

    def _write(self, number: int) -> None:
        suffix, url, token, collection_id = self._arguments
        client = Client(url, token, is_local=True)
        count = 0
        try:
            while True:
                alias = f"entry-{suffix}-{number}-{count}"
                record = client.call("create", parent_id=collection_id, alias=alias, manifest={"name": alias})
                self.acknowledged.add(record["id"])
                count += 1
        except httpx.TransportError:
            return
        except DemoFailedError as error:
            self._failures.append(error)
        finally:
            client.close()


def look(job: Job) -> Snapshot:
    """Take a snapshot without being counted."""
    urls = job.client.call("get_file", artifact_id=job.dataset_id, file_path=list(job.files), silent=True)
    return Snapshot(
        record=job.client.call("read", artifact_id=job.dataset_id, silent=True),
        files=job.client.call("list_files", artifact_id=job.dataset_id),
        digests={name: job.client.digest(url) for name, url in urls.items()},
        history=[event["event_id"] for event in job.client.get(f"{job.dataset_path}/history").json()["items"]],
    )


def run(job: Job, server: OwnServer, url: str, token: str) -> None:
    """Kill the server while it is writing, start it again, and compare."""
    job.report.step(f"Kill the server with SIGKILL while {_WRITERS} clients write to it")
    ledger = job.client.call(
        "create", alias=f"ledger-{job.suffix}", type="collection", manifest={"name": "Written during the kill"}
    )
    before = look(job)
    time.sleep(_VIEW_GRACE_SECONDS)
    writers = Writers(job, url, token, ledger["id"])
    try:
        writers.start()
    finally:
        process_id = server.kill()
    writers.join()
    job.report.result(f"process {process_id} is gone; {len(writers.acknowledged)} creates were acknowledged before")

    job.report.step("Start it again on the same data and look for everything that was acknowledged")
    started = time.monotonic()
    expect("address of the server", server.start(), url)
    seconds = time.monotonic() - started
    after = look(job)
    for field in Snapshot.__struct_fields__:
        expect(f"{field} after the restart", getattr(after, field), getattr(before, field))
    found = _ids_in(job, ledger["id"])
    missing = writers.acknowledged - found
    expect_true("no acknowledged artifact is missing", not missing, sorted(missing)[:5])
    job.report.result(
        f"ready after {seconds:.1f} s: record, versions, {len(after.digests)} files by SHA-256, counters, "
        f"{len(after.history)} events, and {len(writers.acknowledged)} of {len(writers.acknowledged)} artifacts"
    )


def _ids_in(job: Job, collection_id: str) -> set[str]:
    found: set[str] = set()
    while True:
        page = job.client.call(
            "list", parent_id=collection_id, silent=True, pagination=True, offset=len(found), limit=1000
        )
        found.update(item["id"] for item in page["items"])
        if not page["items"] or len(found) >= page["total"]:
            return found

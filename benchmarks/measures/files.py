"""Announcing, uploading and committing many files."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from benchmarks.bench import Bench
from benchmarks.client import drive, encode
from benchmarks.model import Row
from benchmarks.service import Service

PUT_TARGET_SECONDS = 0.150
COMMIT_TARGET_SECONDS = 2.0
ONE_DIRECTORY_RATIO = 3
ALL_DIRECTORIES_RATIO = 15
UPLOAD_CLIENTS = 16
BATCH = 1_000
BODY = b"x" * 100


def announce(service: Service, artifact: str, paths: Sequence[str]) -> list[str]:
    """Announce paths in batches; give their URLs."""
    urls: list[str] = []
    for start in range(0, len(paths), BATCH):
        batch = list(paths[start : start + BATCH])
        found = service.call("put_file", artifact_id=artifact, file_path=batch)
        urls.extend(found[path] for path in batch)
    return urls


def upload(urls: Sequence[str], body: bytes = BODY) -> float:
    """Upload a small file to each URL; give the seconds that all took."""
    first = urlsplit(urls[0])
    host, port = str(first.hostname), int(first.port or 80)

    def requests() -> Iterator[bytes]:
        for url in urls:
            parts = urlsplit(url)
            yield encode(host, "PUT", f"{parts.path}?{parts.query}", (), body)

    began = time.perf_counter()
    _, failures = asyncio.run(drive(host, port, requests(), clients=min(UPLOAD_CLIENTS, len(urls))))
    if failures:
        raise RuntimeError(f"{len(failures)} uploads failed, the first with: {failures[0]}")
    return time.perf_counter() - began


def measure_put(bench: Bench) -> Sequence[Row]:
    """Announce a batch of paths in fresh drafts."""
    service, count = bench.service, bench.sizes.batch_paths
    timings = []
    for _ in range(max(5, bench.sizes.calls // 4)):
        record = service.call("create", alias=bench.name(), manifest={"name": "Draft"}, stage=True)
        paths = [f"images/plate-{n % 20}/image-{n:05}.tif" for n in range(count)]
        timings.append(service.timed_call("put_file", artifact_id=record["id"], file_path=paths)[0])
    p50 = sorted(timings)[len(timings) // 2]
    return [
        Row(
            name=f"put_file of {count:,} paths in one call",
            measured=f"p50 {p50 * 1e3:.0f} ms, worst {max(timings) * 1e3:.0f} ms",
            target="p50 150 ms",
            is_met=p50 < PUT_TARGET_SECONDS,
        )
    ]


def measure_commit(bench: Bench) -> Sequence[Row]:
    """Commit a stage into which many files were uploaded through the service."""
    service, count = bench.service, bench.sizes.uploads
    timings, uploading = [], 0.0
    for _ in range(bench.sizes.rounds):
        record = service.call("create", alias=bench.name(), manifest={"name": "Draft"}, stage=True)
        urls = announce(service, record["id"], [f"images/plate-{n % 100}/image-{n:05}.tif" for n in range(count)])
        uploading = upload(urls)
        timings.append(service.timed_call("commit", artifact_id=record["id"])[0])
        files = service.call("list_files", artifact_id=record["id"], dir_path="images/plate-7")
        assert len(files) == count // 100, "The committed files are all there"
    p50 = sorted(timings)[len(timings) // 2]
    return [
        Row(
            name=f"commit of a stage with {count:,} uploaded files",
            measured=f"p50 {p50:.2f} s, worst {max(timings):.2f} s",
            target="2 s",
            is_met=p50 < COMMIT_TARGET_SECONDS,
        ),
        Row(
            name=f"uploads of {len(BODY)} bytes, {UPLOAD_CLIENTS} clients, each durable",
            measured=f"{count / uploading:,.0f}/s",
        ),
    ]


def measure_increment(bench: Bench) -> Sequence[Row]:
    """Commit a few new files on top of none, and on top of very many."""
    service, seeded = bench.seeded
    sizes = bench.sizes
    new, directories = sizes.new_files, sizes.tree_directories
    first = service.timed_call("commit", artifact_id=seeded.tree)[0]

    def commit(artifact: str, paths: Sequence[str]) -> float:
        upload(announce(service, artifact, paths))
        return service.timed_call("commit", artifact_id=artifact)[0]

    alone, together, spread = [], [], []
    for turn in range(max(3, sizes.rounds)):
        record = service.call("create", alias=bench.name(), manifest={"name": "Draft"}, stage=True)
        alone.append(commit(record["id"], [f"directory/file-{n}.bin" for n in range(new)]))
        service.call("edit", artifact_id=seeded.tree, stage=True)
        together.append(commit(seeded.tree, [f"directory-007/new-{turn}-{n}.bin" for n in range(new)]))
        service.call("edit", artifact_id=seeded.tree, stage=True)
        spread.append(
            commit(seeded.tree, [f"directory-{n % directories:03}/spread-{turn}-{n}.bin" for n in range(new)])
        )
    floor, one, every = (sorted(timings)[len(timings) // 2] for timings in (alone, together, spread))

    def row(where: str, seconds: float, most: int) -> Row:
        return Row(
            name=f"commit of {new} new files {where} on top of {sizes.tree_files:,} committed ones",
            measured=f"p50 {seconds * 1e3:.1f} ms",
            floor=f"on top of none: p50 {floor * 1e3:.1f} ms",
            ratio=f"{seconds / floor:.1f}x",
            target=f"{most}x",
            is_met=seconds <= most * floor,
        )

    return [
        row("in one directory", one, ONE_DIRECTORY_RATIO),
        row("spread over all directories", every, ALL_DIRECTORIES_RATIO),
        Row(name=f"first commit of {sizes.tree_files:,} files", measured=f"{first:.2f} s"),
    ]

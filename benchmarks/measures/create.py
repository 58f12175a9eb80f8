"""Creating committed artifacts from many clients at once."""

import json
from collections.abc import Sequence

from benchmarks.bench import Bench
from benchmarks.floors import group_commit_rate
from benchmarks.load import PLACE, Request, load, median
from benchmarks.model import Row
from benchmarks.service import METHODS

TARGET_RATE = 1_500
TARGET_RATIO = 1 / 3
DESCRIPTION = "A dataset of microscope images, described at some length. " * 8


def measure(bench: Bench) -> Sequence[Row]:
    """Measure against a bare group commit of as many clients, in turns."""
    sizes, service = bench.sizes, bench.service
    manifest = {"name": f"Dataset {PLACE}", "description": DESCRIPTION, "tags": ["image", "cell"], "score": 1}
    ours, floors = [], []
    for number in range(sizes.rounds):
        directory = bench.directory / f"floor-{number}"
        directory.mkdir()
        floors.append(group_commit_rate(directory, clients=sizes.clients, seconds=sizes.load_seconds))
        request = Request(
            path=METHODS + "create",
            method="POST",
            headers=service.headers,
            body=json.dumps({"alias": f"created-{number}-{PLACE}", "manifest": manifest}),
        )
        ours.append(load(service.url, request, clients=sizes.clients, seconds=sizes.load_seconds))
    created, floor = median(ours), sorted(floors)[len(floors) // 2]
    ratio = created.rate / floor
    return [
        Row(
            name=f"create committed, {sizes.clients} clients",
            measured=f"{created.rate:,.0f}/s (p50 {created.p50_ms:.1f} ms, p99 {created.p99_ms:.1f} ms)",
            floor=f"bare SQLite group commit, {sizes.clients} clients: {floor:,.0f}/s",
            ratio=f"1/{1 / ratio:.1f}",
            target="1,500/s, or 1/3 of the floor",
            is_met=created.rate >= TARGET_RATE or ratio >= TARGET_RATIO,
        )
    ]

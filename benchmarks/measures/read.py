"""Reading one artifact by id, counted and not."""

from collections.abc import Sequence

from benchmarks.bench import Bench
from benchmarks.load import PLACE, Load, Request, load, median, tool
from benchmarks.model import Row
from benchmarks.service import METHODS, WORKSPACE

ARTIFACTS = 100
MANIFEST = {"name": "Dataset", "description": "A dataset of microscope images.", "tags": ["image", "cell"]}


def measure(bench: Bench) -> Sequence[Row]:
    """Measure in turns with a bare Litestar route, over as many connections."""
    sizes, service = bench.sizes, bench.service
    for number in range(ARTIFACTS):
        service.call("create", alias=f"read-{number}", manifest=MANIFEST)
    path = f"/{WORKSPACE}/artifacts/read-{PLACE}"
    method = f"{METHODS}read?artifact_id={WORKSPACE}/read-{PLACE}&silent=true"
    headers = {"Authorization": service.headers["Authorization"]}
    kinds = {
        "floor": (bench.litestar, Request(path="/", headers={})),
        "silent": (service.url, Request(path=f"{path}?silent=true", headers=headers, modulo=ARTIFACTS)),
        "counted": (service.url, Request(path=path, headers=headers, modulo=ARTIFACTS)),
        "method": (service.url, Request(path=method, headers=headers, modulo=ARTIFACTS)),
    }
    loads: dict[str, list[Load]] = {name: [] for name in kinds}
    for _ in range(sizes.rounds):
        for name, (url, request) in kinds.items():
            loads[name].append(load(url, request, clients=sizes.clients, seconds=sizes.load_seconds))
    floor = median(loads["floor"]).rate

    def row(name: str, kind: str, target: str, least: float | None) -> Row:
        found = median(loads[kind])
        ratio = found.rate / floor
        return Row(
            name=name,
            measured=f"{found.rate:,.0f}/s (p50 {found.p50_ms:.1f} ms, p99 {found.p99_ms:.1f} ms)",
            floor=f"Litestar route with a constant struct: {floor:,.0f}/s",
            ratio=f"{ratio:.2f}",
            target=target,
            is_met=None if least is None else ratio >= least,
        )

    return [
        row(f"read by id, silent (load by {tool()})", "silent", "1/2 of the floor", 1 / 2),
        row("read by id, counted", "counted", "1/3 of the floor", 1 / 3),
        row("read by id, silent, as a call of the method `read`", "method", "", None),
    ]

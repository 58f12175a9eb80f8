"""Archives: made of many small files and of a few large ones, and read inside."""

import http.client
import random
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from application.zips import layout
from application.zips.layout import Member
from benchmarks.bench import Bench
from benchmarks.measures.files import announce, upload
from benchmarks.measures.streams import MEBI, Peak, get, put
from benchmarks.model import Row
from benchmarks.service import WORKSPACE, Service

SMALL_BYTES = 10_240
LARGE_FILES = 4
MEMORY_TARGET_BYTES = 64 * MEBI
LATER_TARGET_SECONDS = 0.1
LATER_READS = 100
MEMBERS_TO_CHILDREN = 10
TIMEOUT_SECONDS = 600.0


def measure(bench: Bench) -> Sequence[Row]:
    """Measure archives in turns with one file read raw, and reads inside one that has very many members."""
    service, length = bench.service, bench.sizes.stream_bytes
    large = _artifact(service, bench.name())
    urls = announce(service, large, [f"large-{number}.bin" for number in range(LARGE_FILES)])
    for url in urls:
        put(url, length)
    service.call("commit", artifact_id=large)
    small = _artifact(service, bench.name())
    count = bench.sizes.batch_paths
    upload(announce(service, small, [f"images/image-{number:05}.tif" for number in range(count)]), b"x" * SMALL_BYTES)
    service.call("commit", artifact_id=small)
    bare = f"{bench.files}/zip-floor"
    put(bare, length)
    raw = _address(service, large, "files/large-0.bin", "use_proxy=true&silent=true&")
    rates: dict[str, list[float]] = {"small": [], "large": [], "raw": [], "bare": []}
    growths = []
    for _ in range(max(2, bench.sizes.rounds)):
        rates["bare"].append(_rate(bare, length))
        rates["raw"].append(_rate(raw, length))
        with Peak(service) as peak:
            for name, artifact in (("small", small), ("large", large)):
                url = _address(service, artifact, "create-zip-file")
                rates[name].append(_rate(url, _length(url)))
        growths.append(peak.growth_bytes)
    best = {name: max(found) for name, found in rates.items()}

    def row(name: str, what: str) -> Row:
        return Row(
            name=f"zip of {what}",
            measured=f"{best[name]:,.0f} MiB/s",
            floor=f"one raw GET of {length // MEBI:,} MiB: {best['raw']:,.0f} MiB/s; "
            f"bare ASGI file server: {best['bare']:,.0f} MiB/s",
            ratio=f"{best[name] / best['raw']:.2f}",
        )

    return [
        row("small", f"{count:,} x 10 KiB"),
        row("large", f"{LARGE_FILES} x {length // MEBI:,} MiB"),
        Row(
            name="growth of the server's memory meanwhile",
            measured=f"{max(growths) / MEBI:.1f} MiB",
            target="64 MiB",
            is_met=max(growths) < MEMORY_TARGET_BYTES,
        ),
        *_inside(bench),
    ]


def _inside(bench: Bench) -> Sequence[Row]:
    service, count = bench.service, MEMBERS_TO_CHILDREN * bench.sizes.children[-1]
    path = bench.directory / "members.zip"
    _write_archive(path, count)
    artifact = _artifact(service, bench.name())
    (url,) = announce(service, artifact, ["members.zip"])
    connection = _connect(url)
    with path.open("rb") as file:
        connection.request("PUT", url, file, {"Content-Length": str(path.stat().st_size)})
        assert connection.getresponse().status == http.client.OK
    connection.close()
    service.call("commit", artifact_id=artifact)
    address = _address(service, artifact, "zip-files/members.zip", "path=")
    drawn = random.Random(5)

    def read(number: int) -> float:
        connection = _connect(address)
        began = time.perf_counter()
        connection.request("GET", address.replace("path=", f"path={_name(number)}"))
        response = connection.getresponse()
        data = response.read()
        seconds = time.perf_counter() - began
        assert (response.status, data) == (http.client.OK, _content(number)), data[:200]
        connection.close()
        return seconds

    with Peak(service) as peak:
        first = read(count // 2)
    later = [read(drawn.randrange(count)) for _ in range(LATER_READS)]
    ordered = sorted(later)
    return [
        Row(
            name=f"first read inside an archive of {count:,} members",
            measured=f"{first:.2f} s, memory grew by {peak.growth_bytes / MEBI:.1f} MiB",
        ),
        Row(
            name="later reads, each of another member",
            measured=f"second {later[0] * 1e3:.1f} ms, p50 {ordered[LATER_READS // 2] * 1e3:.1f} ms, "
            f"worst {ordered[-1] * 1e3:.1f} ms",
            target="100 ms",
            is_met=ordered[-1] < LATER_TARGET_SECONDS,
        ),
    ]


def _artifact(service: Service, alias: str) -> str:
    record = service.call("create", alias=alias, manifest={"name": "Zip"}, stage=True)
    return str(record["id"])


def _address(service: Service, artifact: str, endpoint: str, query: str = "") -> str:
    token = service.headers["Authorization"].removeprefix("Bearer ")
    alias = artifact.removeprefix(f"{WORKSPACE}/")
    return f"{service.url}/{WORKSPACE}/artifacts/{alias}/{endpoint}?{query}&token={token}".replace("&&", "&")


def _connect(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    return http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=TIMEOUT_SECONDS)


def _length(url: str) -> int:
    connection = _connect(url)
    connection.request("HEAD", url)
    length = int(connection.getresponse().headers["Content-Length"])
    connection.close()
    return length


def _rate(url: str, length: int) -> float:
    return length / MEBI / get(url, length)


def _name(number: int) -> str:
    return f"directory-{number % 1000:03}/part/file-{number:07}.bin"


def _content(number: int) -> bytes:
    return b"content-%08d" % number


def _write_archive(path: Path, count: int) -> None:
    offset = size = 0
    records = []
    with path.open("wb") as file:
        for number in range(count):
            data = _content(number)
            member = Member(_name(number).encode(), len(data), zlib.crc32(data), 1_700_000_000 + number)
            file.write(layout.local_header(member) + data)
            records.append(layout.central_record(member, offset, zlib.crc32(data)))
            offset += layout.local_size(member)
            size += len(records[-1])
        file.writelines(records)
        file.write(layout.end_records(count, offset, size))

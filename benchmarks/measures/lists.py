"""Lists with filter and order, and keyword search, over small and large collections."""

import random
from collections.abc import Sequence

from benchmarks.bench import Bench
from benchmarks.model import Row

PAGE = 100
GROWTH = 2
KEYWORD_TARGET_SECONDS = 0.030
SPREAD = 0.99


def measure_list(bench: Bench) -> Sequence[Row]:
    """List a page of the children of one group in the order of their score."""
    service, seeded = bench.seeded
    p50: dict[int, float] = {}
    rows = []
    for count, parent in sorted(seeded.collections.items()):
        arguments = {
            "parent_id": parent,
            "filters": {"manifest": {"group": "g3"}},
            "order_by": "manifest.score<",
            "limit": PAGE,
            "silent": True,
        }
        records = service.call("list", **arguments)
        scores = [record["manifest"]["score"] for record in records]
        assert scores == sorted(scores)
        assert len(records) == min(PAGE, count // 10)
        timings = service.timings("list", bench.sizes.calls, **arguments)
        p50[count] = timings[len(timings) // 2]
        text = f"p50 {p50[count] * 1e3:.1f} ms, p99 {timings[int(len(timings) * SPREAD)] * 1e3:.1f} ms"
        rows.append((count, len(records), text))
    _, small, large = sorted(p50)
    ratio = p50[large] / p50[small]
    return [
        Row(
            name=f"list, page of {PAGE}, filter and order, {count:,} children ({found} on the page)",
            measured=text,
            floor=f"{small:,} children: p50 {p50[small] * 1e3:.1f} ms" if count == large else "",
            ratio=f"{ratio:.2f}x" if count == large else "",
            target=f"{GROWTH}x" if count == large else "",
            is_met=ratio <= GROWTH if count == large else None,
        )
        for count, found, text in rows
    ]


def measure_keywords(bench: Bench) -> Sequence[Row]:
    """Search one word after the other; each is in about 1.5 % of the manifests."""
    service, seeded = bench.seeded
    count = max(seeded.collections)
    parent = seeded.collections[count]
    words = random.Random(2).sample(seeded.words, bench.sizes.calls)
    timings = []
    for word in words:
        seconds, _ = service.timed_call("search", parent_id=parent, keywords=[word], limit=PAGE)
        timings.append(seconds)
    timings.sort()
    p50 = timings[len(timings) // 2]
    common = service.timings("search", bench.sizes.calls, parent_id=parent, keywords=["child"], limit=PAGE)
    return [
        Row(
            name=f"keyword search over {count:,} manifests, another word each time",
            measured=f"p50 {p50 * 1e3:.1f} ms, p99 {timings[int(len(timings) * SPREAD)] * 1e3:.1f} ms",
            target="p50 30 ms",
            is_met=p50 < KEYWORD_TARGET_SECONDS,
        ),
        Row(
            name=f"keyword search for a word that is in all {count:,} manifests",
            measured=f"p50 {common[len(common) // 2] * 1e3:.1f} ms",
        ),
    ]

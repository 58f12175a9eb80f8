"""Which lists wait for the counters."""

from typing import Any

import pytest

from application.queries.freshness import asks_counters
from domain.filters import parse_filters, parse_order


@pytest.mark.parametrize(
    ("filters", "order_by", "expected"),
    [
        (None, None, False),
        ({"type": "a", "created_at": [1, 2], "manifest": {"view_count": 1}}, "manifest.view_count", False),
        ({"view_count": 1}, None, True),
        ({"type": "a", "download_count": [0, 5]}, "id", True),
        (None, "view_count>", True),
        (None, "-download_count", True),
        ({"type": "a"}, "created_at", False),
    ],
)
@pytest.mark.parametrize("mode", [None, "AND", "OR"])
def test_counters_are_asked_by_filter_or_order(
    filters: dict[str, Any] | None, order_by: str | None, expected: bool, mode: str | None
) -> None:
    parsed = parse_filters(filters, ["word", "other"], mode)
    assert asks_counters(parsed.filter, parse_order(order_by)) is expected

"""Waiting for what a service does by itself."""

import time
from collections.abc import Callable

LIMIT_SECONDS = 30.0
_STEP_SECONDS = 0.02


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    """Wait until something is so; it is expected within moments, and the limit is only there to end a failing test."""
    ends = time.monotonic() + LIMIT_SECONDS
    while not is_so():
        assert time.monotonic() < ends, f"Not so after {LIMIT_SECONDS} s: {what}"
        time.sleep(_STEP_SECONDS)

"""Fetch the pinned pip wheel for an interpreter that came without ensurepip; standard library only.

A pip wheel runs as it is: `python pip.whl/pip install ...`.
"""

import hashlib
import json
import os
import sys
import urllib.request
from pathlib import Path
from urllib.parse import urljoin, urlsplit

WHEEL = "pip-25.3-py3-none-any.whl"
SHA256 = "9655943313a94722b7774661c21049070f6bbb0a1516bf02f7c8d5d9201514cd"
TIMEOUT_SECONDS = 60


def fetch(url: str, accept: str = "*/*") -> bytes:
    """Download one resource of the package index."""
    if urlsplit(url).scheme not in {"http", "https"}:
        raise SystemExit(f"install: the package index has an address that is not HTTP: {url}")
    request = urllib.request.Request(url, headers={"Accept": accept})  # noqa: S310 - The scheme is checked above.
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310 - As above.
        body: bytes = response.read()
    return body


def main(target: Path) -> None:
    """Write the wheel to `target`, after its digest was compared."""
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/") + "/pip/"
    page = json.loads(fetch(index, "application/vnd.pypi.simple.v1+json"))
    addresses = [file["url"] for file in page["files"] if file["filename"] == WHEEL]
    if not addresses:
        raise SystemExit(f"install: {index} has no {WHEEL}")
    wheel = fetch(urljoin(index, addresses[0]))
    if hashlib.sha256(wheel).hexdigest() != SHA256:
        raise SystemExit(f"install: {WHEEL} from {index} is not the file that was pinned")
    target.write_bytes(wheel)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

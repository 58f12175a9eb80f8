"""Which address a request counts for, and that no client can choose it."""

from collections.abc import Sequence
from typing import Any

import pytest

from api.http.client_address import UNKNOWN, client_address
from api.http.exchange import Exchange
from application.settings import Settings

PEER = ("10.0.0.1", 40_000)


def _address(
    headers: Sequence[tuple[str, str]] = (), *, header: str | None = None, proxies: int = 1, peer: Any = PEER
) -> str:
    scope: Any = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "client": peer,
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
    }
    unused: Any = None
    settings = Settings(client_address_header=header, trusted_proxies=proxies)
    return client_address(Exchange(scope, unused, unused), settings)


@pytest.mark.parametrize("name", ["x-forwarded-for", "x-real-ip", "forwarded", "cf-connecting-ip", "true-client-ip"])
def test_no_header_is_believed_by_default(name: str) -> None:
    assert _address([(name, "192.0.2.7")]) == "10.0.0.1"


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        (("192.0.2.7", 1), "192.0.2.7"),
        (("::ffff:192.0.2.7", 1), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::/64"),
        (("2001:db8:1:2:ffff::1", 1), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 1), "fe80::/64"),
        (("a socket", 0), UNKNOWN),
        (None, UNKNOWN),
    ],
)
def test_the_peer(peer: Any, expected: str) -> None:
    assert _address(peer=peer) == expected


@pytest.mark.parametrize(
    ("values", "proxies", "expected"),
    [
        (["192.0.2.7"], 1, "192.0.2.7"),
        (["192.0.2.7:1234"], 1, "192.0.2.7"),
        (["2001:db8::1"], 1, "2001:db8::/64"),
        (["[2001:db8::1]:443"], 1, "2001:db8::/64"),
        # What the client wrote himself stands before what the proxy added, in the same line or another.
        (["198.51.100.1, 192.0.2.7"], 1, "192.0.2.7"),
        (["198.51.100.1", "192.0.2.7"], 1, "192.0.2.7"),
        (["198.51.100.1, 192.0.2.7, 10.0.0.9"], 2, "192.0.2.7"),
        (["198.51.100.1", "192.0.2.7", "10.0.0.9"], 2, "192.0.2.7"),
        # What did not come through the proxies is known by its peer alone.
        ([], 1, "10.0.0.1"),
        (["192.0.2.7"], 2, "10.0.0.1"),
        ([""], 1, "10.0.0.1"),
        (["192.0.2.7, nonsense"], 1, "10.0.0.1"),
        (["192.0.2.7,"], 1, "10.0.0.1"),
        (["\xe9\x00"], 1, "10.0.0.1"),
        (["1" * 5000], 1, "10.0.0.1"),
    ],
)
def test_the_header_of_a_proxy(values: Sequence[str], proxies: int, expected: str) -> None:
    headers = [("x-forwarded-for", value) for value in values]
    assert _address(headers, header="X-Forwarded-For", proxies=proxies) == expected
    # Another header says nothing.
    assert _address(headers, header="X-Real-IP", proxies=proxies) == "10.0.0.1"

"""The service connects to no address that is private, however it is written, unless the operator allows it."""

import ipaddress
import socket
from collections.abc import Sequence

import pytest

from adapters.egress import CheckedEgress, is_public
from domain.errors import AddressRefusedError, UnavailableError

PUBLIC = ["8.8.8.8", "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8", "64:ff9b::808:808"]
SPECIAL = [
    "127.0.0.1",
    "127.9.9.9",
    "0.0.0.0",  # noqa: S104 - Refused, not listened on.
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "fe80::1",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:7f00:1::f5ff:fffe",
]


class Names:
    """Answers each question about a name with the next answer."""

    def __init__(self, *answers: Sequence[str] | OSError) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        answer = self.answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer


def egress(*answers: Sequence[str] | OSError, allows_private: bool = False) -> tuple[CheckedEgress, Names]:
    names = Names(*answers)
    return CheckedEgress(allows_private=allows_private, resolve=names.resolve), names


@pytest.mark.parametrize("address", PUBLIC)
async def test_public_addresses_pass(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))
    checked, names = egress([address])
    await checked.check("https://s3.example.org")
    assert names.asked == [("s3.example.org", 443)]


@pytest.mark.parametrize("address", SPECIAL)
async def test_special_addresses_are_refused_unless_the_operator_allows_them(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    refusing, _ = egress([address])
    with pytest.raises(AddressRefusedError, match="private, loopback or link-local"):
        await refusing.check("http://inside.example.org:9000/path")
    allowing, names = egress([address], allows_private=True)
    await allowing.check("http://inside.example.org:9000/path")
    assert names.asked == [("inside.example.org", 9000)]


async def test_one_special_address_among_public_ones_is_enough() -> None:
    checked, _ = egress(["8.8.8.8", "10.0.0.1", "1.1.1.1"])
    with pytest.raises(AddressRefusedError):
        await checked.addresses("mixed.example.org", 443)


@pytest.mark.parametrize("url", ["http://127.0.0.1", "http://[::1]:9000", "http://localhost", "http://[fe80::1]/x"])
async def test_what_the_system_resolves_is_checked_too(url: str) -> None:
    with pytest.raises(AddressRefusedError):
        await CheckedEgress(allows_private=False).check(url)


@pytest.mark.parametrize("url", ["ftp://example.org", "https://", "example.org", "file:///etc/passwd"])
async def test_other_addresses_are_none(url: str) -> None:
    checked, names = egress()
    with pytest.raises(AddressRefusedError, match="none that"):
        await checked.check(url)
    assert names.asked == []


@pytest.mark.parametrize("answer", [[], OSError("no such name"), ["fe80::1%eth0", "nonsense"]])
async def test_what_cannot_be_resolved_is_refused(answer: Sequence[str] | OSError) -> None:
    checked, _ = egress(answer, allows_private=True)
    with pytest.raises(AddressRefusedError, match="cannot be resolved"):
        await checked.check("https://s3.example.org")


async def test_the_address_that_was_checked_is_the_one_that_is_connected_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        # A name whose second answer would be another one is asked once, so the second answer comes to nobody.
        checked, names = egress(["127.0.0.1"], ["10.0.0.1"], allows_private=True)
        with await checked.connect("rebinding.example.org", port) as connection:
            assert connection.getpeername() == ("127.0.0.1", port)
        assert names.asked == [("rebinding.example.org", port)]


async def test_nothing_is_connected_to_what_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        checked, _ = egress(["127.0.0.1"])
        with pytest.raises(AddressRefusedError):
            await checked.connect("inside.example.org", listening.getsockname()[1])
        with pytest.raises(BlockingIOError):
            listening.accept()


async def test_the_next_address_is_tried_and_silence_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        checked, _ = egress(["127.0.0.2", "127.0.0.1"], allows_private=True)
        with await checked.connect("two.example.org", port) as connection:
            assert connection.getpeername() == ("127.0.0.1", port)
    silent, _ = egress(["127.0.0.1"], allows_private=True)
    with pytest.raises(UnavailableError, match="Nothing answers"):
        await silent.connect("gone.example.org", port)

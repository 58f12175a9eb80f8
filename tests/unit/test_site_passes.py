"""Passes to sites: for one site, in one place, for a time; and the token cannot be read in them."""

import base64

import pytest

from adapters.system import SystemClock, SystemIds
from application.site_passes import MAX_TOKEN_BYTES, PASS_SECONDS, SitePasses
from domain.errors import InvalidArgumentError, UnauthenticatedError
from tests.support.clocks import FixedClock

SITE = "ws-user-alice/site"


def _passes(secret: bytes = b"s" * 32, clock: FixedClock | None = None) -> SitePasses:
    clock = clock or FixedClock()
    return SitePasses(secret, clock=clock, ids=SystemIds(SystemClock()))


def test_a_pass_gives_its_token_back() -> None:
    sealed = _passes().seal("cookie", SITE, "the-token")
    assert _passes().open("cookie", SITE, sealed) == "the-token"


def test_the_token_cannot_be_read_in_a_pass_and_no_two_passes_are_the_same() -> None:
    passes = _passes()
    sealed = passes.seal("cookie", SITE, "the-token")
    assert b"the-token" not in base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
    assert passes.seal("cookie", SITE, "the-token") != sealed


def test_a_pass_is_for_one_site_and_one_place() -> None:
    passes = _passes()
    sealed = passes.seal("cookie", SITE, "the-token")
    with pytest.raises(UnauthenticatedError):
        passes.open("address", SITE, sealed)
    with pytest.raises(UnauthenticatedError):
        passes.open("cookie", "ws-user-alice/other", sealed)
    with pytest.raises(UnauthenticatedError):
        _passes(b"t" * 32).open("cookie", SITE, sealed)


@pytest.mark.parametrize("text", ["", "x", "é", "AAAA", "A" * 100, "the-token", "....", "a b"])
def test_what_is_no_pass_is_refused(text: str) -> None:
    with pytest.raises(UnauthenticatedError):
        _passes().open("cookie", SITE, text)


def test_every_change_of_a_pass_is_seen() -> None:
    passes = _passes()
    sealed = passes.seal("cookie", SITE, "t")
    packed = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
    for place in range(len(packed)):
        changed = bytearray(packed)
        changed[place] ^= 1
        with pytest.raises(UnauthenticatedError):
            passes.open("cookie", SITE, base64.urlsafe_b64encode(bytes(changed)).decode())


def test_a_pass_expires() -> None:
    clock = FixedClock()
    passes = _passes(clock=clock)
    sealed = passes.seal("cookie", SITE, "t")
    clock.advance(PASS_SECONDS - 1)
    assert passes.open("cookie", SITE, sealed) == "t"
    clock.advance(1)
    with pytest.raises(UnauthenticatedError, match="expired"):
        passes.open("cookie", SITE, sealed)


def test_a_token_that_no_browser_would_keep_is_refused() -> None:
    assert len(_passes().seal("cookie", SITE, "t" * MAX_TOKEN_BYTES)) < 3_800
    with pytest.raises(InvalidArgumentError):
        _passes().seal("cookie", SITE, "t" * (MAX_TOKEN_BYTES + 1))

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.key_ring import KEY_BYTES, AesKeyRing, KeyRingError, new_ring_key, parse_key_ring
from application.ports.secret_keys import WrappedKey
from domain.errors import SecretsUnreadableError
from tests.support.given import uid

OLD, NEW = b"o" * KEY_BYTES, b"n" * KEY_BYTES
ONE, OTHER = uid("one"), uid("other")


def ring(**keys: bytes) -> AesKeyRing:
    return AesKeyRing(keys or {"old": OLD})


def encoded(key: bytes) -> str:
    return base64.b64encode(key).decode()


@given(name=st.text(min_size=1), value=st.text())
def test_what_was_sealed_is_opened_by_the_same_artifact_and_name(name: str, value: str) -> None:
    name, value = (text.encode("utf-8", "replace").decode() for text in (name, value))
    keys = ring()
    wrapped = keys.make(ONE)
    sealed = keys.open(ONE, wrapped).seal(name, value)
    assert keys.open(ONE, wrapped).open(name, sealed) == value


def test_the_same_value_is_never_sealed_to_the_same_bytes() -> None:
    key = ring().open(ONE, ring().make(ONE))
    assert len({key.seal("A", "value") for _ in range(100)}) == 100


def test_ciphertext_is_bound_to_its_name_and_artifact() -> None:
    keys = ring()
    wrapped = keys.make(ONE)
    sealed = keys.open(ONE, wrapped).seal("A", "value")
    with pytest.raises(SecretsUnreadableError, match="The secret 'B'"):
        keys.open(ONE, wrapped).open("B", sealed)
    with pytest.raises(SecretsUnreadableError, match="damaged"):
        keys.open(OTHER, wrapped)
    other = keys.open(OTHER, keys.make(OTHER))
    with pytest.raises(SecretsUnreadableError):
        other.open("A", sealed)


def test_every_changed_byte_and_every_cut_is_noticed() -> None:
    keys = ring()
    wrapped = keys.make(ONE)
    sealed = keys.open(ONE, wrapped).seal("A", "value")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        for damaged in (bytes(changed), sealed[:place]):
            with pytest.raises(SecretsUnreadableError) as refusal:
                keys.open(ONE, wrapped).open("A", damaged)
            assert "value" not in refusal.value.detail
    for place in range(len(wrapped.wrapped)):
        changed = bytearray(wrapped.wrapped)
        changed[place] ^= 1
        with pytest.raises(SecretsUnreadableError):
            keys.open(ONE, WrappedKey(ring_key_id="old", wrapped=bytes(changed)))


def test_rewrapping_keeps_the_data_key_and_lets_the_old_key_go() -> None:
    wrapped = ring(old=OLD).make(ONE)
    sealed = ring(old=OLD).open(ONE, wrapped).seal("A", "value")
    fresh = ring(new=NEW, old=OLD).rewrap(ONE, wrapped)
    assert fresh.ring_key_id == "new"
    assert ring(new=NEW).open(ONE, fresh).open("A", sealed) == "value"


def test_a_missing_and_a_wrong_key_of_the_ring_are_told_by_id_alone() -> None:
    wrapped = ring(old=OLD).make(ONE)
    with pytest.raises(SecretsUnreadableError, match="has no key 'old'"):
        ring(new=NEW).open(ONE, wrapped)
    with pytest.raises(SecretsUnreadableError, match=r"key 'old' .* is not the one"):
        ring(old=NEW).open(ONE, wrapped)
    # The id is bound in as well: the same key under another name opens nothing.
    with pytest.raises(SecretsUnreadableError):
        ring(renamed=OLD).open(ONE, WrappedKey(ring_key_id="renamed", wrapped=wrapped.wrapped))


def test_no_text_form_shows_a_key() -> None:
    keys = ring()
    for thing in (keys, keys.open(ONE, keys.make(ONE))):
        assert "ooo" not in repr(thing)
        assert encoded(OLD) not in repr(thing)
    assert repr(keys) == "AesKeyRing(old)"


def test_a_ring_is_read_from_text_and_its_first_key_is_current() -> None:
    for separator in (",", "\n", " , ", "\r\n\n"):
        keys = parse_key_ring(f"new:{encoded(NEW)}{separator}old:{encoded(OLD)}\n")
        assert keys.current_id == "new"
        assert keys.ids == {"new", "old"}
    assert parse_key_ring(new_ring_key()).make(ONE)
    assert new_ring_key() != new_ring_key()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "at least one"),
        (" ,\n", "at least one"),
        (encoded(OLD), "entry 1 must be `id:key`"),
        (f"a:{encoded(OLD)},b:", "entry 2 must be `id:key`"),
        (f"a b:{encoded(OLD)}", "entry 1 must be `id:key`"),
        (f"ä:{encoded(OLD)}", "entry 1 must be `id:key`"),
        (f"{'i' * 33}:{encoded(OLD)}", "entry 1 must be `id:key`"),
        (f"a:{encoded(OLD[:-1])}", "the key of entry 1 must be 32 bytes"),
        (f"a:{encoded(OLD)[:-1]}", "the key of entry 1 must be 32 bytes"),
        (f"a:{'oooo' * 8}!", "the key of entry 1 must be 32 bytes"),
        (f"a:{encoded(OLD)},a:{encoded(NEW)}", "entry 2 has an id"),
    ],
)
def test_what_is_no_ring_is_told_without_a_key(text: str, reason: str) -> None:
    with pytest.raises(KeyRingError, match=reason) as refusal:
        parse_key_ring(text)
    assert encoded(OLD)[:8] not in str(refusal.value)

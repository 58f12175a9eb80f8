from typing import Any

import pytest

from domain.artifact.events import ArtifactCreated, SecretsChanged, StoreLocation
from domain.artifact.secrets import SecretsChange, decide_change_secrets
from domain.artifact.state import Artifact
from domain.artifact.stores import MAX_STORES, current_store, find_location, owner_of
from domain.errors import InvalidArgumentError, StaleFactsError
from domain.events import Event
from projections.catalog.document import decode_state, encode_state
from tests.support.given import artifact_of, chain, events_of, uid

KEYS = {"S3_ACCESS_KEY_ID": "id", "S3_SECRET_ACCESS_KEY": "secret"}


def given(*events: Event, name: str = "artifact", **fields: Any) -> Artifact:
    created = ArtifactCreated(workspace="ws", alias="a", manifest={}, config={}, **fields)
    return artifact_of([created, *events], name=name)


def location(bucket: str, name: str = "artifact") -> StoreLocation:
    found = find_location(uid(name), {**KEYS, "S3_BUCKET": bucket})
    assert found is not None
    return found


def test_without_both_parts_of_a_key_there_is_no_store() -> None:
    place = {"S3_ENDPOINT_URL": "https://s3.example.org", "S3_BUCKET": "b", "S3_PREFIX": "p"}
    for secrets in ({}, place, {**place, "S3_ACCESS_KEY_ID": "id"}, {**place, **KEYS, "S3_SECRET_ACCESS_KEY": ""}):
        assert find_location(uid("a"), secrets) is None


def test_what_the_secrets_do_not_say_is_left_to_the_service() -> None:
    found = find_location(uid("a"), KEYS)
    assert found is not None
    assert (found.endpoint_url, found.bucket, found.prefix) == (None, None, "")


def test_a_store_is_an_endpoint_a_bucket_and_a_prefix_of_one_artifact() -> None:
    secrets = {**KEYS, "S3_ENDPOINT_URL": "https://s3.example.org/", "S3_BUCKET": "b", "S3_PREFIX": "/some/where/"}
    found = find_location(uid("a"), secrets)
    assert found is not None
    assert (found.endpoint_url, found.bucket, found.prefix) == ("https://s3.example.org", "b", "some/where")
    assert owner_of(found.id) == uid("a")
    for same in ({"S3_ACCESS_KEY_ID": "new"}, {"S3_REGION_NAME": "eu"}, {"S3_PUBLIC_ENDPOINT_URL": "https://p"}):
        assert find_location(uid("a"), {**secrets, **same}) == found
    others = [
        find_location(uid("a"), {**secrets, **changed})
        for changed in ({"S3_ENDPOINT_URL": "http://other:9000"}, {"S3_BUCKET": "c"}, {"S3_PREFIX": ""})
    ]
    assert len({other.id for other in (found, *others, find_location(uid("b"), secrets)) if other}) == 5
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    "endpoint",
    [
        "s3.example.org",
        "ftp://s3.example.org",
        "https://",
        "https://user:password@s3.example.org",
        "https://s3.example.org?x=1",
        "https://s3.example.org#x",
        "https://s3.example.org:99999",
        "https://s3 .example.org",
        "https://[::1",
        "https://s3.example.org\n",
    ],
)
def test_what_is_no_address_is_refused_without_showing_it(endpoint: str) -> None:
    for name in ("S3_ENDPOINT_URL", "S3_PUBLIC_ENDPOINT_URL"):
        with pytest.raises(InvalidArgumentError, match=name) as refusal:
            find_location(uid("a"), {name: endpoint})
        assert refusal.value.detail == f"The secret '{name}' must be an address like https://s3.example.org."


def test_a_store_keeps_the_newest_secrets_that_were_set_for_it() -> None:
    first, second = location("first"), location("second")
    events = [
        SecretsChanged(sealed={"S3_ACCESS_KEY_ID": b"1", "S3_SECRET_ACCESS_KEY": b"2", "OTHER": b"o"}, store=first),
        SecretsChanged(sealed={"S3_SECRET_ACCESS_KEY": b"3"}, store=first),
        SecretsChanged(sealed={"OTHER": b"oo"}),
        SecretsChanged(sealed={"S3_SECRET_ACCESS_KEY": b"4"}, store=second),
        SecretsChanged(removed=("S3_SECRET_ACCESS_KEY",), store=None),
    ]
    stores = [given(*events[:count]).store for count in range(len(events) + 1)]
    assert stores == [None, first.id, first.id, first.id, second.id, None]
    state = given(*events)
    assert state.stores[first.id].sealed == {"S3_ACCESS_KEY_ID": b"1", "S3_SECRET_ACCESS_KEY": b"3"}
    assert state.stores[second.id].sealed == {"S3_ACCESS_KEY_ID": b"1", "S3_SECRET_ACCESS_KEY": b"4"}
    assert decode_state(encode_state(state)).stores == {}


def test_new_files_go_to_the_nearest_store() -> None:
    root = given(SecretsChanged(sealed={}, store=location("r", "root")), name="root")
    middle = given(parent_id=root.id, name="middle")
    own = given(SecretsChanged(sealed={}, store=location("own")), parent_id=middle.id)
    assert current_store([own, middle, root]) == location("own").id
    assert current_store([given(parent_id=middle.id), middle, root]) == location("r", "root").id
    assert current_store([given(), middle]) is None


def test_a_store_found_from_older_secrets_is_not_taken() -> None:
    state = given(SecretsChanged(sealed={"S3_BUCKET": b"1", "OTHER": b"o"}))
    change = SecretsChange(sealed={"S3_ACCESS_KEY_ID": b"2"}, store=location("b"), store_basis={"S3_BUCKET": b"1"})
    (event,) = events_of(decide_change_secrets(chain(state), change))
    assert event == SecretsChanged(sealed={"S3_ACCESS_KEY_ID": b"2"}, store=location("b"))
    changed = given(SecretsChanged(sealed={"S3_BUCKET": b"1", "OTHER": b"o"}), SecretsChanged(removed=("S3_BUCKET",)))
    with pytest.raises(StaleFactsError):
        decide_change_secrets(chain(changed), change)


def test_there_are_so_many_stores_and_no_more() -> None:
    events = [SecretsChanged(sealed={"S3_BUCKET": b"1"}, store=location(f"b{n}")) for n in range(MAX_STORES)]
    state, basis = given(*events), {"S3_BUCKET": b"1"}
    again = SecretsChange(sealed={"S3_BUCKET": b"2"}, store=location("b0"), store_basis=basis)
    assert len(events_of(decide_change_secrets(chain(state), again))) == 1
    another = SecretsChange(sealed={"S3_BUCKET": b"2"}, store=location("another"), store_basis=basis)
    with pytest.raises(InvalidArgumentError, match=str(MAX_STORES)):
        decide_change_secrets(chain(state), another)

"""From the state of an artifact to the rows of the catalog: a pure function, so a rebuild gives the same rows."""

from typing import Any, Final

import msgspec
from immutables import Map

from domain.artifact.state import Artifact
from domain.filters.facets import Facets, facets, sort_value
from domain.filters.values import Stored, fold
from domain.permissions import Node, Operation, expand, node_of, own_entries


def _encode_other(value: Any) -> Any:  # noqa: ANN401 - The signature of msgspec.
    if isinstance(value, Map):
        return dict(value)
    raise NotImplementedError(f"{type(value).__name__} has no place in a document")


def _decode_other(kind: type, value: Any) -> Any:  # noqa: ANN401 - The signature of msgspec.
    # `kind` is `Map[str, int]`, which is no class.
    if getattr(kind, "__origin__", kind) is Map and isinstance(value, dict):
        return Map(value)
    raise NotImplementedError(f"{kind} has no place in a document")


# JSON, as in the log: whatever an event can hold, a document can hold.
_ENCODER: Final = msgspec.json.Encoder(enc_hook=_encode_other)
_STATE_DECODER: Final = msgspec.json.Decoder(Artifact, dec_hook=_decode_other)
_NODE_DECODER: Final = msgspec.json.Decoder(Node)


class GrantRow(msgspec.Struct, frozen=True):
    """One entry of `config.permissions`."""

    subject: str
    may_list: bool
    may_edit: bool
    may_manage: bool
    is_denied: bool
    level: str


class LeafRow(msgspec.Struct, frozen=True):
    """One value at one path. `folded` is only there for texts that folding changes."""

    path: str
    value: Stored
    is_first: bool
    folded: str | None


class CatalogDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the catalog keeps of one artifact."""

    artifact: Artifact
    node: Node
    leaves: tuple[LeafRow, ...]
    grants: tuple[GrantRow, ...]
    text: str


def encode_state(artifact: Artifact) -> bytes:
    """Encode a state, without its secrets and stores (ciphertext stays in the log alone) and without its loans."""
    if artifact.secrets or artifact.stores or artifact.borrowers:
        artifact = msgspec.structs.replace(artifact, secrets={}, store=None, stores={}, borrowers=frozenset())
    return _ENCODER.encode(artifact)


def decode_state(data: bytes) -> Artifact:
    """Decode a state."""
    return _STATE_DECODER.decode(data)


def encode_node(node: Node) -> bytes:
    """Encode what permissions need of an artifact."""
    return _ENCODER.encode(node)


def decode_node(data: bytes) -> Node:
    """Decode what permissions need of an artifact."""
    return _NODE_DECODER.decode(data)


def catalog_document(artifact: Artifact) -> CatalogDocument:
    """Make the document of an artifact; a deleted one has nothing that could be searched."""
    node = node_of(artifact)
    if artifact.is_deleted:
        return CatalogDocument(artifact=artifact, node=node, leaves=(), grants=(), text="")
    found = facets(artifact)
    return CatalogDocument(
        artifact=artifact, node=node, leaves=_leaves(found), grants=_grants(node, found), text=found.text
    )


def _leaves(found: Facets) -> tuple[LeafRow, ...]:
    rows: list[LeafRow] = []
    for path, values in found.values.items():
        first = sort_value(values)
        for value in values:
            folded = fold(value) if isinstance(value, str) else value
            is_first = first is not None and value == first
            rows.append(LeafRow(path, value, is_first, folded if isinstance(folded, str) and folded != value else None))
    return tuple(rows)


def _grants(node: Node, found: Facets) -> tuple[GrantRow, ...]:
    return tuple(
        GrantRow(
            entry.subject,
            entry.may_list,
            entry.may_edit,
            Operation.MANAGE_PERMISSIONS in expand(node.permissions[entry.subject]),
            entry.is_denied,
            found.grants.get(entry.subject, ""),
        )
        for entry in own_entries(node.permissions)
    )

"""Which encodings of text a caller may name."""

import codecs

from domain.errors import InvalidArgumentError

_QUADRATIC = frozenset({"punycode", "idna"})
"""Encodings of host names, whose time grows with the square of the text: a megabyte would take minutes."""


def check_encoding(encoding: str) -> None:
    """Check the name of an encoding.

    Raises:
        InvalidArgumentError: It is unknown, no encoding of text, or one of host names.
    """
    try:
        known = codecs.lookup(encoding)
    except (LookupError, ValueError):
        raise InvalidArgumentError(f"Unknown encoding {encoding!r}.") from None
    # The only way to tell text encodings from transforms such as zlib.
    if not known._is_text_encoding or known.name in _QUADRATIC:  # noqa: SLF001
        raise InvalidArgumentError(f"{encoding!r} is not an encoding of text.")

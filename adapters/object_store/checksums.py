"""The CRC-32 of bytes that were checksummed in pieces, without reading them again.

A CRC is the remainder of a polynomial over GF(2). Bytes that follow multiply what came before by x to the number of
their bits; so two CRCs and one length are enough. Bit 31 is the coefficient of x to the power 0, as in zlib.
"""

from functools import lru_cache

_POLYNOMIAL = 0xEDB88320
_ONE = 1 << 31
_CACHED_LENGTHS = 1024
"""Parts of one upload have nearly all the same length."""


def combine_crc32(first: int, second: int, second_bytes: int) -> int:
    """Give the CRC-32 of two pieces, one behind the other, from that of each and the length of the second."""
    return _times(_power(second_bytes), first) ^ second


def _times(one: int, other: int) -> int:
    """Multiply two polynomials, modulo that of the CRC."""
    product = 0
    bit = _ONE
    while bit:
        if one & bit:
            product ^= other
        other = (other >> 1) ^ _POLYNOMIAL if other & 1 else other >> 1
        bit >>= 1
    return product


@lru_cache(_CACHED_LENGTHS)
def _power(size_bytes: int) -> int:
    """Give x to the power of eight times the number of bytes."""
    square = _ONE >> 8
    power = _ONE
    while size_bytes:
        if size_bytes & 1:
            power = _times(square, power)
        square = _times(square, square)
        size_bytes >>= 1
    return power

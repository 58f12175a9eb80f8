"""The entity tag of an object that was made of parts."""

import hashlib
from collections.abc import Sequence


def multipart_etag(part_etags: Sequence[str]) -> str:
    """Give the ETag that S3 gives such an object: the MD5 of the parts' MD5s, a dash, and their number.

    Raises:
        ValueError: An ETag is not the hexadecimal digits of an MD5.
    """
    digest = hashlib.md5(usedforsecurity=False)
    for etag in part_etags:
        digest.update(bytes.fromhex(etag))
    return f"{digest.hexdigest()}-{len(part_etags)}"

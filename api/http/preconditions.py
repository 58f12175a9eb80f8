"""The conditional requests of RFC 9110, section 13: whether a caller has a file already, or another than he thinks."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from api.http.exchange import Exchange

NOT_MODIFIED = 304
PRECONDITION_FAILED = 412


def failed_precondition(exchange: Exchange, etag: str, modified: datetime) -> int | None:
    """Give the status that answers a condition in place of the file: 304, 412, or None to send the file.

    `etag` is the bare entity tag, always a strong one. `modified` is in whole seconds, as headers tell time. Of a tag
    and a date the tag decides; a date that cannot be read says nothing.
    """
    wanted = exchange.header(b"if-match")
    if wanted is not None:
        if not _has_tag(wanted, etag):
            return PRECONDITION_FAILED
    else:
        latest = _date(exchange.header(b"if-unmodified-since"))
        if latest is not None and modified > latest:
            return PRECONDITION_FAILED
    known = exchange.header(b"if-none-match")
    if known is not None:
        return NOT_MODIFIED if _has_tag(known, etag, is_weak=True) else None
    since = _date(exchange.header(b"if-modified-since"))
    return NOT_MODIFIED if since is not None and modified <= since else None


def may_be_partial(exchange: Exchange, etag: str, modified: datetime) -> bool:
    """Tell whether a Range may be answered: there is no If-Range, or the file is still the one that it names."""
    condition = exchange.header(b"if-range")
    if condition is None:
        return True
    if condition.lstrip().startswith('"'):
        return condition.strip() == f'"{etag}"'
    return _date(condition) == modified


def _has_tag(header: str, etag: str, *, is_weak: bool = False) -> bool:
    """Look for a tag in a list of them; the weak comparison takes no notice of the mark of weak ones."""
    tags = [tag.strip() for tag in header.split(",")]
    if is_weak:
        tags = [tag.removeprefix("W/") for tag in tags]
    return "*" in tags or f'"{etag}"' in tags


def _date(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)

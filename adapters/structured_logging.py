"""JSON logs on standard error, one object a line."""

import logging
import os
from typing import Any, TextIO, cast

import msgspec
import structlog

_STANDARD_ERROR = 2
_ENCODER = msgspec.json.Encoder(enc_hook=str)


class LogStream:
    """A file descriptor that takes lines; a disk that is full, or a reader that is gone, costs lines and nothing else.

    Lines are written whole, without a buffer that could hold a part back. How many were lost is the first thing that
    it says when it can again.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lost = 0
        self._is_cut = False

    def write(self, text: str) -> int:
        """Write one or more whole lines, or count them as lost."""
        data = text.encode("utf-8", "backslashreplace")
        if self._lost:
            lost = {"event": "log_lines_lost", "lines": self._lost, "level": "error"}
            data = _ENCODER.encode(lost) + b"\n" + data
        if self._is_cut:
            data = b"\n" + data
        try:
            written = os.write(self._descriptor, data)
        except OSError:
            written = 0
        if written == len(data):
            self._lost, self._is_cut = 0, False
        else:
            self._lost += 1
            self._is_cut = self._is_cut or written > 0
        return len(text)

    def flush(self) -> None:
        """Do nothing: there is no buffer."""


def configure_logging(level: str) -> None:
    """Send everything of this level and above to standard error; below it a call costs next to nothing."""
    # Structlog and the standard library ask for no more of a stream than this one has.
    stream = cast("TextIO", LogStream(_STANDARD_ERROR))
    severity = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_encode),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(severity),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    # Libraries log through the standard library: the same stream and form, but only what went wrong.
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(serializer=_encode),
            ],
            foreign_pre_chain=[
                structlog.stdlib.add_logger_name,
                structlog.stdlib.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
        )
    )
    logging.basicConfig(level=max(severity, logging.WARNING), handlers=[handler], force=True)


def _encode(record: Any, **_: Any) -> str:  # noqa: ANN401 - What structlog collected.
    return _ENCODER.encode(record).decode()

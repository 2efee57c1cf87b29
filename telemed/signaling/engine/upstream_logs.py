"""Log lines without payload: the library's own are reduced to fixed text, ours name only a place."""

from __future__ import annotations

import logging
import re
from typing import Final

# The beginnings of library messages that are fixed text up to the end of the match.
_KNOWN: Final = re.compile(
    r"Cannot publish to redis\.\.\. (retrying|giving up)"
    r"|Cannot receive from redis\.\.\. retrying in \d+ secs"
    r"|Handler error in pubsub listening thread"
    r"|Unexpected Error in pubsub listening thread"
    r"|pubsub listen\(\) exited unexpectedly"
)


class WithholdText(logging.Filter):
    """Lets errors through, as known words and the type of the exception, nothing else."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Strip the record of arguments, traceback and unknown text."""
        if record.levelno < logging.ERROR:
            return False
        known = _KNOWN.match(str(record.msg))
        words = known[0] if known else "library error, text withheld"
        raised = record.exc_info[0] if record.exc_info else None
        record.msg = f"{words} ({raised.__name__})" if raised else words
        record.args, record.exc_info, record.exc_text = (), None, None
        record.__dict__.pop("redis_exception", None)
        return True


def library_logger() -> logging.Logger:
    """The logger given to the library, with its filter in place."""
    logger = logging.getLogger("telemed.signaling.upstream")
    if not logger.filters:
        logger.addFilter(WithholdText())
    logger.setLevel(logging.ERROR)
    return logger


def describe_failure(error: BaseException) -> str:
    """Type and place of an exception; its message may quote the client and stays out."""
    trace = error.__traceback__
    if trace is None:
        return type(error).__name__
    while trace.tb_next:
        trace = trace.tb_next
    module = trace.tb_frame.f_globals.get("__name__", "?")
    function = trace.tb_frame.f_code.co_name
    return f"{type(error).__name__} in {module}.{function}, line {trace.tb_lineno}"

"""Logs: JSON lines for machines, readable lines on a terminal; always on standard error.

A patient is named by the id on the topics, never by anything else. Tracebacks are written without local variables,
which could hold samples or passwords.
"""

import logging
import sys
import time
from collections.abc import Callable
from typing import Literal, TextIO

import structlog
from structlog.typing import Processor

from ecg.errors import EcgStreamError

Format = Literal["json", "text"]
LEVELS = ("debug", "info", "warning", "error")
REPEAT_S = 10.0  # a library says the same thing no more often: aiokafka tells of an absent broker 10 times a second


def configure_logging(
    *, service: str, level: str = "info", form: Format | None = None, stream: TextIO | None = None
) -> None:
    """Send all logs of this process, those of libraries included, to one stream in one form.

    Parameters
    ----------
    service : stands in every line
    level : the least severe level that is written; of libraries only warnings and errors are, except for "debug"
    form : None chooses readable lines on a terminal, JSON lines elsewhere
    stream : standard error by default, since standard output belongs to a command's result

    Raises
    ------
    EcgStreamError : when there is no such level
    """
    if level not in LEVELS:
        raise EcgStreamError(f"log level {level!r} is unknown: take one of {', '.join(LEVELS)}")
    out = stream or sys.stderr
    lines = form or ("text" if out.isatty() else "json")
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _naming(service),
        structlog.processors.StackInfoRenderer(),
    ]
    last: list[Processor] = (
        [structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)]
        if lines == "text"
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(out),
    )
    handler = logging.StreamHandler(out)
    handler.addFilter(_Repeats())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.DEBUG if level == "debug" else max(number, logging.WARNING))
    logging.captureWarnings(capture=True)


def _naming(service: str) -> Processor:
    def name(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event.setdefault("service", service)
        return event

    return name


class _Repeats(logging.Filter):
    """Lets the same message of a library through once in ``REPEAT_S``, then with how often it was held back."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic_s = monotonic_s
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write it."""
        # The text without its arguments: addresses and offsets in it may differ.
        key = (record.name, str(record.msg))
        now_s = self._monotonic_s()
        since_s, held_back = self._seen.get(key, (-REPEAT_S, 0))
        if now_s - since_s < REPEAT_S:
            self._seen[key] = since_s, held_back + 1
            return False
        if len(self._seen) > 1000:  # texts that were put together before they were logged: all different
            self._seen.clear()
        self._seen[key] = now_s, 0
        if held_back:
            record.msg = f"{record.getMessage()} (and {held_back} more like it)"
            record.args = ()
        return True

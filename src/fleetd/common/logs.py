# SPDX-License-Identifier: BSD-2-Clause
"""Structured logs on standard error: JSON for machines, coloured lines for people.

The standard library's loggers write the same way.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal

import structlog


def configure(log_format: Literal["auto", "json", "console"] = "auto", level: str = "info") -> None:
    """Set up structlog and the standard loggers (uvicorn, alembic, ...) alike. May be called again.

    :param log_format: ``auto`` is ``console`` on a terminal, else ``json``.
    """
    stream = sys.stderr
    as_json = log_format == "json" or (log_format == "auto" and not stream.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if as_json
        else [structlog.dev.ConsoleRenderer(colors=stream.isatty())]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True
    for name in ("uvicorn.error", "alembic"):
        logging.getLogger(name).setLevel("WARNING" if level != "debug" else "DEBUG")
    logging.getLogger("uvicorn.access").disabled = level != "debug"


def get(name: str) -> structlog.stdlib.BoundLogger:
    """A structured logger: ``get("fleetd.api").info("event_name", machine="x")``."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger

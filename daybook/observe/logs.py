"""How a worker's log is written: lines for people, or a JSON object a line with what the line says as fields.

Everybody logs with the standard library; what is passed as `extra` becomes fields (structlog.stdlib.ExtraAdder).
"""

from __future__ import annotations

import logging
from typing import Any, Literal

from daybook import scrub


def configure(how: Literal["text", "json"]) -> None:
    """Have the process log so, on stderr. No line says a secret (daybook/scrub.py)."""
    scrub.log_to_stderr(None if how == "text" else _json())


def _json() -> logging.Formatter:
    import msgspec
    import structlog

    encode = msgspec.json.Encoder(enc_hook=str, order=None).encode

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(lambda said, **_: encode(_scrubbed(said)).decode()),
        ],
    )


def _scrubbed(said: Any) -> Any:
    if isinstance(said, str):
        return scrub.scrub(said)
    if isinstance(said, dict):
        return {name: _scrubbed(each) for name, each in said.items()}
    return [_scrubbed(each) for each in said] if isinstance(said, list | tuple) else said

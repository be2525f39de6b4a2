"""What the logs of the service look like."""

import json
import logging
from typing import Any, Final, Literal, TypeAlias

from pythonjsonlogger.core import RESERVED_ATTRS, merge_record_extra
from pythonjsonlogger.json import JsonFormatter

LogFormat: TypeAlias = Literal["text", "json"]

_OWN: Final = [*RESERVED_ATTRS, "taskName", "color_message"]
"""What a record has beside what was said about it; the last one is uvicorn's."""

_NAMES: Final = {"levelname": "level", "name": "logger", "exc_info": "exception", "stack_info": "stack"}


def configure_logging(log_format: LogFormat = "text") -> None:
    """Log to the standard error, in this process and in the workers.

    Args:
        log_format: ``text`` is for people, ``json`` for programs: an object per line.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(_JSON if log_format == "json" else _TextFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for talkative in ("alembic", "uvicorn"):
        logging.getLogger(talkative).setLevel(logging.WARNING)


class _TextFormatter(logging.Formatter):
    """Writes what was said about a record behind its message."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        details: dict[str, Any] = merge_record_extra(record, {}, _OWN)
        return " ".join([super().formatMessage(record), *(f"{name}={_text(value)}" for name, value in details.items())])


_JSON: Final = JsonFormatter(
    ["levelname", "name", "message"],
    rename_fields=_NAMES,
    reserved_attrs=_OWN,
    timestamp=True,
)


def _text(value: object) -> str:
    text = str(value)
    plain = text.isprintable() and text and not set(text) & set(' "=')
    return text if plain else json.dumps(text)

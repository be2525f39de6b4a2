"""The format of the service's log."""

import json
import logging
from typing import Any, Final, Literal, TypeAlias

from pythonjsonlogger.core import RESERVED_ATTRS, merge_record_extra
from pythonjsonlogger.json import JsonFormatter

LogFormat: TypeAlias = Literal["text", "json"]

_OWN: Final = [*RESERVED_ATTRS, "taskName", "color_message"]
"""The attributes of a record that are not details of it. The last one is uvicorn's."""

_NAMES: Final = {"levelname": "level", "name": "logger", "exc_info": "exception", "stack_info": "stack"}


def configure_logging(log_format: LogFormat = "text") -> None:
    """Log to the standard error.

    Args:
        log_format: ``text`` for people, or ``json`` for programs: one object per line.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(_JSON if log_format == "json" else _TextFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for verbose in ("alembic", "uvicorn"):
        logging.getLogger(verbose).setLevel(logging.WARNING)


class _TextFormatter(logging.Formatter):
    """Writes the details of a record after its message."""

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

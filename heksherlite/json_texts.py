"""JSON that people write. Their integers are never rounded."""

import json
import re
from typing import Any, Final

import orjson

_LONG_INTEGER: Final = re.compile(r"\d{19}")
_MOST_DIGITS: Final = 20
"""How many digits an integer of 64 bits has at most."""


class LongIntegerError(orjson.JSONDecodeError):
    """A JSON text has an integer of more than 64 bits."""


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Args:
        text: The text.

    Raises:
        LongIntegerError: The text has an integer of more than 64 bits, which would be rounded.
        orjson.JSONDecodeError: The text is not JSON.
    """
    value = orjson.loads(text)
    shown = text if isinstance(text, str) else text.decode()
    if _LONG_INTEGER.search(shown):

        def read(digits: str) -> int:
            if len(digits.lstrip("-")) > _MOST_DIGITS or not -(2**63) <= int(digits) < 2**64:
                reason = f"the integer {digits[:30]} has more than 64 bits"
                raise LongIntegerError(reason, shown, shown.index(digits))
            return int(digits)

        json.loads(shown, parse_int=read)
    return value

"""The ``Retry-After`` header, RFC 9110 section 10.2.3."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx


def parse_retry_after(value: str) -> float | None:
    """Return the number of seconds to wait.

    Args:
        value: The header: a number of seconds or a date.

    Returns:
        The seconds, 0 for a date in the past, or ``None`` if the header is empty or malformed.
    """
    value = value.strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ArithmeticError, LookupError, TypeError, ValueError):  # all that malformed dates raise
        return None


def retry_after(error: Exception) -> float | None:
    """Return the number of seconds to wait after an error response; ``None`` if it does not say so."""
    if not isinstance(error, httpx.HTTPStatusError):
        return None
    return parse_retry_after(error.response.headers.get("Retry-After", ""))

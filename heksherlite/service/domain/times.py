"""Times in the API: RFC 3339 in UTC."""

from datetime import UTC, datetime


def read_time(text: str) -> datetime:
    """Parse a date and time in ISO 8601. Without an offset it is in UTC.

    Raises:
        ValueError: The text is malformed or out of range.
    """
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text[:50]!r} is not a time such as 2030-01-31T12:00:00Z") from error


def show_time(time: datetime) -> str:
    """Format a time in UTC, such as ``2030-01-31T12:00:00Z``."""
    return time.isoformat().replace("+00:00", "Z")

"""Times on the wire: RFC 3339 in UTC, and what is read as such."""

from datetime import UTC, datetime


def read_time(text: str) -> datetime:
    """Read a date and time in the form of ISO 8601; one without an offset is in UTC.

    Raises:
        ValueError: The text is something else, or out of range.
    """
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text[:50]!r} is not a time such as 2030-01-31T12:00:00Z") from error


def show_time(time: datetime) -> str:
    """Write a time in UTC, such as ``2030-01-31T12:00:00Z``."""
    return time.isoformat().replace("+00:00", "Z")

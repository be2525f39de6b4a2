"""Times on the command line."""

import re
from datetime import UTC, datetime
from typing import Final

import click

_SECONDS: Final = {"h": 3600, "d": 86_400, "w": 7 * 86_400}


def parse_expiry(text: str | None, now: float, *, option: str = "--expires") -> int | None:
    """Return when something expires, in seconds since the epoch; None for never.

    Args:
        text: A time from now, such as ``90d``, or a date, such as ``2030-01-31``, in UTC unless it has an offset.
        now: The time, in seconds since the epoch.
        option: The option that the text is the value of.

    Raises:
        click.BadParameter: The text is neither.
    """
    if text is None:
        return None
    try:
        if match := re.fullmatch(r"([0-9]{1,6})([hdw])", text):
            expires_at = int(now) + int(match[1]) * _SECONDS[match[2]]
        else:
            moment = datetime.fromisoformat(text)
            expires_at = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
        format_time(expires_at)  # fails beyond the year 9999
    except (ValueError, OverflowError) as error:
        reason = f"{text!r} is neither a time such as 90d nor a date such as 2030-01-31"
        raise click.BadParameter(reason, param_hint=option) from error
    return expires_at


def format_time(seconds: int) -> str:
    """Return a time as text, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")

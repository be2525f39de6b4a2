"""URLs that may be asked, and URLs and texts that may be shown. No I/O."""

from typing import Final
from urllib.parse import urlsplit

_LONGEST: Final = 300
"""How many characters of somebody else's text are shown."""


def http_url(text: str) -> str:
    """Return a URL.

    Raises:
        ValueError: If it is not an HTTP URL, or has credentials, which would be shown with it.
    """
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or not text.isprintable() or " " in text:
        raise ValueError(f"a URL like 'https://host:port' was expected, not {shown_url(text)!r}")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"a URL without credentials was expected, unlike that of {shown_url(text)!r}")
    _ = parts.port  # raises a ValueError
    return text


def shown_url(url: str) -> str:
    """Return a URL without what may be secret in it: credentials, query and fragment."""
    try:
        parts = urlsplit(url)
        if not parts.netloc:  # without ``//``, what is in front of a host is taken for a path
            parts = parts._replace(path=parts.path.rpartition("@")[2])
        return printable(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl())
    except ValueError:
        return "a malformed URL"


def printable(text: str) -> str:
    """Return the beginning of somebody else's text, without what terminals would take for commands."""
    return "".join(character if character.isprintable() else "�" for character in text[:_LONGEST])

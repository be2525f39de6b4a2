"""URLs: validation, and forms that are safe to display. No I/O."""

from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

_MAX_DISPLAYED: Final = 300
"""The maximum number of characters that are displayed of a text from another program."""

_API_PATHS: Final = ("/api/v1", "/api")


def http_url(text: str) -> str:
    """Return a URL unchanged if it is a valid HTTP or HTTPS URL without credentials.

    Raises:
        ValueError: If it is not. URLs with credentials are rejected because the URL is displayed.
    """
    parts = _split(text)
    if (
        parts is None
        or parts.scheme not in ("http", "https")
        or not parts.hostname
        or not text.isprintable()
        or " " in text
    ):
        raise ValueError(f"expected a URL like 'https://host:port', not {shown_url(text)!r}")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"expected a URL without credentials, unlike that of {shown_url(text)!r}")
    return text


def split_service_url(text: str) -> tuple[str, tuple[str, str] | None]:
    """Return the URL of a settings service without credentials, and its credentials.

    Args:
        text: The URL. White space around it is ignored, because files end with a newline.

    Returns:
        The URL, and its user name and password, or ``None`` if it has none.

    Raises:
        ValueError: If the paths of the API cannot be appended to it.
    """
    text = text.strip()
    shown = shown_url(text)
    if "://" not in text:
        raise ValueError(
            f"service_url must be like 'http://host:port', not {shown!r}: it has no scheme; write 'https://{shown}' "
            f"or 'http://{shown}'"
        )
    if not text.isprintable() or " " in text:
        raise ValueError(f"service_url is not a URL: {shown!r} contains white space or control characters")
    parts = _split(text)
    if parts is None:
        raise ValueError(f"service_url is not a URL: {shown!r} has a malformed host or port")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"service_url must be like 'http://host:port', not {shown!r}")
    if "?" in text or "#" in text:
        raise ValueError(
            f"service_url must not have a query or a fragment: write {shown!r}; "
            "query parameters for every request belong in http_client_args={'params': ...}"
        )
    path = parts.path.rstrip("/")
    for suffix in _API_PATHS:
        if path.endswith(suffix):
            base = parts._replace(netloc=_host(parts), path=path.removesuffix(suffix)).geturl()
            raise ValueError(f"service_url must not end in {suffix!r}, which the client appends: write {base!r}")
    return without_credentials(text), _credentials(parts)


def is_loopback(url: str) -> bool:
    """Return whether the host of a URL is this machine."""
    parts = _split(url)
    host = (parts and parts.hostname) or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def without_credentials(url: str) -> str:
    """Return a URL without its user name and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=_host(parts)).geturl()


def shown_url(url: str) -> str:
    """Return a URL without the parts that may be secret: credentials, query and fragment."""
    parts = _split(url)
    if parts is None or not parts.netloc or "@" in url.replace(parts.netloc, "", 1):
        # Without "//", or with "/", "?" or "#" in a password, urlsplit takes credentials for another part.
        scheme, separator, rest = url.rpartition("://")
        rest = rest.rpartition("@")[2].partition("?")[0].partition("#")[0]
        return printable(scheme.rpartition("@")[2] + separator + rest)
    return printable(parts._replace(netloc=_host(parts), query="", fragment="").geturl())


def printable(text: str) -> str:
    """Return the beginning of a text from another program, with control characters replaced."""
    return "".join(character if character.isprintable() else "�" for character in text[:_MAX_DISPLAYED])


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # its message quotes the URL
        return None
    return parts


def _host(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _credentials(parts: SplitResult) -> tuple[str, str] | None:
    if not parts.username and not parts.password:
        return None
    return unquote(parts.username or ""), unquote(parts.password or "")

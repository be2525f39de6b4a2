"""Construction of httpx clients."""

import os
import re
import ssl
from collections.abc import Iterable, Mapping
from typing import Any, Final
from weakref import WeakValueDictionary

import httpx

from heksherlite.http.daemon_threads import run_in_daemon_thread

_WHITE_SPACE: Final = b" \t\r\n"
_FORBIDDEN: Final = re.compile(rb"[^\t\x20-\x7e\x80-\xff]")
"""The bytes that a header value must not contain, RFC 9110 section 5.5."""

_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


_PLACES: Final = "SSL_CERT_FILE", "SSL_CERT_DIR"
"""The variables with the places of certificates."""

_tls_contexts: Final[WeakValueDictionary[tuple[str | None, str | None], ssl.SSLContext]] = WeakValueDictionary()


async def new_http_client(args: Mapping[str, Any]) -> httpx.AsyncClient:
    """Return an :class:`httpx.AsyncClient` with these arguments.

    It is constructed in a worker thread, because loading the certificates takes tens of milliseconds.

    Raises:
        ValueError: As for :func:`checked_http_client_args`.
    """
    return await run_in_daemon_thread(_construct, checked_http_client_args(args))


def with_ssl_context(args: Mapping[str, Any] | None, ssl_context: ssl.SSLContext | None) -> dict[str, Any]:
    """Return checked arguments for :class:`httpx.AsyncClient` that verify certificates by a context, if there is one.

    Raises:
        ValueError: As for :func:`checked_http_client_args`.
        TypeError: If the arguments have ``verify`` already.
    """
    checked = checked_http_client_args(args)
    if ssl_context is not None and checked.get("verify", ssl_context) is not ssl_context:
        raise TypeError("pass either ssl_context or http_client_args={'verify': ...}, not both")
    return checked if ssl_context is None else {**checked, "verify": ssl_context}


def _construct(args: Mapping[str, Any]) -> httpx.AsyncClient:
    # Not at the top, because it takes a while. See start_native_thread() for httpcore in a program with gevent.
    from heksherlite.http.name_resolution import resolve_in_daemon_threads  # noqa: PLC0415

    if args.get("verify", True) is True and not args.get("cert") and args.get("trust_env", True):
        args = {**args, "verify": _default_tls_context()}
    client = httpx.AsyncClient(**args)
    resolve_in_daemon_threads(client)
    return client


def _default_tls_context() -> ssl.SSLContext:
    """Return the TLS context for the default certificates, which clients share: it takes tens of milliseconds.

    It lives as long as a client that uses it. A client that is created after that reads the certificates again.
    """
    file, folder = map(os.environ.get, _PLACES)
    places = file, folder
    context = _tls_contexts.get(places)
    if context is None:
        try:
            context = _tls_contexts[places] = httpx.create_ssl_context()
        except OSError as error:
            given = [f"{name}={place}" for name, place in zip(_PLACES, places, strict=True) if place]
            raise OSError(f"the certificates cannot be loaded ({' '.join(given) or 'the default'}): {error}") from error
    return context


def checked_http_client_args(args: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return arguments for :class:`httpx.AsyncClient` whose headers and cookies can be sent.

    White space around values is removed, because a token that is read from a file often ends with a newline. Without
    this check, the value would be in the exception of each request.

    Args:
        args: The arguments.

    Raises:
        ValueError: If a header or cookie contains a character that cannot be sent. The message does not contain it.
    """
    checked = dict(args or {})
    if checked.get("headers") is not None:
        checked["headers"] = httpx.Headers(list(_check_headers(checked["headers"])))
    if isinstance(checked.get("cookies"), dict | list):
        cookies = checked["cookies"]
        items = cookies.items() if isinstance(cookies, dict) else cookies
        checked["cookies"] = [(name, _encode("cookie", name, value).decode()) for name, value in items]
    return checked


def _check_headers(headers: Any) -> Iterable[tuple[bytes, bytes]]:
    if isinstance(headers, httpx.Headers):
        headers = headers.raw
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        name_bytes = name.encode("ascii", "replace") if isinstance(name, str) else name
        if not isinstance(name_bytes, bytes) or not _NAME.fullmatch(name_bytes):
            raise ValueError(f"invalid header name {name!r}: expected letters, digits and hyphens")
        yield name_bytes, _encode("header", name, value)


def _encode(kind: str, name: Any, value: Any) -> bytes:
    shown = name.decode("ascii", "replace") if isinstance(name, bytes) else str(name)
    if not isinstance(value, str | bytes):
        raise ValueError(f"the value of the {kind} {shown!r} must be a string, not {type(value).__name__}")  # noqa: TRY004
    try:
        encoded = value.encode("ascii") if isinstance(value, str) else value
    except UnicodeEncodeError:
        encoded = b"\0"
    encoded = encoded.strip(_WHITE_SPACE)
    if _FORBIDDEN.search(encoded):
        # Without the value, which may be a secret.
        raise ValueError(
            f"the value of the {kind} {shown!r} contains a line break or another character that cannot be sent"
        )
    return encoded

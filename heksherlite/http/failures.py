"""Failed requests: exceptions whose messages contain the URL of the service and no secrets."""

import ssl
from typing import Any, Final, TypeVar

import httpx

E = TypeVar("E", bound=Exception)

_MESSAGES: Final[tuple[tuple[type[httpx.TransportError], str, str], ...]] = (
    (httpx.ConnectTimeout, "cannot connect to {url}", "no connection within the time limit"),
    (httpx.ConnectError, "cannot connect to {url}", ""),
    (httpx.PoolTimeout, "cannot send a request to {url}", "no free connection within the time limit"),
    (httpx.ReadTimeout, "no response from {url}", "no data within the time limit"),
    (httpx.TransportError, "the request to {url} failed", ""),
)
"""For each type of exception, what failed, and the reason if the exception has none."""


_ABOUT_EVERYTHING: Final = frozenset({401, 407, 429})
"""The statuses below 500 that do not depend on what was requested."""


class HTTPStatusError(httpx.HTTPStatusError):
    """The exception of httpx, except that it can be copied and pickled, as the status of a client that contains it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _status_error, (str(self), self.request, self.response)


def _status_error(message: str, request: httpx.Request, response: httpx.Response) -> HTTPStatusError:
    return HTTPStatusError(message, request=request, response=response)


def is_outage(error: BaseException) -> bool:
    """Return whether an exception means that the service cannot be reached or does not respond."""
    return isinstance(error, httpx.TransportError | OSError)


def status_of(error: BaseException) -> int | None:
    """Return the status of the response that an exception is about, or ``None``."""
    return error.response.status_code if isinstance(error, httpx.HTTPStatusError) else None


def is_same_outage(error: BaseException | None, other: BaseException | None) -> bool:
    """Return whether two requests failed, both because nothing works, and not because of what was requested."""
    if isinstance(error, httpx.HTTPStatusError) and isinstance(other, httpx.HTTPStatusError):
        status = error.response.status_code
        return status == other.response.status_code and (status in _ABOUT_EVERYTHING or status >= 500)
    return error is not None and other is not None and is_outage(error) and is_outage(other)


def was_not_sent(error: BaseException) -> bool:
    """Return whether an exception means that a request did not reach the service, because there was no connection."""
    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)


def tls_failure(error: BaseException) -> ssl.SSLError | None:
    """Return the TLS error that caused an exception, or ``None``."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    return cause


def describe_failure(error: E, url: str, proxy: str | None = None) -> E:
    """Put the URL of the service in the message of a transport error of httpx, and that of a proxy in between.

    Args:
        error: The exception of a request. All other types are returned unchanged.
        url: The URL of the service, without secrets.
        proxy: The URL of the proxy, without secrets, or ``None`` if there is none.

    Returns:
        The same exception.
    """
    if isinstance(error, httpx.LocalProtocolError):
        # Its message may quote the value of a header.
        error.args = (f"the request to {url} is invalid: a header contains a character that cannot be sent",)
        error.__cause__ = error.__context__ = None
        return error
    for kind, failure, default_reason in _MESSAGES:
        if isinstance(error, kind):
            reason = str(error) or str(tls_failure(error) or "") or default_reason or type(error).__name__
            if url not in reason:
                where = f"{url} through the proxy {proxy} of the environment" if proxy else url
                error.args = (f"{failure.format(url=where)}: {reason}",)
            break
    return error

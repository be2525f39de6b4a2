"""Discovery of an endpoint by its URL."""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from heksherlite.errors import DiscoveryError
from heksherlite.grants.remote.messages import WELL_KNOWN, Endpoint, InvalidResponseError, read_endpoint
from heksherlite.http.construction import with_ssl_context
from heksherlite.http.endpoint_client import EndpointClient, describe_status, endpoint_client
from heksherlite.http.urls import http_url, is_loopback, shown_url


class Discovery(Protocol):
    """Finds an endpoint."""

    async def adiscover(self) -> Endpoint:
        """Return the endpoint.

        Raises:
            DiscoveryError: If no endpoint is found.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticDiscovery:
    """An endpoint whose base URL is known.

    Args:
        base_url: The base URL of the endpoint's calls, such as ``https://host/f/``.
        name: The name of the endpoint.

    Raises:
        ValueError: If ``base_url`` is not an HTTP URL.
    """

    base_url: str
    name: str = "static"

    def __post_init__(self) -> None:
        http_url(self.base_url)

    async def adiscover(self) -> Endpoint:
        """Return the endpoint."""
        return Endpoint(name=self.name, base_url=self.base_url)


@dataclass(frozen=True, slots=True, kw_only=True)
class WellKnownDiscovery:
    """An endpoint that describes itself at ``.well-known/fakts`` below a URL.

    Args:
        url: The URL. If it has no scheme, those in ``auto_protocols`` are tried.
        auto_protocols: The schemes to try, in order. ``http`` is only tried after ``https`` if the host is this
            machine, because an attacker in the network can suppress HTTPS. To use HTTP elsewhere, write ``http://``.
        allow_appending_slash: Whether to try ``.well-known/fakts/`` if ``.well-known/fakts`` does not exist.
        timeout: The time limit for each response, in seconds.
        http_client_args: Arguments for :class:`httpx.AsyncClient`, such as ``verify``.
        ssl_context: The TLS context of HTTPS requests, instead of ``verify``.

    Raises:
        ValueError: If the URL is not an HTTP URL, or has no scheme and ``auto_protocols`` is empty, or a header
            cannot be sent.
    """

    url: str
    auto_protocols: Sequence[str] = ("https", "http")
    allow_appending_slash: bool = True
    timeout: float = 3
    http_client_args: Mapping[str, Any] | None = field(default=None, repr=False)
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "http_client_args", with_ssl_context(self.http_client_args, self.ssl_context))
        for url in self._urls():
            http_url(url)

    async def adiscover(self) -> Endpoint:
        """Return the endpoint, by the first scheme that works. A rejected certificate is final.

        Raises:
            DiscoveryError: If none works. It contains the error of each scheme if there are several.
        """
        causes: list[DiscoveryError] = []
        async with endpoint_client(self.http_client_args, self.timeout) as http:
            for url in self._urls():
                try:
                    return await fetch_endpoint(http, url, with_slash=self.allow_appending_slash)
                except DiscoveryError as error:
                    causes.append(error)
                    if error.certificate_rejected:
                        break
        if len(causes) == 1:
            raise self._explain(causes[0])
        raise DiscoveryError(shown_url(self.url), "no endpoint was found by any scheme:", causes)

    def _explain(self, error: DiscoveryError) -> DiscoveryError:
        """Return an error that says why HTTP was not tried, if it was not."""
        if "://" in self.url or "http" not in self.auto_protocols or error.certificate_rejected:
            return error
        hint = (
            f"HTTP is not tried for another machine; if the endpoint has no HTTPS, write http://{shown_url(self.url)}"
        )
        return DiscoveryError(error.url, f"{error.reason}; {hint}")

    def _urls(self) -> list[str]:
        if "://" in self.url:
            return [self.url]
        if not self.auto_protocols:
            raise ValueError(f"the URL {shown_url(self.url)!r} has no scheme, and auto_protocols is empty")
        first, *others = self.auto_protocols
        if not is_loopback(f"https://{self.url}"):
            others = [scheme for scheme in others if scheme != "http"]
        return [f"{scheme}://{self.url}" for scheme in (first, *others)]


async def fetch_endpoint(http: EndpointClient, url: str, *, with_slash: bool) -> Endpoint:
    """Return the endpoint that describes itself below a URL.

    Args:
        http: The client.
        url: The URL.
        with_slash: Whether to try ``.well-known/fakts/`` if ``.well-known/fakts`` does not exist.

    Raises:
        DiscoveryError: If there is no endpoint.
    """
    address = f"{url.rstrip('/')}/{WELL_KNOWN}"
    response = await http.send("GET", address, error=DiscoveryError)
    if response.status == 404 and with_slash:
        response = await http.send("GET", f"{address}/", error=DiscoveryError)
    if response.status != 200:
        raise DiscoveryError(response.url, describe_status(response))
    try:
        return read_endpoint(response.content, address)
    except InvalidResponseError as error:
        raise DiscoveryError(response.url, str(error)) from None

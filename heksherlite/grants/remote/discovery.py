"""Finding an endpoint by its address."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from heksherlite.errors import DiscoveryError
from heksherlite.grants.remote.messages import WELL_KNOWN, Endpoint, Unusable, read_endpoint
from heksherlite.http.session import Session, session, status_of
from heksherlite.http.urls import http_url, shown_url


class Discovery(Protocol):
    """How an endpoint is found."""

    async def adiscover(self) -> Endpoint:
        """Return the endpoint.

        Raises:
            DiscoveryError: If there is none.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticDiscovery:
    """An endpoint that is known.

    Args:
        base_url: The URL that its addresses are below, such as ``https://host/f/``.
        name: What it is called.

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
        url: The URL; without ``https://`` or ``http://`` in front, those of ``auto_protocols`` are tried.
        auto_protocols: The protocols to try, in order.
        allow_appending_slash: Whether to try ``.well-known/fakts/`` too if there is nothing at ``.well-known/fakts``.
        timeout: Seconds until each answer has to be there.
        http_client_args: Arguments for :class:`httpx.AsyncClient`, such as ``verify``.

    Raises:
        ValueError: If the URL is not an HTTP URL, or has no protocol and none is to be tried.
    """

    url: str
    auto_protocols: Sequence[str] = ("https", "http")
    allow_appending_slash: bool = True
    timeout: float = 3
    http_client_args: Mapping[str, Any] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for address in self._addresses():
            http_url(address)

    async def adiscover(self) -> Endpoint:
        """Return the endpoint of the first protocol by which one answers.

        Raises:
            DiscoveryError: If none does; it holds what went wrong with each of several.
        """
        causes: list[DiscoveryError] = []
        async with session(self.http_client_args, self.timeout) as http:
            for address in self._addresses():
                try:
                    return await well_known(http, address, with_slash=self.allow_appending_slash)
                except DiscoveryError as error:
                    causes.append(error)
        if len(causes) == 1:
            raise causes[0]
        raise DiscoveryError(shown_url(self.url), "there is no endpoint by any protocol:", causes)

    def _addresses(self) -> list[str]:
        if "://" in self.url:
            return [self.url]
        if not self.auto_protocols:
            raise ValueError(f"the URL {shown_url(self.url)!r} has no protocol, and none is to be tried")
        return [f"{protocol}://{self.url}" for protocol in self.auto_protocols]


async def well_known(http: Session, url: str, *, with_slash: bool) -> Endpoint:
    """Return the endpoint that describes itself below a URL.

    Raises:
        DiscoveryError: If there is none.
    """
    address = f"{url.rstrip('/')}/{WELL_KNOWN}"
    reply = await http.ask("GET", address, error=DiscoveryError)
    if reply.status == 404 and with_slash:
        reply = await http.ask("GET", f"{address}/", error=DiscoveryError)
    if reply.status != 200:
        raise DiscoveryError(reply.url, status_of(reply))
    try:
        return read_endpoint(reply.content, address)
    except Unusable as error:
        raise DiscoveryError(reply.url, str(error)) from None

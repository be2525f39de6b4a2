"""Discovery of an endpoint by beacons on the local network."""

import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from heksherlite.errors import DiscoveryError
from heksherlite.grants.remote.beacon import listen_for_beacons
from heksherlite.grants.remote.discovery import fetch_endpoint
from heksherlite.grants.remote.messages import BEACON_PORT, Endpoint
from heksherlite.http.construction import with_ssl_context
from heksherlite.http.endpoint_client import EndpointClient, endpoint_client
from heksherlite.http.pinned_certificates import (
    WrongCertificateError,
    context_that_trusts,
    fetch_certificate,
    parse_fingerprint,
)
from heksherlite.http.task_groups import start_soon
from heksherlite.http.urls import http_url, printable, shown_url

_MAX_ENDPOINTS: Final = 32
"""The maximum number of endpoints to query, because anybody on the network can send beacons."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvertisedDiscovery:
    """An endpoint whose beacons are received on the local network: the first that responds, or a chosen one.

    Anybody on that network can send beacons and be the first to respond. Therefore an endpoint gets no secret that the
    program has beforehand (the tokens of :class:`StaticGrant` and :class:`RedeemGrant`) unless ``host``, ``url`` or
    ``fingerprint`` is given.

    Args:
        host: The host name or address of the endpoint. Only HTTPS URLs with this host are used, so that the certificate
            proves who it is.
        url: The URL of the endpoint. Only beacons with this URL are used. A URL with ``http://`` proves nothing to
            programs in a hostile network.
        fingerprint: The SHA-256 fingerprint of the endpoint's certificate, as ``openssl x509 -noout -fingerprint
            -sha256`` prints it. Only HTTPS URLs are used, and only this certificate is accepted, by the grant too, even
            if no authority signed it.
        choose: A function that gets all endpoints that respond within ``timeout``, and returns one of them, or ``None``
            for none. It runs in a worker thread and may ask a person. The default takes the first endpoint that
            responds, and waits no longer. A choice does not prove who the endpoint is.
        timeout: The time limit for receiving beacons and responses, in seconds.
        address: The address to listen on. The default is all addresses.
        port: The UDP port to listen on.
        allow_appending_slash: As in :class:`WellKnownDiscovery`.
        http_client_args: Arguments for :class:`httpx.AsyncClient`, such as ``verify``.
        ssl_context: The TLS context of HTTPS requests, instead of ``verify``.

    Raises:
        ValueError: If ``url`` is not an HTTP URL, ``fingerprint`` is not a fingerprint, or a header cannot be sent.
    """

    host: str | None = None
    url: str | None = None
    fingerprint: str | None = None
    choose: Callable[[Sequence[Endpoint]], Endpoint | None] | None = None
    timeout: float = 10
    address: str = ""
    port: int = BEACON_PORT
    allow_appending_slash: bool = True
    http_client_args: Mapping[str, Any] | None = field(default=None, repr=False)
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "http_client_args", with_ssl_context(self.http_client_args, self.ssl_context))
        if self.url is not None:
            http_url(self.url)
        if self.fingerprint is not None:
            parse_fingerprint(self.fingerprint)

    async def adiscover(self) -> Endpoint:
        """Return the endpoint.

        Raises:
            DiscoveryError: If no endpoint responds in time, or none is chosen. It contains the error of each one that
                sent a beacon.
        """
        found = await self.adiscover_all(at_most=1 if self.choose is None else _MAX_ENDPOINTS)
        if self.choose is None:
            return found[0]
        chosen = await anyio.to_thread.run_sync(self.choose, found, abandon_on_cancel=True)
        if chosen is None:
            names = ", ".join(printable(endpoint.name) for endpoint in found)
            raise DiscoveryError(self._place, f"none of the {len(found)} endpoints was chosen: {names}")
        return chosen

    async def adiscover_all(self, *, at_most: int = _MAX_ENDPOINTS) -> list[Endpoint]:
        """Return all endpoints that respond in time, in the order of their responses.

        Args:
            at_most: The number of endpoints at which to stop waiting.

        Raises:
            DiscoveryError: If there is none. It contains the error of each one that sent a beacon.
        """
        place = self._place
        found: list[Endpoint] = []
        causes: dict[str, DiscoveryError] = {}
        with ExitStack() as stack:
            try:
                beacons = stack.enter_context(listen_for_beacons(address=self.address, port=self.port))
            except OSError as error:
                raise DiscoveryError(place, f"cannot listen: {error.strerror or error}") from None
            async with endpoint_client(self.http_client_args, self.timeout) as http:
                with anyio.move_on_after(self.timeout):
                    await self._query_senders(http, beacons, found, causes, at_most)
        if found:
            return [replace(endpoint, is_pinned=self._is_pinned) for endpoint in found]
        beacon = "beacon of the required endpoint" if self._is_pinned else "beacon"
        reason = "no sender is a usable endpoint:" if causes else f"no {beacon} was received in {self.timeout:g} s"
        raise DiscoveryError(place, reason, causes.values())

    @property
    def _place(self) -> str:
        return f"beacons on UDP port {self.port}"

    @property
    def _is_pinned(self) -> bool:
        return any(pin is not None for pin in (self.host, self.url, self.fingerprint))

    def _accepts(self, url: str) -> bool:
        """Return whether the URL of a beacon is one that the program chose, if it chose any."""
        if self.url is not None and url.rstrip("/") != self.url.rstrip("/"):
            return False
        parts = urlsplit(url)
        if self.fingerprint is not None and parts.scheme != "https":
            return False
        return self.host is None or (parts.scheme == "https" and parts.hostname == self.host.lower())

    async def _fetch(self, http: EndpointClient, url: str) -> Endpoint:
        """Return the endpoint at the URL of a beacon.

        Raises:
            DiscoveryError: If there is none, or it has another certificate than the required one.
        """
        if self.fingerprint is None:
            return await fetch_endpoint(http, url, with_slash=self.allow_appending_slash)
        try:
            certificate = await fetch_certificate(url, parse_fingerprint(self.fingerprint), self.timeout)
        except (OSError, ValueError, WrongCertificateError) as error:
            raise DiscoveryError(shown_url(url), str(error) or type(error).__name__) from None
        args = {**(self.http_client_args or {}), "verify": context_that_trusts(certificate)}
        async with endpoint_client(args, self.timeout) as trusting:
            endpoint = await fetch_endpoint(trusting, url, with_slash=self.allow_appending_slash)
        return replace(endpoint, certificate=certificate)

    async def _query_senders(
        self,
        http: EndpointClient,
        beacons: AsyncIterator[str],
        found: list[Endpoint],
        causes: dict[str, DiscoveryError],
        at_most: int,
    ) -> None:
        """Append the endpoints to ``found``, and add the errors of the others to ``causes``."""

        async def query(url: str) -> None:
            try:
                found.append(await self._fetch(http, url))
                if len(found) >= at_most:
                    tasks.cancel_scope.cancel()
            except DiscoveryError as error:
                causes[url] = error

        queried: set[str] = set()
        async with anyio.create_task_group() as tasks:
            async for url in beacons:
                if url not in queried and self._accepts(url) and len(queried) < _MAX_ENDPOINTS:
                    queried.add(url)
                    start_soon(tasks, query, url)

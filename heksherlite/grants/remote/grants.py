"""Remote grants without a person: a token that is there, or that an endpoint gives for a manifest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from heksherlite.grants.facts import Facts
from heksherlite.grants.grant import LoadRequest
from heksherlite.grants.remote.claims import Tokens, claim, demanded
from heksherlite.grants.remote.discovery import Discovery
from heksherlite.grants.remote.messages import Endpoint, Manifest
from heksherlite.http.session import Session, session
from heksherlite.http.urls import http_url
from heksherlite.secret import Secret

_NOTHING = Secret("")


@dataclass(slots=True, kw_only=True, eq=False)
class StaticGrant:
    """The facts that an endpoint has for a token that is known beforehand.

    Args:
        token: The token. It is never shown.
        discovery: Finds the endpoint.
        timeout: Seconds until each answer has to be there.
        http_client_args: Arguments for :class:`httpx.AsyncClient`, such as ``verify``.
    """

    token: str | Secret = field(repr=False)
    discovery: Discovery
    timeout: float = 10
    http_client_args: Mapping[str, Any] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.token = _secret(self.token)

    async def aload(self, request: LoadRequest) -> Facts:  # noqa: ARG002 - an endpoint is always fresh
        """Return the facts.

        Raises:
            DiscoveryError: If there is no endpoint.
            ClaimError: If it has no facts for the token.
        """
        endpoint = await self.discovery.adiscover()
        async with session(self.http_client_args, self.timeout) as http:
            return await claim(endpoint, http, _secret(self.token))


@dataclass(slots=True, kw_only=True, eq=False)
class RetrieveGrant:
    """The facts that an endpoint has for a public application that is registered there.

    Args:
        manifest: Which application asks.
        redirect_uri: Where the application was registered to be reached. It is part of the registration, and not sent.
        retrieve_url: The address that gives the token, if it is not the endpoint's.
        discovery: Finds the endpoint.
        timeout: Seconds until each answer has to be there.
        http_client_args: Arguments for :class:`httpx.AsyncClient`, such as ``verify``.

    Raises:
        ValueError: If ``retrieve_url`` is not an HTTP URL.
    """

    manifest: Manifest
    redirect_uri: str
    discovery: Discovery
    retrieve_url: str | None = None
    timeout: float = 10
    http_client_args: Mapping[str, Any] | None = field(default=None, repr=False)
    _tokens: Tokens = field(default_factory=Tokens, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.retrieve_url is not None:
            http_url(self.retrieve_url)

    async def aload(self, request: LoadRequest) -> Facts:  # noqa: ARG002 - an endpoint is always fresh
        """Return the facts.

        Raises:
            DiscoveryError: If there is no endpoint.
            DemandError: If it gives no token to the application.
            ClaimError: If it has no facts for the token.
        """
        endpoint = await self.discovery.adiscover()
        async with session(self.http_client_args, self.timeout) as http:
            return await self._tokens.claim(endpoint, http, self._demand)

    async def _demand(self, endpoint: Endpoint, http: Session) -> Secret:
        url = self.retrieve_url or endpoint.url("retrieve")
        return await demanded(http, url, {"manifest": self.manifest.body()}, _NOTHING)


@dataclass(slots=True, kw_only=True, eq=False)
class RedeemGrant:
    """The facts that an endpoint has for an application with a one-time token, such as one of a fleet.

    Args:
        manifest: Which application asks.
        token: The one-time token. It is never shown. What the endpoint gives for it is kept while the program runs.
        discovery: Finds the endpoint.
        timeout: Seconds until each answer has to be there.
        http_client_args: Arguments for :class:`httpx.AsyncClient`, such as ``verify``.
    """

    manifest: Manifest
    token: str | Secret = field(repr=False)
    discovery: Discovery
    timeout: float = 10
    http_client_args: Mapping[str, Any] | None = field(default=None, repr=False)
    _tokens: Tokens = field(default_factory=Tokens, init=False, repr=False)

    def __post_init__(self) -> None:
        self.token = _secret(self.token)

    async def aload(self, request: LoadRequest) -> Facts:  # noqa: ARG002 - an endpoint is always fresh
        """Return the facts.

        Raises:
            DiscoveryError: If there is no endpoint.
            DemandError: If it gives no token for the one-time token.
            ClaimError: If it has no facts for the token.
        """
        endpoint = await self.discovery.adiscover()
        async with session(self.http_client_args, self.timeout) as http:
            return await self._tokens.claim(endpoint, http, self._demand)

    async def _demand(self, endpoint: Endpoint, http: Session) -> Secret:
        token = _secret(self.token)
        body = {"manifest": self.manifest.body(), "token": token}
        return await demanded(http, endpoint.url("redeem"), body, token)


def _secret(token: str | Secret) -> Secret:
    return token if isinstance(token, Secret) else Secret(token)

"""Remote grants that need no person: the token is known, or the endpoint grants one for a manifest."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from heksherlite.errors import ClaimError, DemandError
from heksherlite.grants.facts import Facts
from heksherlite.grants.grant import LoadRequest
from heksherlite.grants.remote.claims import Claims, claim_facts, connecting, demand_token, require_pinned
from heksherlite.grants.remote.discovery import Discovery
from heksherlite.grants.remote.messages import Endpoint, Manifest
from heksherlite.grants.remote.token_stores import FileTokenStore, TokenStore
from heksherlite.http.construction import with_ssl_context
from heksherlite.http.endpoint_client import EndpointClient
from heksherlite.http.urls import http_url
from heksherlite.secret import Secret

_NO_SECRET = Secret("")


@dataclass(slots=True, kw_only=True, eq=False)
class StaticGrant:
    """The facts that an endpoint has for a token that the program knows.

    Args:
        token: The token. White space around it is ignored. It is never displayed.
        discovery: How to find the endpoint.
        timeout: The time limit for each response, in seconds.
        http_client_args: Arguments for :class:`httpx.AsyncClient`, such as ``verify``.
        ssl_context: The TLS context of HTTPS requests, instead of ``verify``.
    """

    token: str | Secret = field(repr=False)
    discovery: Discovery
    timeout: float = 10
    http_client_args: Mapping[str, Any] | None = field(default=None, repr=False)
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.token = _as_secret(self.token)
        self.http_client_args = with_ssl_context(self.http_client_args, self.ssl_context)

    async def aload(self, request: LoadRequest) -> Facts:  # noqa: ARG002 - endpoints return current facts
        """Return the facts.

        Raises:
            DiscoveryError: If no endpoint is found.
            ClaimError: If the endpoint has no facts for the token, or a beacon that anybody could have sent led to it.
        """
        endpoint = await self.discovery.adiscover()
        require_pinned(endpoint, ClaimError)
        async with connecting(self.http_client_args, self.timeout)(endpoint) as http:
            return await claim_facts(endpoint, http, _as_secret(self.token))


@dataclass(slots=True, kw_only=True, eq=False)
class RetrieveGrant:
    """The facts that an endpoint has for a registered public application.

    Args:
        manifest: The application.
        redirect_uri: The redirect URI of the registration. It is not sent.
        retrieve_url: The URL that grants the token, if it is not that of the endpoint.
        discovery: How to find the endpoint.
        timeout: The time limit for each response, in seconds.
        token_store: Where to keep the token for the next start of the program, and the facts for when the endpoint is
            away then: by default, in files that only the user can read. ``None`` keeps both in memory only.
        http_client_args: Arguments for :class:`httpx.AsyncClient`, such as ``verify``.
        ssl_context: The TLS context of HTTPS requests, instead of ``verify``.

    Raises:
        ValueError: If ``retrieve_url`` is not an HTTP URL, or a header cannot be sent.
    """

    manifest: Manifest
    redirect_uri: str
    discovery: Discovery
    retrieve_url: str | None = None
    timeout: float = 10
    token_store: TokenStore | None = field(default_factory=FileTokenStore, repr=False)
    http_client_args: Mapping[str, Any] | None = field(default=None, repr=False)
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)
    _claims: Claims = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.http_client_args = with_ssl_context(self.http_client_args, self.ssl_context)
        if self.retrieve_url is not None:
            http_url(self.retrieve_url)
        self._claims = Claims(self.token_store, self.manifest.identifier, self.discovery, self._demand)

    async def aload(self, request: LoadRequest) -> Facts:
        """Return the facts.

        Raises:
            DiscoveryError: If no endpoint is found.
            DemandError: If the endpoint grants no token to the application.
            ClaimError: If the endpoint has no facts for the token.
        """
        return await self._claims.load(request, connecting(self.http_client_args, self.timeout))

    async def _demand(self, endpoint: Endpoint, http: EndpointClient, _: LoadRequest) -> Secret:
        url = self.retrieve_url or endpoint.url("retrieve")
        return await demand_token(http, url, {"manifest": self.manifest.body()}, _NO_SECRET)


@dataclass(slots=True, kw_only=True, eq=False)
class RedeemGrant:
    """The facts that an endpoint has for an application with a one-time token, for example in CI or a fleet.

    Args:
        manifest: The application.
        token: The one-time token. White space around it is ignored. It is never displayed. It is needed until a token
            is kept in the token store, and again after that token was revoked.
        discovery: How to find the endpoint.
        timeout: The time limit for each response, in seconds.
        token_store: Where to keep the token for the next start of the program, and the facts for when the endpoint is
            away then: by default, in files that only the user can read. ``None`` keeps both in memory only.
        http_client_args: Arguments for :class:`httpx.AsyncClient`, such as ``verify``.
        ssl_context: The TLS context of HTTPS requests, instead of ``verify``.
    """

    manifest: Manifest
    token: str | Secret = field(repr=False)
    discovery: Discovery
    timeout: float = 10
    token_store: TokenStore | None = field(default_factory=FileTokenStore, repr=False)
    http_client_args: Mapping[str, Any] | None = field(default=None, repr=False)
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)
    _claims: Claims = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.token = _as_secret(self.token)
        self.http_client_args = with_ssl_context(self.http_client_args, self.ssl_context)
        self._claims = Claims(self.token_store, self.manifest.identifier, self.discovery, self._demand)

    async def aload(self, request: LoadRequest) -> Facts:
        """Return the facts.

        Raises:
            DiscoveryError: If no endpoint is found.
            DemandError: If the endpoint grants no token for the one-time token, or a beacon that anybody could have
                sent led to it.
            ClaimError: If the endpoint has no facts for the token.
        """
        return await self._claims.load(request, connecting(self.http_client_args, self.timeout))

    async def _demand(self, endpoint: Endpoint, http: EndpointClient, _: LoadRequest) -> Secret:
        require_pinned(endpoint, DemandError)
        token = _as_secret(self.token)
        body = {"manifest": self.manifest.body(), "token": token}
        return await demand_token(http, endpoint.url("redeem"), body, token)


def _as_secret(token: str | Secret) -> Secret:
    """Return a token without the white space around it, because a file with a token often ends with a newline."""
    return Secret((token.reveal() if isinstance(token, Secret) else token).strip())

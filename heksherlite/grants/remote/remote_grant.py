"""A remote grant whose steps are the program's own."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from heksherlite.grants.grant import LoadRequest
from heksherlite.grants.remote.claims import Claims, connecting
from heksherlite.grants.remote.discovery import Discovery
from heksherlite.grants.remote.messages import Endpoint
from heksherlite.grants.remote.token_stores import FileTokenStore, TokenStore
from heksherlite.http.construction import with_ssl_context
from heksherlite.http.endpoint_client import EndpointClient
from heksherlite.secret import Secret


class Demand(Protocol):
    """Gets a token for the application: the second step of a remote grant."""

    async def ademand(self, endpoint: Endpoint, request: LoadRequest) -> str | Secret:
        """Return a token with which the endpoint returns facts.

        Raises:
            DemandError: If there is no token.
        """
        ...


class Claim(Protocol):
    """Gets facts for a token: the third step of a remote grant."""

    async def aclaim(self, endpoint: Endpoint, token: Secret) -> Mapping[str, Any]:
        """Return the facts.

        Raises:
            ClaimError: If the endpoint has no facts for the token.
        """
        ...


@dataclass(slots=True, kw_only=True, eq=False)
class RemoteGrant:
    """The facts of an endpoint, found, demanded and claimed in the program's own way.

    Args:
        identifier: The identifier of the application.
        discovery: How to find the endpoint.
        demand: How to get a token.
        claim: How to get facts for the token. The default sends it to the endpoint, as all remote grants do, and keeps
            it in the token store. With a claim, a token is demanded for each load and not kept.
        timeout: The time limit for each response, in seconds.
        token_store: Where to keep the token for the next start of the program: by default, in files that only the user
            can read. ``None`` keeps it in memory only.
        http_client_args: Arguments for :class:`httpx.AsyncClient`, such as ``verify``.
        ssl_context: The TLS context of HTTPS requests, instead of ``verify``.
    """

    identifier: str
    discovery: Discovery
    demand: Demand
    claim: Claim | None = None
    timeout: float = 10
    token_store: TokenStore | None = field(default_factory=FileTokenStore, repr=False)
    http_client_args: Mapping[str, Any] | None = field(default=None, repr=False)
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)
    _claims: Claims = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.http_client_args = with_ssl_context(self.http_client_args, self.ssl_context)
        self._claims = Claims(self.token_store, self.identifier, self.discovery, self._demand)

    async def aload(self, request: LoadRequest) -> Mapping[str, Any]:
        """Return the facts.

        Raises:
            DiscoveryError: If no endpoint is found.
            DemandError: If there is no token.
            ClaimError: If the endpoint has no facts for the token.
        """
        if self.claim is None:
            return await self._claims.load(request, connecting(self.http_client_args, self.timeout))
        endpoint = await self.discovery.adiscover()
        return await self.claim.aclaim(endpoint, await self._token(endpoint, request))

    async def _demand(self, endpoint: Endpoint, _: EndpointClient, request: LoadRequest) -> Secret:
        return await self._token(endpoint, request)

    async def _token(self, endpoint: Endpoint, request: LoadRequest) -> Secret:
        token = await self.demand.ademand(endpoint, request)
        return token if isinstance(token, Secret) else Secret(token.strip())

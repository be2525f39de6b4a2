"""Remote grants that need no person: the token is known, or the endpoint grants one for a manifest."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from heksherlite.errors import ClaimError, DemandError
from heksherlite.grants.facts import Facts
from heksherlite.grants.grant import LoadRequest
from heksherlite.grants.remote.claims import claim_facts, connecting, demand_token, require_pinned, with_remedy
from heksherlite.grants.remote.demanding import DemandingGrant
from heksherlite.grants.remote.discovery import Discovery
from heksherlite.grants.remote.holders import (
    Holder,
    give_it_the_new_token,
    keep_the_new_token,
    replace_the_registered,
)
from heksherlite.grants.remote.messages import Endpoint, Manifest
from heksherlite.http.construction import with_ssl_context
from heksherlite.http.endpoint_client import EndpointClient
from heksherlite.http.urls import http_url
from heksherlite.secret import Secret

_NO_SECRET = Secret("")
_STATIC = Holder("StaticGrant", give_it_the_new_token)


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
            return await claim_facts(endpoint, http, _as_secret(self.token), _STATIC)


@dataclass(slots=True, kw_only=True, eq=False)
class RetrieveGrant(DemandingGrant):
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
    retrieve_url: str | None = None
    timeout: float = 10

    def __post_init__(self) -> None:
        if self.retrieve_url is not None:
            http_url(self.retrieve_url)
        DemandingGrant.__post_init__(self)  # a class with slots is made anew, so super() does not find it

    def _response_timeout(self) -> float:
        return self.timeout

    def _holder(self) -> Holder:
        return Holder(self.manifest.identifier, replace_the_registered, renews=True)

    async def _demand(self, endpoint: Endpoint, http: EndpointClient, request: LoadRequest) -> Secret:  # noqa: ARG002 - nobody is asked
        url = self.retrieve_url or endpoint.url("retrieve")
        return await demand_token(http, url, {"manifest": self.manifest.body()}, _NO_SECRET)


@dataclass(slots=True, kw_only=True, eq=False)
class RedeemGrant(DemandingGrant):
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
    timeout: float = 10

    def __post_init__(self) -> None:
        self.token = _as_secret(self.token)
        DemandingGrant.__post_init__(self)

    def _response_timeout(self) -> float:
        return self.timeout

    def _holder(self) -> Holder:
        return Holder(self.manifest.identifier, keep_the_new_token)

    async def _demand(self, endpoint: Endpoint, http: EndpointClient, request: LoadRequest) -> Secret:  # noqa: ARG002 - nobody is asked
        require_pinned(endpoint, DemandError)
        token = _as_secret(self.token)
        body = {"manifest": self.manifest.body(), "token": token}
        try:
            return await demand_token(http, endpoint.url("redeem"), body, token)
        except DemandError as error:
            raise with_remedy(error, self._holder(), endpoint) from None


def _as_secret(token: str | Secret) -> Secret:
    """Return a token without the white space around it, because a file with a token often ends with a newline."""
    return Secret((token.reveal() if isinstance(token, Secret) else token).strip())

"""A remote grant whose steps are the program's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from heksherlite.grants.grant import LoadRequest
from heksherlite.grants.remote.demanding import DemandingGrant
from heksherlite.grants.remote.holders import Holder
from heksherlite.grants.remote.messages import Endpoint
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
class RemoteGrant(DemandingGrant):
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
    demand: Demand
    claim: Claim | None = None
    timeout: float = 10

    async def aload(self, request: LoadRequest) -> Mapping[str, Any]:
        """Return the facts.

        Raises:
            DiscoveryError: If no endpoint is found.
            DemandError: If there is no token.
            ClaimError: If the endpoint has no facts for the token.
        """
        if self.claim is None:
            return await DemandingGrant.aload(self, request)
        endpoint = await self.discovery.adiscover()
        return await self.claim.aclaim(endpoint, await self._token(endpoint, request))

    def _response_timeout(self) -> float:
        return self.timeout

    def _holder(self) -> Holder:
        return Holder(self.identifier)

    async def _demand(self, endpoint: Endpoint, http: EndpointClient, request: LoadRequest) -> Secret:  # noqa: ARG002 - it has its own
        return await self._token(endpoint, request)

    async def _token(self, endpoint: Endpoint, request: LoadRequest) -> Secret:
        token = await self.demand.ademand(endpoint, request)
        return token if isinstance(token, Secret) else Secret(token.strip())

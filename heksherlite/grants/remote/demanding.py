"""What all remote grants have in common that demand a token and keep it."""

import ssl
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from heksherlite.grants.grant import LoadRequest
from heksherlite.grants.remote.claims import Claims, connecting
from heksherlite.grants.remote.discovery import Discovery
from heksherlite.grants.remote.holders import Holder
from heksherlite.grants.remote.messages import Endpoint
from heksherlite.grants.remote.token_stores import FileTokenStore, TokenStore
from heksherlite.http.construction import with_ssl_context
from heksherlite.http.endpoint_client import EndpointClient
from heksherlite.secret import Secret

_RESPONSE_TIMEOUT = 10.0
"""In seconds."""


@dataclass(slots=True, kw_only=True, eq=False)
class DemandingGrant(ABC):
    """The facts that an endpoint has for an application that demands a token and keeps it.

    Subclasses have the docstrings of these fields.
    """

    discovery: Discovery
    token_store: TokenStore | None = field(default_factory=FileTokenStore, repr=False)
    http_client_args: Mapping[str, Any] | None = field(default=None, repr=False)
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)
    _claims: Claims = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.http_client_args = with_ssl_context(self.http_client_args, self.ssl_context)
        self._claims = Claims(self.token_store, self._holder(), self.discovery, self._demand)

    async def aload(self, request: LoadRequest) -> Mapping[str, Any]:
        """Return the facts.

        Raises:
            DiscoveryError: If no endpoint is found.
            DemandError: If the endpoint grants no token.
            ClaimError: If the endpoint has no facts for the token.
        """
        return await self._claims.load(request, connecting(self.http_client_args, self._response_timeout()))

    def _response_timeout(self) -> float:
        """Return the time limit for each response, in seconds."""
        return _RESPONSE_TIMEOUT

    @abstractmethod
    def _holder(self) -> Holder:
        """Return the application."""

    @abstractmethod
    async def _demand(self, endpoint: Endpoint, http: EndpointClient, request: LoadRequest, /) -> Secret:
        """Return a token for the application."""

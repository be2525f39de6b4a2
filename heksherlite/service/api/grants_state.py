"""What the routes of grants have in common, in one process: how often what was tried, and where the service is."""

from typing import Annotated, Final, TypeAlias

from fastapi import Depends, Request

from heksherlite.service.api.proxy_headers import ProxyHeaders
from heksherlite.service.domain.failed_attempts import FailedAttempts
from heksherlite.service.domain.rates import RateLimiter

_STARTS_AT_ONCE: Final = 20  # codes from one address; then one every so many seconds:
_START_SECONDS: Final = 3.0
_POLLS_PER_SECOND: Final = 2.0  # about one code; programs ask once a second
_POLLS_AT_ONCE: Final = 5
_FAILED_CLIENTS: Final = 10  # of OAuth2, with wrong secrets, from one address; then one every so many seconds:
_FAILED_CLIENT_SECONDS: Final = 6.0


class GrantsState:
    """Counts what is tried, and knows where the service is.

    Args:
        proxy_headers: Where requests come from.
        public_url: Where the service is for its clients; None if it is where they say.

    Attributes:
        failed_codes: Failed attempts to enter a device code.
        starts: Codes that were asked for.
        polls: Questions about codes.
        failed_clients: Clients of OAuth2 with wrong secrets.
    """

    def __init__(self, proxy_headers: ProxyHeaders, public_url: str | None) -> None:
        self.failed_codes = FailedAttempts()
        self.starts = RateLimiter(per_second=1 / _START_SECONDS, burst=_STARTS_AT_ONCE)
        self.polls = RateLimiter(per_second=_POLLS_PER_SECOND, burst=_POLLS_AT_ONCE)
        self.failed_clients = RateLimiter(per_second=1 / _FAILED_CLIENT_SECONDS, burst=_FAILED_CLIENTS)
        self._proxy_headers = proxy_headers
        self._public_url = public_url

    def base_url(self, request: Request) -> str:
        """Return the URL of the service as the client of a request has it, without a slash at its end."""
        return self._public_url or self._proxy_headers.base_url(request.scope)


async def _grants(request: Request) -> GrantsState:
    state: GrantsState = request.app.state.grants
    return state


GrantsOfApp: TypeAlias = Annotated[GrantsState, Depends(_grants)]

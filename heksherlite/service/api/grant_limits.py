"""The rate limits of the routes that grant configurations and access tokens."""

from typing import Final

from heksherlite.service.domain.failed_attempts import FailedAttempts
from heksherlite.service.domain.rates import RateLimiter

_START_BURST: Final = 20
_SECONDS_PER_START: Final = 3.0
_POLL_BURST: Final = 5
_POLLS_PER_SECOND: Final = 2.0  # clients poll once per second
_LOGIN_BURST: Final = 20
_SECONDS_PER_LOGIN: Final = 3.0
_CLIENT_FAILURE_BURST: Final = 10
_SECONDS_PER_CLIENT_FAILURE: Final = 6.0


class GrantLimits:
    """The rate limiters of one process.

    Attributes:
        failed_polls: Polls with unknown or unproven device codes, by client network.
        failed_entries: Unknown device codes that operators enter, by client network and operator.
        starts: New device codes, by client network.
        polls: Polls for the outcome of a device code, by code.
        logins: Logins at the identity provider, by client network.
        failed_clients: Failed authentications of OAuth2 clients, by client network.
    """

    def __init__(self) -> None:
        self.failed_polls = FailedAttempts()
        self.failed_entries = FailedAttempts()
        self.starts = RateLimiter(per_second=1 / _SECONDS_PER_START, burst=_START_BURST)
        self.polls = RateLimiter(per_second=_POLLS_PER_SECOND, burst=_POLL_BURST)
        self.logins = RateLimiter(per_second=1 / _SECONDS_PER_LOGIN, burst=_LOGIN_BURST)
        self.failed_clients = RateLimiter(per_second=1 / _SECONDS_PER_CLIENT_FAILURE, burst=_CLIENT_FAILURE_BURST)
